// Upserts members, pages through all of them with Apollo's cache, and handles an error by its code.
//
//   MEMBERBASE_URL=http://127.0.0.1:8080 MEMBERBASE_TOKEN=... npm start
import assert from "node:assert/strict";
import { ApolloClient, CombinedGraphQLErrors, HttpLink, InMemoryCache } from "@apollo/client";
import { relayStylePagination } from "@apollo/client/utilities";
import { graphql } from "./gql";

const { MEMBERBASE_URL = "http://127.0.0.1:8080", MEMBERBASE_TOKEN } = process.env;
assert(MEMBERBASE_TOKEN, "MEMBERBASE_TOKEN is not set");

const client = new ApolloClient({
  link: new HttpLink({
    uri: `${MEMBERBASE_URL}/graphql`,
    headers: { authorization: `Bearer ${MEMBERBASE_TOKEN}` },
  }),
  cache: new InMemoryCache({
    typePolicies: {
      // One list for each set of these arguments; the pages of a list are joined. Ids are unique over all types, so
      // that the cache needs no more than this.
      Query: { fields: { members: relayStylePagination(["memberbaseId", "filter", "orderBy"]) } },
      Memberbase: { fields: { members: relayStylePagination(["filter", "orderBy"]) } },
    },
  }),
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

// What a row of a list shows. The fragment would stand beside the component that shows it.
graphql(`
  fragment MemberRow on Member {
    id
    ref
    createdAt
    attributes
  }
`);

// `edges` and not `nodes`: relayStylePagination joins edges.
const Members = graphql(`
  query Members($memberbaseId: ID!, $after: String) {
    members(memberbaseId: $memberbaseId, first: 10, after: $after, orderBy: { field: REF }) {
      edges {
        cursor
        node {
          ...MemberRow
        }
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

const created = await client.mutate({
  mutation: CreateMemberbase,
  variables: { name: `apollo ${Date.now()}` },
});
assert(created.data?.createMemberbase);
const memberbaseId = created.data.createMemberbase.memberbase.id;

// Upsert: one outcome for each row. The empty ref is bad; SKIP_FAILED stores the others all the same.
const refs = Array.from({ length: 25 }, (_, number) => `reader-${number}`);
const upserted = await client.mutate({
  mutation: UpsertMembers,
  variables: {
    input: {
      memberbaseId,
      members: [...refs, ""].map((ref) => ({ ref, sourceUpdatedAt: "2026-01-31T12:00:00Z" })),
      onError: "SKIP_FAILED",
    },
  },
});
assert(upserted.data?.bulkUpsertMembers);
const { results, summary } = upserted.data.bulkUpsertMembers;
for (const { index, ref, memberId, outcome, error } of results) {
  console.log(`row ${index}: ${outcome} ${error ? `${error.code}, ${error.message}` : `${ref} is ${memberId}`}`);
}
assert.equal(summary.created, refs.length);
assert.equal(summary.failed, 1);

// Page through everything: each fetchMore joins its page to the list in the cache, which grows for all who watch it.
const variables = { memberbaseId };
let page = (await client.query({ query: Members, variables })).data?.members;
const list = client.watchQuery({ query: Members, variables });
while (page?.pageInfo.hasNextPage) {
  page = (await list.fetchMore({ variables: { after: page.pageInfo.endCursor } })).data?.members;
}
const cached = client.readQuery({ query: Members, variables });
const seen = cached?.members?.edges.map(({ node }) => node.ref);
console.log(`paged through ${seen?.length} members`);
assert.deepEqual(seen, [...refs].sort());

// Handle an error by its code. The guard `atMost` keeps a wrong list from deleting too much.
try {
  await client.mutate({ mutation: DeleteMembers, variables: { input: { memberbaseId, refs, atMost: 1 } } });
  assert.fail("atMost did not hold");
} catch (error) {
  const code = CombinedGraphQLErrors.is(error) ? error.errors[0]?.extensions?.code : undefined;
  switch (code) {
    case "LIMIT_EXCEEDED":
      console.log("more members than expected would go: nothing was deleted");
      break;
    default:
      throw error;
  }
}

const deleted = await client.mutate({ mutation: DeleteMemberbase, variables: { id: memberbaseId } });
console.log(`deleted the memberbase and its ${deleted.data?.deleteMemberbase?.deleted.members} members`);
