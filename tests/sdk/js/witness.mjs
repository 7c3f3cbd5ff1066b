// The main job, done by Microsoft's own JavaScript SDK (@microsoft/msgraph-beta-sdk).
//
// usage: node witness.mjs PATH-OF-HOMEROOM
//
// That SDK has the models of industryData and no request builders for them: requests are kiota's
// RequestInformation, bodies and answers its typed models. The older @microsoft/microsoft-graph-client
// leaves the token out over http: its witness is tls.mjs. Its own page iterator walks the reference rows.

import { BaseBearerTokenAuthenticationProvider, AllowedHostsValidator, DateOnly, HttpMethod, RequestInformation } from "@microsoft/kiota-abstractions";
import { GraphBetaRequestAdapter } from "@microsoft/msgraph-beta-sdk";
import * as graph from "@microsoft/msgraph-beta-sdk/models/index.js";
import * as industry from "@microsoft/msgraph-beta-sdk/models/industryData/index.js";
import { createODataErrorFromDiscriminatorValue } from "@microsoft/msgraph-beta-sdk/models/oDataErrors/index.js";
import { PageIterator } from "@microsoft/msgraph-sdk-core";
import { DOMAIN, check, signIn, until, witness } from "./homeroom.mjs";

const TYPE = "#microsoft.graph.industryData.";
const PEOPLE = ["tim", "tanja", "ada", "ben", "zoë"];
const FILES = {
  "orgs.csv": "sourcedId,name,type,parentSourcedId\nd,Contoso District,district,\nn,North School,school,d\ns,South School,school,d\n",
  "users.csv": "sourcedId,username,givenName,familyName\n" + PEOPLE.map((n) => `${n},${n},${n},Contoso\n`).join(""),
  "roles.csv": "userSourcedId,orgSourcedId,role\ntim,n,teacher\ntanja,s,teacher\nada,n,student\nben,s,student\nzoë,s,student\n",
};
const ERRORS = { XXX: createODataErrorFromDiscriminatorValue };

/** The SDK's adapter, and the four calls that builders would make of it. */
class Client {
  constructor(base, token) {
    const tokens = { getAuthorizationToken: async () => token, getAllowedHostsValidator: () => new AllowedHostsValidator() };
    this.adapter = new GraphBetaRequestAdapter(new BaseBearerTokenAuthenticationProvider(tokens));
    this.adapter.baseUrl = `${base}/beta`;
    this.root = `${base}/beta/external/industryData`;
  }

  request(method, path, model, serialize) {
    const request = new RequestInformation(method, `{+baseurl}/${path}`, {});
    request.headers.tryAdd("Accept", "application/json");
    if (model) request.setContentFromParsable(this.adapter, "application/json", model, serialize);
    return request;
  }

  get(path, type) {
    return this.adapter.send(this.request(HttpMethod.GET, path), type, ERRORS);
  }

  post(path, model, serialize, type) {
    return this.adapter.send(this.request(HttpMethod.POST, path, model, serialize), type, ERRORS);
  }

  patch(path, model, serialize, type) {
    return this.adapter.send(this.request(HttpMethod.PATCH, path, model, serialize), type, ERRORS);
  }

  act(path) {
    return this.adapter.sendNoResponseContent(this.request(HttpMethod.POST, path), ERRORS);
  }
}

