// Runs the server audits of graphql-http against a running server.
//
//   MEMBERBASE_TEST_URL=http://127.0.0.1:8080 MEMBERBASE_TEST_TOKEN=... node audit.js
//
// MUST and SHOULD audits have to pass; MAY audits are only reported.
import { readFile } from "node:fs/promises";
import { serverAudits } from "graphql-http";

const { MEMBERBASE_TEST_URL: server, MEMBERBASE_TEST_TOKEN: token } = process.env;
if (!server || !token) {
  console.error("usage: MEMBERBASE_TEST_URL=... MEMBERBASE_TEST_TOKEN=... node audit.js");
  process.exit(2);
}
const url = `${server}/graphql`;

function fetchAuthorized(input, init = {}) {
  const headers = new Headers(init.headers);
  headers.set("authorization", `Bearer ${token}`);
  return fetch(input, { ...init, headers, signal: AbortSignal.timeout(30_000) });
}

const counts = { ok: 0, notice: 0, warn: 0, error: 0 };
for (const audit of serverAudits({ url, fetchFn: fetchAuthorized })) {
  let result;
  try {
    result = await audit.fn();
  } catch (error) {
    // The suite throws if there is no result, for example without a connection or with a malformed response.
    result = { id: audit.id, name: audit.name, status: "error", reason: String(error.cause ?? error) };
  }
  counts[result.status] += 1;
  if (result.status !== "ok") {
    console.log(`${result.status.padEnd(6)} ${result.id} ${result.name}`);
    console.log(`       ${result.reason}`);
    if (result.response) {
      console.log(`       ${await describe(result.response)}`);
    }
  }
}

const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
const { version } = JSON.parse(await readFile(new URL("node_modules/graphql-http/package.json", import.meta.url)));
console.log(
  `GraphQL over HTTP: ${counts.ok} of ${total} audits of graphql-http ${version} ok, ` +
    `${counts.error} errors, ${counts.warn} warnings, ${counts.notice} notices`,
);
process.exitCode = total > 0 && counts.error === 0 && counts.warn === 0 ? 0 : 1;

async function describe(response) {
  let body = "(body already read)";
  if (!response.bodyUsed) {
    body = (await response.text()).slice(0, 300);
  }
  return `response: ${response.status} ${response.headers.get("content-type")} ${body}`;
}
