// Upserts members, pages through all of them, and handles an error by its code.
//
//   MEMBERBASE_URL=http://127.0.0.1:8080 MEMBERBASE_TOKEN=... npm start
import assert from "node:assert/strict";
import { ClientError, GraphQLClient } from "graphql-request";
import { graphql } from "./gql";
import type { MembersPageQuery } from "./gql/graphql";

const { MEMBERBASE_URL = "http://127.0.0.1:8080", MEMBERBASE_TOKEN } = process.env;
assert(MEMBERBASE_TOKEN, "MEMBERBASE_TOKEN is not set");

const client = new GraphQLClient(`${MEMBERBASE_URL}/graphql`, {
  headers: { authorization: `Bearer ${MEMBERBASE_TOKEN}` },
});

// The generator reads these documents and knows the types of their variables and answers.
const CreateMemberbase = graphql(`
  mutation CreateMemberbase($name: String!) {
    createMemberbase(input: { name: $name }) {
      memberbase {
        id
      }
    }
  }
`);

const UpsertMembers = graphql(`
  mutation UpsertMembers($input: BulkUpsertMembersInput!) {
    bulkUpsertMembers(input: $input) {
      results {
        index
        ref
        memberId
        outcome
        error {
          code
          message
        }
      }
      summary {
        created
        failed
      }
    }
  }
`);

const MembersPage = graphql(`
  query MembersPage($memberbaseId: ID!, $after: String) {
    members(memberbaseId: $memberbaseId, first: 10, after: $after, orderBy: { field: REF }) {
      nodes {
        id
        ref
        createdAt
        attributes
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

const DeleteMembers = graphql(`
  mutation DeleteMembers($input: DeleteMembersInput!) {
    deleteMembers(input: $input) {
      deletedMemberIds
    }
  }
`);

const DeleteMemberbase = graphql(`
  mutation DeleteMemberbase($id: ID!) {
    deleteMemberbase(input: { memberbaseId: $id }) {
      deleted {
        members
      }
    }
  }
`);

/** The code of an error's first entry, or undefined for what the server did not answer. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof ClientError)) return undefined;
  return error.response.errors?.[0]?.extensions?.code as string | undefined;
}

/** Every member of a memberbase, page by page. */
async function* allMembers(memberbaseId: string) {
  let after: string | null = null;
  for (;;) {
    const { members }: MembersPageQuery = await client.request(MembersPage, { memberbaseId, after });
    assert(members);
    yield* members.nodes;
    if (!members.pageInfo.hasNextPage) return;
    after = members.pageInfo.endCursor;
  }
}

const { createMemberbase } = await client.request(CreateMemberbase, { name: `graphql-request ${Date.now()}` });
assert(createMemberbase);
const memberbaseId = createMemberbase.memberbase.id;

// Upsert: one outcome for each row. The empty ref is bad; SKIP_FAILED stores the others all the same.
const refs = Array.from({ length: 25 }, (_, number) => `reader-${number}`);
const { bulkUpsertMembers } = await client.request(UpsertMembers, {
  input: {
    memberbaseId,
    members: [...refs, ""].map((ref) => ({ ref, sourceUpdatedAt: "2026-01-31T12:00:00Z" })),
    onError: "SKIP_FAILED",
  },
});
assert(bulkUpsertMembers);
for (const { index, ref, memberId, outcome, error } of bulkUpsertMembers.results) {
  console.log(`row ${index}: ${outcome} ${error ? `${error.code}, ${error.message}` : `${ref} is ${memberId}`}`);
}
assert.equal(bulkUpsertMembers.summary.created, refs.length);
assert.equal(bulkUpsertMembers.summary.failed, 1);

// Page through everything: each member once.
const seen: string[] = [];
for await (const member of allMembers(memberbaseId)) {
  seen.push(member.ref);
}
console.log(`paged through ${seen.length} members`);
assert.deepEqual(seen, [...refs].sort());

// Handle an error by its code. The guard `atMost` keeps a wrong list from deleting too much.
try {
  await client.request(DeleteMembers, { input: { memberbaseId, refs, atMost: 1 } });
  assert.fail("atMost did not hold");
} catch (error) {
  switch (codeOf(error)) {
    case "LIMIT_EXCEEDED":
      console.log("more members than expected would go: nothing was deleted");
      break;
    default:
      throw error;
  }
}

const { deleteMemberbase } = await client.request(DeleteMemberbase, { id: memberbaseId });
console.log(`deleted the memberbase and its ${deleteMemberbase?.deleted.members} members`);
