// Tokens, calls and uploads over TLS, by Microsoft's JavaScript clients: the lines of docs/emulator.md.
//
// usage: node tls.mjs PATH-OF-HOMEROOM
//
// Starts `homeroom serve --tls-self-signed` and itself a second time: NODE_EXTRA_CA_CERTS is read only when
// a process starts. @azure/identity fetches tokens from Homeroom's own authority; @microsoft/microsoft-graph-client,
// which leaves its token out over http, and @microsoft/msgraph-beta-sdk call with them; @azure/storage-blob uploads.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ClientSecretCredential } from "@azure/identity";
import { ContainerClient } from "@azure/storage-blob";
import { HttpMethod, RequestInformation } from "@microsoft/kiota-abstractions";
import { AzureIdentityAuthenticationProvider } from "@microsoft/kiota-authentication-azure";
import { Client, GraphError, PageIterator } from "@microsoft/microsoft-graph-client";
import { TokenCredentialAuthenticationProvider } from "@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials/index.js";
import { GraphBetaRequestAdapter } from "@microsoft/msgraph-beta-sdk";
import * as industry from "@microsoft/msgraph-beta-sdk/models/industryData/index.js";

const SCOPE = "https://graph.microsoft.com/.default";

let checks = 0;

/** One check; the first that does not hold ends the witness. */
function check(what, holds, seen) {
  if (!holds) throw new Error(`FAILED: ${what}: ${JSON.stringify(seen)}`);
  checks += 1;
  console.log(`  ok  ${what}`);
}

async function tokens(origin, tenant, app) {
  const options = { authorityHost: origin, disableInstanceDiscovery: true };
  const credential = new ClientSecretCredential(tenant, app.clientId, app.clientSecret, options);
  const token = await credential.getToken(SCOPE);
  check("@azure/identity", token.token.split(".").length === 3 && token.expiresOnTimestamp > Date.now() + 300_000, token);
  const refused = await new ClientSecretCredential(tenant, app.clientId, "wrong", options).getToken(SCOPE).catch((error) => error);
  check("@azure/identity: a wrong secret is refused in Entra's words", /AADSTS7000215/.test(refused.message), refused.message);
  return credential;
}

/** @microsoft/microsoft-graph-client, the classic one. */
async function classic(origin, credential) {
  const authProvider = new TokenCredentialAuthenticationProvider(credential, { scopes: [SCOPE] });
  const client = Client.initWithMiddleware({ baseUrl: `${origin}/`, defaultVersion: "beta", customHosts: new Set(["localhost"]), authProvider });
  const sources = client.api("/external/industryData/sourceSystems");
  const made = await sources.post({ displayName: "SIS & Co #1", vendor: "Contoso" });
  check("classic client: created with its token", made.id && made.displayName === "SIS & Co #1", made);
  const changed = await client.api(`/external/industryData/sourceSystems/${made.id}`).patch({ vendor: "Fabrikam" });
  check("classic client: 204 gives nothing", changed === undefined, changed);
  const found = await sources.filter(`id eq '${made.id}'`).select("vendor").count(true).get();
  check("classic client: filtered, selected, counted", found.value[0].vendor === "Fabrikam" && found["@odata.count"] === 1, found);
  const page = await client.api("/external/industryData/referenceDefinitions").get();
  const next = page["@odata.nextLink"];
  check("classic client: nextLink says https and beta comes first", next.startsWith(`${origin}/beta/external/industryData/`), next);
  const seen = new Set();
  const iterator = new PageIterator(client, page, (row) => !!seen.add(row.id));
  await iterator.iterate();
  check("classic client: PageIterator sees the rows of more than two pages", iterator.isComplete() && seen.size > 200, seen.size);
  const refused = await client.api("/external/industryData/years/nowhere").get().catch((error) => error);
  check("classic client: 404 as GraphError", refused instanceof GraphError && refused.statusCode === 404 && refused.code === "NotFound", refused);
  check("classic client: with its request id", /^[0-9a-f-]{36}$/.test(refused.requestId), refused.requestId);
  const batch = { requests: [{ id: "1", method: "GET", url: "/external/industryData/runs" }] };
  const answers = await client.api("/$batch").post(batch);
  check("classic client: a batch", answers.responses[0].status === 200, answers);
  const connector = await client.api("/external/industryData/dataConnectors").post({
    "@odata.type": "#microsoft.graph.industryData.azureDataLakeConnector",
    displayName: "CSV",
    "sourceSystem@odata.bind": `https://graph.microsoft.com/beta/external/industryData/sourceSystems('${made.id}')`,
  });
  const cast = "microsoft.graph.industryData.azureDataLakeConnector";
  return client.api(`/external/industryData/dataConnectors/${connector.id}/${cast}/getUploadSession`).get();
}

