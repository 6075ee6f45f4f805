// Compares the server with graphql-js: on the cases of cases.js, and on generated requests.
//
// MEMBERBASE_TEST_URL is the address of the server, MEMBERBASE_TEST_TOKEN an ADMIN token. ORACLE_SEED repeats a run, or
// with /NUMBER one request of it; ORACLE_SECONDS is the duration.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, test } from "node:test";
import { codes } from "./allowed.js";
import { CASES } from "./cases.js";
import { createData } from "./data.js";
import { Oracle } from "./oracle.js";
import { Reference } from "./reference.js";
import { Replay } from "./replay.js";
import { describe } from "./report.js";
import { search } from "./search.js";
import { Server } from "./server.js";

const { MEMBERBASE_TEST_URL: url, MEMBERBASE_TEST_TOKEN: admin } = process.env;
assert(url && admin, "set MEMBERBASE_TEST_URL and MEMBERBASE_TEST_TOKEN");
const seconds = Number(process.env.ORACLE_SECONDS || 60);
const maxRequests = Number(process.env.ORACLE_REQUESTS || Infinity);
const [seed, number] = (process.env.ORACLE_SEED || String(Date.now() % 1_000_000)).split("/");

const server = new Server(url, 6);
after(() => server.close());
const data = await createData(server, admin);
const reference = new Reference(await readFile(new URL("../../schema.graphql", import.meta.url), "utf8"));
new Replay(reference.schema, server);
const oracle = new Oracle(reference, server, data);

for (const { name, document, variables = {}, operationName = null, ...expected } of CASES) {
  test(name, async () => {
    const request = { document, variables: JSON.stringify(variables), operationName };
    const { kind, response } = await oracle.ask(request, admin);
    check(expected, response);
    assert.equal(kind, null);
  });
}

/** Asserts that a response is what its case says, independent of graphql-js. */
function check({ code, at, data, errors }, response) {
  if (code) {
    assert(!("data" in response), `executed: ${JSON.stringify(response)}`);
    assert.equal(codes(response)[0], code, JSON.stringify(response));
    if (at)
      assert.deepEqual(response.errors[0].locations?.[0], { line: at[0], column: at[1] }, JSON.stringify(response));
    return;
  }
  assert("data" in response, `refused: ${JSON.stringify(response)}`);
  if (errors) {
    assert.deepEqual(
      response.errors?.map(({ path, extensions }) => [path ?? null, extensions.code]),
      errors,
    );
  } else {
    assert.deepEqual(response.errors, undefined);
  }
  if (data) assert.equal(JSON.stringify(response.data), JSON.stringify(data));
}

test("the server and graphql-js agree on generated requests", async () => {
  const only = number === undefined ? undefined : Number(number);
  console.log(`ORACLE_SEED=${seed}`);
  const result = await search(oracle, reference.schema, data, { seed, only, seconds, maxRequests });
  console.log(describe(result, seed, seconds));
  assert.equal(result.kinds.length, 0, "the server and graphql-js disagree");
  const { requests, verdicts } = result.counts;
  const isMixed = Object.values(verdicts).every((count) => count > requests / 1000) && verdicts.executed > requests / 5;
  assert(only !== undefined || isMixed, "the generated requests are not the mix that they should be");
});
