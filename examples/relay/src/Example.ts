// Upserts members, pages through all of them by a @refetchable fragment with a @connection, and handles an error by its
// code. The documents are those of a React application; what hooks do there is done by relay-runtime here.
//
//   MEMBERBASE_URL=http://127.0.0.1:8080 MEMBERBASE_TOKEN=... npm start
import assert from "node:assert/strict";
import {
  commitMutation,
  createOperationDescriptor,
  fetchQuery,
  getRequest,
  graphql,
  type GraphQLTaggedNode,
  type MutationParameters,
} from "relay-runtime";
import type { ExampleCreateMutation } from "./__generated__/ExampleCreateMutation.graphql";
import type { ExampleDeleteMembersMutation } from "./__generated__/ExampleDeleteMembersMutation.graphql";
import type { ExampleDeleteMutation } from "./__generated__/ExampleDeleteMutation.graphql";
import type { ExampleQuery } from "./__generated__/ExampleQuery.graphql";
import type { ExampleUpsertMutation } from "./__generated__/ExampleUpsertMutation.graphql";
import { environment, MemberbaseError } from "./environment";
import { loadNext, readMemberList } from "./MemberList";

const CreateMutation = graphql`
  mutation ExampleCreateMutation($name: String!) {
    createMemberbase(input: { name: $name }) {
      memberbase {
        id
      }
    }
  }
`;

const UpsertMutation = graphql`
  mutation ExampleUpsertMutation($input: BulkUpsertMembersInput!) {
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
`;

const MembersQuery = graphql`
  query ExampleQuery($memberbaseId: ID!) {
    memberbase(id: $memberbaseId) {
      ...MemberList_memberbase
    }
  }
`;

const DeleteMembersMutation = graphql`
  mutation ExampleDeleteMembersMutation($input: DeleteMembersInput!) {
    deleteMembers(input: $input) {
      deletedMemberIds @deleteRecord
    }
  }
`;

const DeleteMutation = graphql`
  mutation ExampleDeleteMutation($memberbaseId: ID!) {
    deleteMemberbase(input: { memberbaseId: $memberbaseId }) {
      deletedMemberbaseId @deleteRecord
      deleted {
        members
      }
    }
  }
`;

/** A mutation as a promise. */
function mutate<M extends MutationParameters>(mutation: GraphQLTaggedNode, variables: M["variables"]) {
  return new Promise<M["response"]>((resolve, reject) => {
    commitMutation<M>(environment, { mutation, variables, onCompleted: resolve, onError: reject });
  });
}

async function main() {
  const { createMemberbase } = await mutate<ExampleCreateMutation>(CreateMutation, { name: `relay ${Date.now()}` });
  assert(createMemberbase);
  const memberbaseId = createMemberbase.memberbase.id;

  // Upsert: one outcome for each row. The empty ref is bad; SKIP_FAILED stores the others all the same. The first ref is
  // repeated: both of its rows have the id of the same member.
  const refs = Array.from({ length: 25 }, (_, number) => `reader-${number}`);
  const { bulkUpsertMembers } = await mutate<ExampleUpsertMutation>(UpsertMutation, {
    input: {
      memberbaseId,
      members: [...refs, refs[0]!, ""].map((ref) => ({ ref, sourceUpdatedAt: "2026-01-31T12:00:00Z" })),
      onError: "SKIP_FAILED",
    },
  });
  assert(bulkUpsertMembers);
  for (const { index, ref, memberId, outcome, error } of bulkUpsertMembers.results) {
    console.log(`row ${index}: ${outcome} ${error ? `${error.code}, ${error.message}` : `${ref} is ${memberId}`}`);
  }
  assert.equal(bulkUpsertMembers.summary.created, refs.length);
  assert.equal(bulkUpsertMembers.summary.failed, 1);

  // Relay stores an object under its `id`. A row has none, only a `memberId`, so that the rows of a member are two records.
  const row = bulkUpsertMembers.results[0]!;
  const repeated = bulkUpsertMembers.results[refs.length]!;
  assert.equal(repeated.memberId, row.memberId);
  assert.deepEqual([row.outcome, repeated.outcome], ["CREATED", "UNCHANGED"]);

  // Page through everything. What is retained stays in the store.
  const retained = environment.retain(createOperationDescriptor(getRequest(MembersQuery), { memberbaseId }));
  const data = await fetchQuery<ExampleQuery>(environment, MembersQuery, { memberbaseId }).toPromise();
  assert(data?.memberbase);
  let pages = 1;
  while (await loadNext(data.memberbase)) pages += 1;
  const seen = readMemberList(data.memberbase).members.edges.map(({ node }) => node.ref);
  console.log(`paged through ${seen.length} members on ${pages} pages`);
  assert.deepEqual(seen, [...refs].sort());

  // The record of a member has none of the fields of its rows.
  const member = environment.getStore().getSource().get(row.memberId!);
  assert.equal(member?.["ref"], row.ref);
  assert(!("outcome" in member));
  retained.dispose();

  // Handle an error by its code. The guard `atMost` keeps a wrong list from deleting too much.
  try {
    await mutate<ExampleDeleteMembersMutation>(DeleteMembersMutation, { input: { memberbaseId, refs, atMost: 1 } });
    assert.fail("atMost did not hold");
  } catch (error) {
    if (!(error instanceof MemberbaseError)) throw error;
    switch (error.code) {
      case "LIMIT_EXCEEDED":
        console.log("more members than expected would go: nothing was deleted");
        break;
      default:
        throw error;
    }
  }

  const { deleteMemberbase } = await mutate<ExampleDeleteMutation>(DeleteMutation, { memberbaseId });
  console.log(`deleted the memberbase and its ${deleteMemberbase?.deleted.members} members`);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
