// What the JavaScript witnesses share: a server of their own, and checks that count.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export const DOMAIN = "contoso.example";

let checks = 0;

/** One check; the first that does not hold ends the witness. */
export function check(what, holds, seen) {
  if (!holds) throw new Error(`FAILED: ${what}: ${JSON.stringify(seen)}`);
  checks += 1;
  console.log(`  ok  ${what}`);
}

/** Asks until the answer is as wanted. */
export async function until(what, look, wanted) {
  let answer;
  for (let i = 0; i < 200; i++) {
    answer = await look();
    if (wanted(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`FAILED: ${what} did not come: ${JSON.stringify(answer)}`);
}

/** A token by client credentials. */
export async function signIn(base, tenant, app) {
  const form = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: app.clientId,
    client_secret: app.clientSecret,
    scope: "https://graph.microsoft.com/.default",
  });
  return (await (await fetch(`${base}/${tenant}/oauth2/v2.0/token`, { method: "POST", body: form })).json()).access_token;
}

/** Serves on a fresh data directory and lets `job(base, tenant, app)` look at it. */
export async function witness(job) {
  const program = process.argv[2];
  const dataDir = mkdtempSync(join(tmpdir(), "homeroom-"));
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("HOMEROOM_"));
  const env = { ...Object.fromEntries(own), HOMEROOM_DATA_DIR: dataDir };
  const homeroom = (...words) => JSON.parse(execFileSync(program, [...words, "--json"], { env }));
  const tenant = homeroom("tenant", "create", "--name", "Contoso", "--domain", DOMAIN);
  const app = homeroom("app", "create", "--tenant", tenant.id, "--name", "witness", "--all-permissions");
  const serving = spawn(program, ["serve", "--listen", "127.0.0.1:0"], { env, stdio: ["ignore", "pipe", "ignore"] });
  const ended = new Promise((resolve) => serving.once("exit", resolve));
  try {
    const base = await new Promise((resolve, reject) => {
      serving.once("exit", () => reject(new Error("the server did not start")));
      createInterface(serving.stdout).on("line", (line) => {
        const found = line.match(/^listening on (http:\S+)/);
        if (found) resolve(found[1]);
      });
    });
    await job(base, tenant.id, app);
    console.log(`${checks} checks passed`);
  } catch (error) {
    console.error(error.message ?? error);
    process.exitCode = 1;
  } finally {
    serving.kill();
    await ended;
    rmSync(dataDir, { recursive: true, force: true });
  }
}
