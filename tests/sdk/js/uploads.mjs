// Upload sessions, used by Microsoft's storage SDK for JavaScript (@azure/storage-blob) as it is.
//
// usage: node uploads.mjs PATH-OF-HOMEROOM PATH-OF-UPLOADS.MD
//
// `new ContainerClient(sessionUrl)` and nothing else, then all that its users do around an upload.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { ContainerClient } from "@azure/storage-blob";
import { check, signIn, witness } from "./homeroom.mjs";

const CSV = Buffer.from("sourcedId,name\n" + Array.from({ length: 20_000 }, (_, n) => `${n},School ${n}\n`).join(""));
const LARGE = Buffer.alloc(40 * 1024 * 1024, "sourcedId,name\n1,North School\n");

/** The bytes of a stream. */
async function bytes(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** One check: a call is refused with a status and a code. */
async function refused(what, status, code, call) {
  try {
    await call();
  } catch (error) {
    check(what, error.statusCode === status && error.code === code, { status: error.statusCode, code: error.code, error: String(error) });
    return;
  }
  check(what, false, "no error");
}

async function opened(base, token) {
  const root = `${base}/beta/external/industryData`;
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const post = async (path, body) => (await fetch(`${root}/${path}`, { method: "POST", headers, body: JSON.stringify(body) })).json();
  const source = await post("sourceSystems", { displayName: "SIS" });
  const connector = await post("dataConnectors", {
    "@odata.type": "#microsoft.graph.industryData.azureDataLakeConnector",
    displayName: "CSV",
    "sourceSystem@odata.bind": `${root}/sourceSystems/${source.id}`,
  });
  const at = `${root}/dataConnectors/${connector.id}/microsoft.graph.industryData.azureDataLakeConnector/getUploadSession`;
  return (await (await fetch(at, { headers })).json()).sessionUrl;
}

/** The script of docs/uploads.md, as its readers run it. */
async function documented(url, container) {
  const [, script] = readFileSync(process.argv[3], "utf8").match(/^```js\n(.*?)^```$/ms);
  // Beside this file, where the packages are.
  const program = join(import.meta.dirname, "documented.mjs");
  const folder = mkdtempSync(join(tmpdir(), "homeroom-"));
  try {
    writeFileSync(program, script);
    writeFileSync(join(folder, "orgs.csv"), CSV);
    const told = execFileSync(process.execPath, [program], { cwd: folder, env: { ...process.env, SESSION_URL: url } }).toString();
    check("the documented script lists what it has sent", told.includes(`orgs.csv ${CSV.length}`), told);
    check("… and has sent it", (await container.getBlockBlobClient("orgs.csv").downloadToBuffer()).equals(CSV));
  } finally {
    rmSync(folder, { recursive: true });
    rmSync(program);
  }
}

async function uploads(base, tenant, app) {
  const url = await opened(base, await signIn(base, tenant, app));
  const container = new ContainerClient(url);
  check("the container is there", (await container.exists()) && (await container.getProperties()));
  const blob = container.getBlockBlobClient("schools.csv");
  check("nothing is there at first", !(await blob.exists()));

  const metadata = { via: "witness" };
  const blobHTTPHeaders = { blobContentType: "text/csv", blobContentLanguage: "en" };
  const made = await blob.upload(CSV, CSV.length, { metadata, blobHTTPHeaders });
  check("a small file", made.etag && made.lastModified instanceof Date && made.requestId && made.version, made);
  const fresh = { conditions: { ifNoneMatch: "*" } };
  await refused("a file is not replaced unasked", 409, "BlobAlreadyExists", () => blob.upload("x", 1, fresh));
  const whole = await blob.download();
  check("its content in one answer", (await bytes(whole.readableStreamBody)).equals(CSV) && whole.contentType === "text/csv", whole);
  const part = await blob.download(15, 100);
  check("a range of it", (await bytes(part.readableStreamBody)).equals(CSV.subarray(15, 115)) && part.contentRange, part.contentRange);
  check("its content in parallel", (await blob.downloadToBuffer(0, undefined, { blockSize: 4096, concurrency: 8 })).equals(CSV));
  const seen = await blob.getProperties();
  const md5 = createHash("md5").update(CSV).digest();
  check("its properties", seen.contentLength === CSV.length && seen.etag === made.etag && seen.createdOn instanceof Date, seen);
  check("… its hash", md5.equals(seen.contentMD5), seen.contentMD5);
  check("… its metadata", seen.metadata.via === "witness" && seen.contentLanguage === "en" && seen.blobType === "BlockBlob", seen);
  await blob.setMetadata({ one: "1" });
  await blob.setHTTPHeaders({ blobContentType: "text/plain" });
  const changed = await blob.getProperties();
  check("other metadata and another type", changed.metadata.one === "1" && changed.contentType === "text/plain", changed);
  await refused("a change of what has changed is refused", 412, "ConditionNotMet", () => blob.upload("x", 1, { conditions: { ifMatch: made.etag } }));
  check("a change of what has not", await blob.upload("x", 1, { conditions: { ifMatch: changed.etag } }));
  await refused("what the reader has is not sent again", 304, undefined, async () => {
    const now = await blob.getProperties();
    await blob.download(0, undefined, { conditions: { ifNoneMatch: now.etag } });
  });

  // Blocks, by several at once, of a stream, and of the SDK's own sizes.
  const many = container.getBlockBlobClient("many.csv");
  await many.uploadData(CSV, { maxSingleShotSize: 1024, blockSize: 4096, concurrency: 8 });
  check("a file in many blocks at once", (await many.downloadToBuffer()).equals(CSV));
  const listed = await many.getBlockList("all");
  check("the list of its blocks", listed.committedBlocks.length === Math.ceil(CSV.length / 4096) && !listed.uncommittedBlocks?.length, listed);
  const streamed = container.getBlockBlobClient("streamed.csv");
  await streamed.uploadStream(Readable.from([CSV.subarray(0, 100_000), CSV.subarray(100_000)]), 8192, 4);
  check("a file from a stream", (await streamed.downloadToBuffer()).equals(CSV));
  const large = container.getBlockBlobClient("large.zip");
  await large.uploadData(LARGE, { maxSingleShotSize: 8 * 1024 * 1024, blockSize: 8 * 1024 * 1024, concurrency: 4 });
  check("40 MiB in blocks of 8", (await large.downloadToBuffer()).equals(LARGE));
  const single = container.getBlockBlobClient("single.zip");
  await single.uploadData(LARGE);
  check("40 MiB as the SDK does it", (await bytes((await single.download()).readableStreamBody)).equals(LARGE));
  const id = (number) => Buffer.from(String(number).padStart(6, "0")).toString("base64");
  const own = container.getBlockBlobClient("own.csv");
  await own.stageBlock(id(1), "one,", 4);
  await own.stageBlock(id(2), "two,", 4);
  await own.commitBlockList([id(2), id(1)]);
  await own.stageBlock(id(3), "three,", 6);
  await own.commitBlockList([id(1), id(3)]);
  check("blocks of one's own", (await own.downloadToBuffer()).toString() === "one,three,");
  await refused("a list with a block that is not there", 400, "InvalidBlockList", () => own.commitBlockList([id(9)]));

  // Content validated by CRC-64, on the way here and back.
  const contentChecksumAlgorithm = "StorageCrc64";
  const valid = container.getBlockBlobClient("valid.csv");
  await valid.upload(CSV, CSV.length, { contentChecksumAlgorithm });
  const checked = await valid.download(0, undefined, { contentChecksumAlgorithm });
  check("validated by CRC-64", (await bytes(checked.readableStreamBody)).equals(CSV));
  await valid.uploadData(CSV, { maxSingleShotSize: 1024, blockSize: 65_536, concurrency: 4, contentChecksumAlgorithm });
  check("… in blocks", (await valid.downloadToBuffer(0, undefined, { blockSize: 65_536, contentChecksumAlgorithm })).equals(CSV));

  // Lists.
  const names = [];
  for await (const entry of container.listBlobsFlat({ includeMetadata: true, prefix: "s" })) names.push(entry.name);
  check("the list of a prefix", JSON.stringify(names) === JSON.stringify(["schools.csv", "single.zip", "streamed.csv"]), names);
  const pages = [];
  for await (const page of container.listBlobsFlat().byPage({ maxPageSize: 2 })) pages.push(page.segment.blobItems.map((b) => b.name));
  check("… in pages", pages.length === 4 && pages.every((page) => page.length <= 2) && pages.flat().length === 7, pages);
  const kinds = [];
  for await (const entry of container.listBlobsByHierarchy("/")) kinds.push(entry.kind);
  check("… by hierarchy", kinds.length === 7 && kinds.every((kind) => kind === "blob"), kinds);

  await documented(url, container);

  // The end.
  check("deleted", (await blob.delete()) && !(await blob.exists()));
  check("deleted if it is there", (await blob.deleteIfExists()).succeeded === false);
  await refused("read after that", 404, "BlobNotFound", () => blob.download());
  check("made if it is not there", (await container.createIfNotExists()).succeeded === false);
  const wrong = new ContainerClient(url.replace("sig=", "sig=A")).getBlockBlobClient("a.csv");
  await refused("a signature that is none", 403, "AuthenticationFailed", () => wrong.upload("x", 1));
}

await witness(uploads);
