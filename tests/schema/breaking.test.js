import assert from "node:assert/strict";
import { test } from "node:test";
import { breakingChanges, declaredBreaks, undeclaredBreaks } from "./breaking.js";

const before = `
  type Query { member(id: ID!): Member }
  type Member { id: ID! ref: String! }
`;
const after = `
  type Query { member(id: ID!, at: String!): Member }
  type Member { id: ID! createdAt: String }
`;

function changelog(breaking) {
  return `# Changelog

## Unreleased

### Added

- \`Member.createdAt\` in place of \`Member.ref\`.

${breaking}

## 1.0.0

### Breaking

- \`Member.ref\`, \`Query.member.at\`: from an earlier release.
`;
}

test("a removed field and a new required argument are breaking, a new field is not", async () => {
  const paths = (await breakingChanges(before, after)).map(({ path }) => path);
  assert.deepEqual(paths.sort(), ["Member.ref", "Query.member.at"]);
  assert.deepEqual(await breakingChanges(before, before), []);
});

test("a breaking change has to be named under Unreleased, Breaking", async () => {
  const missing = async (breaking) =>
    (await undeclaredBreaks(before, after, changelog(breaking))).map(({ path }) => path).sort();
  assert.deepEqual(await missing(""), ["Member.ref", "Query.member.at"]);
  assert.deepEqual(await missing("### Breaking\n\n- `Member.ref` was removed."), ["Query.member.at"]);
  assert.deepEqual(await missing("### Breaking\n\n- `Member.ref` was removed, `Query.member.at` was added."), []);
});

test("without an Unreleased section no breaking changes are declared", () => {
  assert.deepEqual(declaredBreaks("# Changelog\n\n## 1.0.0\n\n### Breaking\n\n- `Member.ref`\n"), new Set());
});
