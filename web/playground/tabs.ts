// The default tabs. Run in order, they work on an empty server.

import { PLACEHOLDER } from "./known-values";

export interface Tab {
  query: string;
  variables: string;
}

const { memberbase, member } = PLACEHOLDER;

export const TABS: [Tab, ...Tab[]] = [
  {
    query: `# 1. Create a memberbase. Its id is
# filled into the next tabs.
mutation CreateMemberbase($name: String!) {
  createMemberbase(input: { name: $name }) {
    memberbase {
      id
      name
      createdAt
    }
  }
}
`,
    variables: `{
  "name": "Readers"
}`,
  },
  {
    query: `# 2. Upsert members by ref, your
# own key. Run again: UNCHANGED.
mutation UpsertMembers(
  $memberbaseId: ID!
  $members: [MemberInput!]!
) {
  bulkUpsertMembers(
    input: {
      memberbaseId: $memberbaseId
      members: $members
    }
  ) {
    memberIds
    results {
      ref
      outcome
    }
    summary {
      created
      unchanged
    }
  }
}
`,
    variables: `{
  "memberbaseId": "${memberbase}",
  "members": [
    { "ref": "ann" },
    { "ref": "ben" },
    { "ref": "cem" }
  ]
}`,
  },
  {
    query: `# 3. Read a member. By ref: { ref:
# { memberbaseId: …, ref: "ann" } }
query ReadMember($memberId: ID!) {
  member(by: { id: $memberId }) {
    id
    ref
    attributes
    createdAt
    updatedAt
  }
}
`,
    variables: `{
  "memberId": "${member}"
}`,
  },
  {
    query: `# 4. Read pages of two. Run again:
# $after moves to the next page.
query PageMembers(
  $memberbaseId: ID!
  $after: String
) {
  members(
    memberbaseId: $memberbaseId
    first: 2
    after: $after
    orderBy: { field: REF }
  ) {
    totalCount
    nodes {
      id
      ref
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
`,
    variables: `{
  "memberbaseId": "${memberbase}",
  "after": null
}`,
  },
  {
    query: `# 5. Filter members by conditions
# that combine with and, or, not.
query FilterMembers(
  $memberbaseId: ID!
  $filter: MemberFilter
) {
  members(
    memberbaseId: $memberbaseId
    filter: $filter
  ) {
    nodes {
      id
      ref
      updatedAt
    }
  }
}
`,
    variables: `{
  "memberbaseId": "${memberbase}",
  "filter": {
    "or": [
      { "ref": { "startsWith": "b" } },
      { "ref": { "in": ["cem", "zoe"] } }
    ]
  }
}`,
  },
  {
    query: `# 6. Delete members: none if more
# than atMost. dryRun previews it.
mutation DeleteMembers(
  $memberbaseId: ID!
  $refs: [String!]!
  $atMost: Count
) {
  deleteMembers(
    input: {
      memberbaseId: $memberbaseId
      refs: $refs
      atMost: $atMost
    }
  ) {
    deletedMemberIds
    notFoundRefs
    deleted {
      members
    }
  }
}
`,
    variables: `{
  "memberbaseId": "${memberbase}",
  "refs": ["ann", "zoe"],
  "atMost": 1
}`,
  },
];
