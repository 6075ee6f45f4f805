// The tabs that the page opens with. In order, they work on an empty server.

import { PLACEHOLDER } from "./ids";

export interface Tab {
  query: string;
  variables: string;
}

const { memberbase, member } = PLACEHOLDER;

export const TABS: [Tab, ...Tab[]] = [
  {
    query: `# 1. A memberbase holds members. Its id goes
#    into the variables of the other tabs.
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
    query: `# 2. Three members. A ref is your own key.
#    Run it again: nothing changes.
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
    query: `# 3. One member, by its id. The other way is
#    { ref: { memberbaseId: …, ref: "ann" } }
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
    query: `# 4. Two members a page. The endCursor becomes
#    the next "after": run it again and turn
#    the page.
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
    query: `# 5. Filters combine with and, or and not.
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
    query: `# 6. Deletes. Where more than atMost would go,
#    nothing does. dryRun: true only tells.
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