async function mainJob(base, tenant, app) {
  const token = await signIn(base, tenant, app);
  const client = new Client(base, token);
  const at = "external/industryData";

  for (const name of PEOPLE) {
    const user = {
      accountEnabled: true,
      displayName: name,
      mailNickname: name,
      userPrincipalName: `${name}@${DOMAIN}`,
      passwordProfile: { password: "xWwvJ]6NMw+bWH-d", forceChangePasswordNextSignIn: true },
    };
    const made = await client.post("users", user, graph.serializeUser, graph.createUserFromDiscriminatorValue);
    check(`user ${name}`, made.id && made.userPrincipalName === `${name}@${DOMAIN}`, made);
  }

  const rule = (group, order) => ({
    matchTarget: { code: "userPrincipalName" },
    priorityOrder: order,
    sourceIdentifier: { code: "username" },
    additionalData: { "roleGroup@odata.bind": `${client.root}/roleGroups('${group}')`, domainName: DOMAIN },
  });
  const system = await client.post(
    `${at}/sourceSystems`,
    { displayName: "Contoso SIS", vendor: "Contoso", userMatchingSettings: [rule("staff", 0), rule("students", 1)] },
    industry.serializeSourceSystemDefinition,
    industry.createSourceSystemDefinitionFromDiscriminatorValue,
  );
  check("source system with two rules", system.id && system.userMatchingSettings.length === 2, system);
  const connector = await client.post(
    `${at}/dataConnectors`,
    {
      odataType: `${TYPE}azureDataLakeConnector`,
      displayName: "CSV",
      additionalData: { "sourceSystem@odata.bind": `${client.root}/sourceSystems('${system.id}')` },
    },
    industry.serializeAzureDataLakeConnector,
    industry.createIndustryDataConnectorFromDiscriminatorValue,
  );
  check("connector comes back as its own type", connector.fileFormat?.code === "schoolDataSyncV2Rev1", connector);
  const year = await client.post(
    `${at}/years`,
    { displayName: "2026-2027", startDate: DateOnly.parse("2026-08-01"), endDate: DateOnly.parse("2027-07-31"), year: { code: "2027" } },
    industry.serializeYearTimePeriodDefinition,
    industry.createYearTimePeriodDefinitionFromDiscriminatorValue,
  );
  check("year", year.endDate.toString() === "2027-07-31" && year.year.code === "2027", year);
  const flow = await client.post(
    `${at}/inboundFlows`,
    {
      odataType: `${TYPE}inboundFileFlow`,
      displayName: "Nightly",
      dataDomain: industry.InboundDomainObject.EducationRostering,
      effectiveDateTime: new Date("2026-08-01T00:00:00Z"),
      additionalData: {
        "dataConnector@odata.bind": `${client.root}/dataConnectors('${connector.id}')`,
        "year@odata.bind": `${client.root}/years('${year.id}')`,
      },
    },
    industry.serializeInboundFileFlow,
    industry.createInboundFlowFromDiscriminatorValue,
  );
  check("inbound flow comes back as its own type", flow.odataType === `${TYPE}inboundFileFlow` && flow.dataDomain, flow);
  const readInbound = () => client.get(`${at}/inboundFlows/${flow.id}`, industry.createInboundFlowFromDiscriminatorValue);
  await until("inbound flow", readInbound, (f) => f.readinessStatus === industry.ReadinessStatusObject.Ready);
  check("inbound flow is ready", true);

  // The upload session is in no SDK.
  const bearer = { headers: { Authorization: `Bearer ${token}` } };
  const opening = `${client.root}/dataConnectors/${connector.id}/microsoft.graph.industryData.azureDataLakeConnector/getUploadSession`;
  const session = new URL((await (await fetch(opening, bearer)).json()).sessionUrl);
  for (const [name, text] of Object.entries(FILES)) {
    const url = `${session.origin}${session.pathname}/${name}${session.search}`;
    const put = await fetch(url, { method: "PUT", body: text, headers: { "x-ms-blob-type": "BlockBlob" } });
    check(`${name} uploaded`, put.status === 201, await put.text());
  }
  await client.act(`${at}/dataConnectors/${connector.id}/microsoft.graph.industryData.validate`);
  const operations = () => client.get(`${at}/operations`, graph.createLongRunningOperationCollectionResponseFromDiscriminatorValue);
  const done = await until("validation", operations, (o) => o.value[0]?.status === "succeeded");
  const [operation] = done.value;
  check("validation is a fileValidateOperation", operation.odataType === `${TYPE}fileValidateOperation`, operation);
  check("… without errors", operation.errors.length === 0 && operation.validatedFiles.length === 3, operation);

  const sets = `${at}/outboundProvisioningFlowSets`;
  const set = await client.post(
    sets,
    { displayName: "Everywhere" },
    industry.serializeOutboundProvisioningFlowSet,
    industry.createOutboundProvisioningFlowSetFromDiscriminatorValue,
  );
  const flows = `${sets}/${set.id}/provisioningFlows`;
  const provisioning = industry.createProvisioningFlowFromDiscriminatorValue;
  const security = await client.post(
    flows,
    {
      odataType: `${TYPE}securityGroupProvisioningFlow`,
      creationOptions: { createBasedOnRoleGroup: true, createBasedOnOrgPlusRoleGroup: false },
    },
    industry.serializeSecurityGroupProvisioningFlow,
    provisioning,
  );
  check("security group flow comes back as its own type", security.creationOptions?.createBasedOnRoleGroup === true, security);
  const ready = (f) => f.readinessStatus === industry.ReadinessStatusObject.Ready;
  const fetched = await until("security group flow", () => client.get(`${flows}/${security.id}`, provisioning), ready);

  // The call of the mission: what was fetched, changed and sent back.
  fetched.creationOptions.createBasedOnOrgPlusRoleGroup = true;
  const patched = await client.patch(`${flows}/${security.id}`, fetched, industry.serializeSecurityGroupProvisioningFlow, provisioning);
  check("PATCH answers 200 with the object", patched?.creationOptions?.createBasedOnOrgPlusRoleGroup === true, patched);
  check("… and its times", patched.createdDateTime.getTime() === fetched.createdDateTime.getTime(), patched);
  const short = await client.patch("securityGroupProvisioningFlow", fetched, industry.serializeSecurityGroupProvisioningFlow, provisioning);
  check("PATCH /securityGroupProvisioningFlow answers the same flow", short.id === security.id, short);

  await client.act(`${at}/runs/microsoft.graph.industryData.start`);
  const newest = () => client.get(`${at}/runs`, industry.createIndustryDataRunCollectionResponseFromDiscriminatorValue);
  const [run] = (await until("run", newest, (runs) => runs.value[0]?.endDateTime)).value;
  check("the run completed", run.status === industry.IndustryDataRunStatusObject.Completed, run);
  const listed = await client.get("groups", graph.createGroupCollectionResponseFromDiscriminatorValue);
  const names = listed.value.map((group) => group.displayName).sort();
  const wanted = ["All Staff", "All Students"].concat(["Staff", "Students"].flatMap((g) => [`${g} - North School`, `${g} - South School`]));
  check("the groups came into being", JSON.stringify(names) === JSON.stringify(wanted.sort()), names);
  const statistics = await client.get(
    `${at}/runs/${run.id}/microsoft.graph.industryData.getStatistics()`,
    industry.createIndustryDataRunStatisticsFromDiscriminatorValue,
  );
  check("statistics of the run", statistics.runId === run.id && statistics.inboundTotals.people === 5, statistics);
  const matched = statistics.inboundTotals.matchedPeopleByRole.reduce((sum, role) => sum + role.count, 0);
  check("everybody matched", matched === 5, statistics);

  const rows = industry.createReferenceDefinitionCollectionResponseFromDiscriminatorValue;
  const seen = new Set();
  const add = (row) => !!seen.add(row.id);
  const first = await client.get(`${at}/referenceDefinitions`, rows);
  await new PageIterator(client.adapter, first, add, rows, ERRORS).iterate();
  check("PageIterator sees the rows of more than two pages", seen.size > 200, seen.size);

  try {
    await client.get(`${at}/years/nowhere`, industry.createYearTimePeriodDefinitionFromDiscriminatorValue);
    check("what is not there is refused", false);
  } catch (error) {
    check("404 as ODataError", error.responseStatusCode === 404 && error.errorEscaped?.code === "NotFound", error);
  }
}

await witness(mainJob);
