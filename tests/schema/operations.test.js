// Validates every operation in the documentation and examples against schema.graphql.
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildSchema, extendSchema, NoUndefinedVariablesRule, parse, specifiedRules, validate } from "graphql";
import { documentsOfTypeScript, files, operationsOfMarkdown, read, countOperationKeywords } from "./operations.js";

const schema = buildSchema(await read("schema.graphql"));

/** Returns the validation errors of a document. */
function validationErrors(text, withSchema = schema, rules = specifiedRules) {
  try {
    return validate(withSchema, parse(text), rules).map(({ message }) => message);
  } catch (error) {
    return [error.message];
  }
}

// Minimum number of operations, to notice if they are no longer found.
const minOperations = { "README.md": 11 };

for (const path of await files("", ".md")) {
  const text = await read(path);
  const operations = operationsOfMarkdown(text);
  if (operations.length === 0 && countOperationKeywords(text) === 0 && !(path in minOperations)) continue;
  test(`${path}: its ${operations.length} operations are valid`, () => {
    assert(operations.length >= (minOperations[path] ?? 1), `found only ${operations.length} operations`);
    assert(operations.length >= countOperationKeywords(text), "an operation has a form that is not found");
    for (const operation of operations) assert.deepEqual(validationErrors(operation), [], operation);
  });
}

// The directives of Relay that the example uses. Relay's compiler checks the variables of fragments.
const relay = extendSchema(
  schema,
  parse(`
    directive @argumentDefinitions(count: RelayArgument, cursor: RelayArgument) on FRAGMENT_DEFINITION
    directive @connection(key: String!) on FIELD
    directive @deleteRecord on FIELD
    directive @refetchable(queryName: String!) on FRAGMENT_DEFINITION
    input RelayArgument { type: String!, defaultValue: Int }
  `),
);
const examples = {
  "typescript-graphql-request": {},
  "typescript-apollo": {},
  "gql-tada": {},
  relay: { schema: relay, rules: specifiedRules.filter((rule) => rule !== NoUndefinedVariablesRule) },
  python: {},
  rust: {},
};

for (const [name, { schema: exampleSchema, rules }] of Object.entries(examples)) {
  test(`examples/${name}: its operations are valid`, async () => {
    const documents = [];
    for (const path of await files(`examples/${name}`, ".ts", ".graphql")) {
      const text = await read(path);
      documents.push(...(path.endsWith(".ts") ? documentsOfTypeScript(text) : [text]));
    }
    const allDocuments = documents.join("\n");
    assert(parse(allDocuments).definitions.length >= 5, "found fewer than five operations");
    assert.deepEqual(validationErrors(allDocuments, exampleSchema, rules), []);
  });
}

test("an invalid operation is found in each form", () => {
  const fence = "```";
  const markdown = `
${fence}sh
PAGE='query ($id: ID!) { memberbase(id: $id) { nam } }'
gql '{"query": "'"$PAGE"'", "variables": {"id": "'$MB'"}}'
gql '{
  "query": "{ member(by: {idd: \\"m_1\\"}) { id } }"
}'
${fence}

${fence}graphql
mutation { createMemberbase { memberbase { id } } }
${fence}
`;
  const operations = operationsOfMarkdown(markdown);
  assert.equal(operations.length, 3);
  assert.equal(countOperationKeywords(markdown), 2);
  for (const operation of operations) assert.notDeepEqual(validationErrors(operation), []);
});
