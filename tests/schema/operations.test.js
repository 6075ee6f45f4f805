// Every operation in the documents and in the examples fits schema.graphql.
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildSchema, extendSchema, NoUndefinedVariablesRule, parse, specifiedRules, validate } from "graphql";
import { documentsOfTypeScript, files, operationsOfMarkdown, read, seemingOperations } from "./operations.js";

const schema = buildSchema(await read("schema.graphql"));

/** What is wrong with a document, in words. */
function faults(text, within = schema, rules = specifiedRules) {
  try {
    return validate(within, parse(text), rules).map(({ message }) => message);
  } catch (error) {
    return [error.message];
  }
}

// Fewer than there were when this was written are a sign that they are no longer found.
const atLeast = { "README.md": 11 };

for (const path of await files("", ".md")) {
  const text = await read(path);
  const operations = operationsOfMarkdown(text);
  if (operations.length === 0 && seemingOperations(text) === 0 && !(path in atLeast)) continue;
  test(`${path}: its ${operations.length} operations fit the schema`, () => {
    assert(operations.length >= (atLeast[path] ?? 1), `only ${operations.length} operations are found`);
    assert(operations.length >= seemingOperations(text), "there is an operation of a form that is not found");
    for (const operation of operations) assert.deepEqual(faults(operation), [], operation);
  });
}

// Of Relay's own language as much as the example uses. Its compiler checks the variables of fragments.
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
  relay: { within: relay, rules: specifiedRules.filter((rule) => rule !== NoUndefinedVariablesRule) },
  python: {},
  rust: {},
};

for (const [name, { within, rules }] of Object.entries(examples)) {
  test(`examples/${name}: its operations fit the schema`, async () => {
    const documents = [];
    for (const path of await files(`examples/${name}`, ".ts", ".graphql")) {
      const text = await read(path);
      documents.push(...(path.endsWith(".ts") ? documentsOfTypeScript(text) : [text]));
    }
    const whole = documents.join("\n");
    assert(parse(whole).definitions.length >= 5, "fewer than its five operations are found");
    assert.deepEqual(faults(whole, within, rules), []);
  });
}

test("an operation that does not fit is found, in each form", () => {
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
  assert.equal(seemingOperations(markdown), 2);
  for (const operation of operations) assert.notDeepEqual(faults(operation), []);
});
