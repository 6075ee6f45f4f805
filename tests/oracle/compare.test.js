// Checks that the comparison notices what it is for, on responses that are made wrong.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { GraphQLError } from "graphql";
import { Oracle } from "./oracle.js";
import { Reference } from "./reference.js";

const MEMBERBASE = { __typename: "Memberbase", id: "mb_1", name: "one", createdAt: "2024-01-01T00:00:00Z" };
const reference = new Reference(await readFile(new URL("../../schema.graphql", import.meta.url), "utf8"));
const query = reference.schema.getQueryType().getFields();
query.memberbase.resolve = () => MEMBERBASE;
query.memberbases.resolve = () => {
  throw new GraphQLError("failed", { extensions: { code: "NOT_FOUND" } });
};
const DOCUMENT = `query Q($no: Boolean = false) {
  memberbase(id: "x") { name ... on Node { id } name @skip(if: $no) }
  memberbases { totalCount }
}`;
const DATA = { memberbase: { name: "one", id: "mb_1" }, memberbases: null };
const ERROR = {
  message: "?",
  path: ["memberbases"],
  locations: [{ line: 3, column: 3 }],
  extensions: { code: "NOT_FOUND" },
};

/** Returns the kind of disagreement if the server responds this. */
async function kindOf(response, request = {}) {
  const server = { send: async () => response };
  const oracle = new Oracle(reference, server, { admin: "a", reader: "r" });
  return (await oracle.ask({ document: DOCUMENT, variables: "{}", operationName: null, ...request })).kind;
}

function requestError(code, line, column) {
  return { errors: [{ message: "?", locations: [{ line, column }], extensions: { code } }] };
}

test("an equal response is no disagreement", async () => {
  assert.equal(await kindOf({ data: DATA, errors: [ERROR] }), null);
});

const WRONG_RESPONSES = {
  "another value": { data: { ...DATA, memberbase: { name: "two", id: "mb_1" } }, errors: [ERROR] },
  "another order of keys": { data: { ...DATA, memberbase: { id: "mb_1", name: "one" } }, errors: [ERROR] },
  "a key that is missing": { data: { ...DATA, memberbase: { name: "one" } }, errors: [ERROR] },
  "a key too many": { data: { ...DATA, memberbase: { name: "one", id: "mb_1", more: 1 } }, errors: [ERROR] },
  "null instead of an object": { data: { ...DATA, memberbase: null }, errors: [ERROR] },
  "data that is null": { data: null, errors: [ERROR] },
  "an error that is missing": { data: DATA },
  "an error too many": { data: DATA, errors: [ERROR, { ...ERROR, path: ["memberbase", "name"] }] },
  "an error with another code": { data: DATA, errors: [{ ...ERROR, extensions: { code: "FORBIDDEN" } }] },
  "an error with another path": { data: DATA, errors: [{ ...ERROR, path: ["memberbases", "totalCount"] }] },
  "an error at another place": { data: DATA, errors: [{ ...ERROR, locations: [{ line: 3, column: 4 }] }] },
  "a syntax error": requestError("GRAPHQL_PARSE_FAILED", 1, 1),
  "a validation error": requestError("GRAPHQL_VALIDATION_FAILED", 1, 1),
  "an error of a variable": requestError("BAD_USER_INPUT", 1, 9),
  "a failure of the server": requestError("INTERNAL_SERVER_ERROR", 1, 1),
};

for (const [name, response] of Object.entries(WRONG_RESPONSES)) {
  test(`${name} is a disagreement`, async () => {
    assert.notEqual(await kindOf(response), null);
  });
}

const REJECTED = [
  { document: "{ memberbase(id: ) { id } }", code: "GRAPHQL_PARSE_FAILED", at: [1, 18] },
  { document: "{ memberbase(id: 1.5) { id } }", code: "GRAPHQL_VALIDATION_FAILED", at: [1, 18] },
  { document: "query A { __typename } query B { __typename }", code: "GRAPHQL_VALIDATION_FAILED", at: [1, 1] },
  { document: "query ($v: ID!) { memberbase(id: $v) { id } }", code: "BAD_USER_INPUT", at: [1, 8] },
];

for (const {
  document,
  code,
  at: [line, column],
} of REJECTED) {
  test(`${document} is rejected with ${code} at its place only`, async () => {
    const request = { document };
    assert.equal(await kindOf(requestError(code, line, column), request), null);
    for (const other of ["GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"]) {
      if (other !== code) assert.notEqual(await kindOf(requestError(other, line, column), request), null, other);
    }
    assert.notEqual(await kindOf({ data: {} }, request), null);
    // A syntax error may be at the beginning of its token.
    const elsewhere = code === "GRAPHQL_PARSE_FAILED" ? column + 1 : 2;
    if (!document.startsWith("query A")) assert.notEqual(await kindOf(requestError(code, 1, elsewhere), request), null);
  });
}

test("columns may count UTF-16 units or characters", async () => {
  const request = { document: '{ memberbase(id: "\u{1F600}") { nope } }' };
  for (const column of [25, 26]) {
    assert.equal(await kindOf(requestError("GRAPHQL_VALIDATION_FAILED", 1, column), request), null);
  }
  assert.notEqual(await kindOf(requestError("GRAPHQL_VALIDATION_FAILED", 1, 30), request), null);
});