/** @microsoft/msgraph-beta-sdk with kiota's own provider of tokens. */
async function typed(origin, credential) {
  const provider = new AzureIdentityAuthenticationProvider(credential, [SCOPE], undefined, new Set(["localhost"]));
  const adapter = new GraphBetaRequestAdapter(provider);
  adapter.baseUrl = `${origin}/beta`;
  const request = new RequestInformation(HttpMethod.GET, "{+baseurl}/external/industryData/dataConnectors");
  request.pathParameters = { baseurl: adapter.baseUrl };
  request.headers.add("Accept", "application/json");
  const answer = await adapter.send(request, industry.createIndustryDataConnectorCollectionResponseFromDiscriminatorValue, {});
  check("msgraph-beta-sdk: a list of typed objects", answer.value[0].fileFormat.code === "schoolDataSyncV2Rev1", answer);
}

async function upload(origin, session) {
  check("sessionUrl says https", session.sessionUrl.startsWith(`${origin}/`), session);
  const container = new ContainerClient(session.sessionUrl);
  const text = "sourcedId,name,type\nd,Contoso,district\n";
  await container.getBlockBlobClient("orgs.csv").upload(text, text.length);
  const names = [];
  for await (const blob of container.listBlobsFlat()) names.push(blob.name);
  check("@azure/storage-blob: uploaded and listed", names.join() === "orgs.csv", names);
  const read = await container.getBlockBlobClient("orgs.csv").downloadToBuffer();
  check("@azure/storage-blob: read", read.toString() === text, read.toString());
  const again = { conditions: { ifNoneMatch: "*" } };
  const refused = await container.getBlockBlobClient("orgs.csv").upload("x", 1, again).catch((error) => error);
  check("@azure/storage-blob: not twice without overwriting", refused.statusCode === 409 && refused.code === "BlobAlreadyExists", refused);
}

/** What the second process does, which trusts the local authority. */
async function trusting(origin, tenant, clientId, clientSecret) {
  const credential = await tokens(origin, tenant, { clientId, clientSecret });
  const session = await classic(origin, credential);
  await typed(origin, credential);
  await upload(origin, session);
  console.log(`${checks} checks passed`);
}

async function serving(program) {
  const dataDir = mkdtempSync(join(tmpdir(), "homeroom-"));
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("HOMEROOM_"));
  const env = { ...Object.fromEntries(own), HOMEROOM_DATA_DIR: dataDir, NO_PROXY: "localhost,127.0.0.1" };
  const homeroom = (...words) => JSON.parse(execFileSync(program, [...words, "--json"], { env }));
  const tenant = homeroom("tenant", "create", "--name", "Contoso", "--domain", "contoso.example");
  const app = homeroom("app", "create", "--tenant", tenant.id, "--name", "witness", "--all-permissions");
  const server = spawn(program, ["serve", "--listen", "127.0.0.1:0", "--tls-self-signed"], { env, stdio: ["ignore", "pipe", "ignore"] });
  const ended = new Promise((resolve) => server.once("exit", resolve));
  try {
    const origin = await new Promise((resolve, reject) => {
      server.once("exit", () => reject(new Error("the server did not start")));
      createInterface(server.stdout).on("line", (line) => {
        const found = line.match(/^listening on (https:\S+)/);
        if (found) resolve(found[1].replace("127.0.0.1", "localhost"));
      });
    });
    const trust = { ...env, NODE_EXTRA_CA_CERTS: join(dataDir, "tls", "ca.pem") };
    const itself = [fileURLToPath(import.meta.url), "--trusting", origin, tenant.id, app.clientId, app.clientSecret];
    process.exitCode = spawnSync(process.execPath, itself, { env: trust, stdio: "inherit" }).status ?? 1;
  } finally {
    server.kill();
    await ended;
    rmSync(dataDir, { recursive: true, force: true });
  }
}

const [first, ...rest] = process.argv.slice(2);
try {
  await (first === "--trusting" ? trusting(...rest) : serving(first));
} catch (error) {
  console.error(error.message ?? error);
  process.exitCode = 1;
}
