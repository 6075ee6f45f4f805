// The tabs that the page opens with. In order, they work on an empty server.

import { PLACEHOLDER } from "./ids";

export interface Tab {
  query: string;
  variables: string;
}

const { memberbase, member } = PLACEHOLDER;

export const TABS: [Tab, ...Tab[]] = [
  {
    query: `# 1. A memberbase. Its id is filled
# into the tabs that follow.
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
    query: `# 2. Three members. The ref is your
# own key. Run it again: no change.
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
    query: `# 3. One member. By ref it is { ref:
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
    query: `# 4. Pages of two. Run it again: the
# endCursor is filled in as after.
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
    query: `# 5. Filters combine: and, or, not.
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
    query: `# 6. Nothing goes where more than
# atMost would. dryRun: true tells.
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
