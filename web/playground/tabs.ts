// The tabs that the page opens with. In order, they work on an empty server.

import { PLACEHOLDER } from "./ids";

export interface Tab {
  query: string;
  variables: string;
}

const memberbaseId = PLACEHOLDER.memberbase;
const memberId = PLACEHOLDER.member;

export const TABS: [Tab, ...Tab[]] = [
  tab(
    { name: "Readers" },
    `# 1. A memberbase holds members. The id of this one goes into the
#    variables of the tabs that follow.
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
  ),
  tab(
    { memberbaseId, members: [{ ref: "ann" }, { ref: "ben" }, { ref: "cem" }] },
    `# 2. Three members, each known by its ref, your own key for it.
#    Run it again: nothing changes, and the ids stay the same.
mutation UpsertMembers($memberbaseId: ID!, $members: [MemberInput!]!) {
  bulkUpsertMembers(
    input: { memberbaseId: $memberbaseId, members: $members }
  ) {
    memberIds
    results {
      index
      ref
      outcome
      error {
        code
        message
        path
      }
    }
    summary {
      created
      updated
      unchanged
    }
  }
}
`,
  ),
  tab(
    { memberId },
    `# 3. One member, by id. By ref it is
#    by: { ref: { memberbaseId: "mb_...", ref: "ann" } }
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
  ),
  tab(
    { memberbaseId, after: null },
    `# 4. Two members a page. The endCursor of one page is the after of the
#    next, and is filled in: run it again to turn the page.
query PageMembers($memberbaseId: ID!, $after: String) {
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
  ),
  tab(
    { memberbaseId, filter: { or: [{ ref: { startsWith: "b" } }, { ref: { in: ["cem", "zoe"] } }] } },
    `# 5. Filters combine with and, or, not.
query FilterMembers($memberbaseId: ID!, $filter: MemberFilter) {
  members(memberbaseId: $memberbaseId, filter: $filter) {
    nodes {
      id
      ref
      updatedAt
    }
  }
}
`,
  ),
  tab(
    { memberbaseId, refs: ["ann", "zoe"], atMost: 1 },
    `# 6. Gone, with everything of its own. Where more members than atMost
#    would go, nothing is deleted. Add dryRun: true to see first.
mutation DeleteMembers($memberbaseId: ID!, $refs: [String!]!, $atMost: Count) {
  deleteMembers(
    input: { memberbaseId: $memberbaseId, refs: $refs, atMost: $atMost }
  ) {
    deletedMemberIds
    notFoundRefs
    deleted {
      members
    }
  }
}
`,
  ),
];

function tab(variables: object, query: string): Tab {
  return { query, variables: JSON.stringify(variables, null, 2) };
}
