// The deletion of any number of members: who they are, what would go with them, and the deed.

import { ask } from "../api/ask";
import { ApiError } from "../api/error";
import type {
  DeleteMembersMutation,
  IdsOfMembersQuery,
  IdsOfMembersQueryVariables,
  MemberFilter,
} from "../gql/graphql";
import { DeleteMembers, IdsOfMembers } from "./documents";
import type { Chosen } from "./selection";

/** The largest page that a server answers by default, and the default itself. */
const PAGE = { largest: 5_000, least: 100 };
/** A call is one transaction, and has to end in its time. */
const BATCH = 20_000;

type Rows = NonNullable<DeleteMembersMutation["deleteMembers"]>["deleted"];

export interface Batch {
  ids: string[];
  members: number;
}

/** All that match now, in the order of their creation. */
export async function collect(
  memberbaseId: string,
  filter: MemberFilter | null,
  signal: AbortSignal,
  tell: (found: number) => void,
): Promise<Chosen[]> {
  const found: Chosen[] = [];
  let first = PAGE.largest;
  let after: string | null = null;
  for (;;) {
    const part: Part | null = await askForIds({ memberbaseId, filter, first, after }, signal);
    if (!part) {
      first = Math.max(Math.floor(first / 5), PAGE.least);
      continue;
    }
    found.push(...part.nodes);
    tell(found.length);
    after = part.pageInfo.endCursor ?? null;
    if (!part.pageInfo.hasNextPage || !after) return found;
  }
}

type Part = NonNullable<IdsOfMembersQuery["members"]>;

/** Gives back nothing where the server's largest page may be a smaller one. */
async function askForIds(variables: IdsOfMembersQueryVariables & { first: number }, signal: AbortSignal) {
  try {
    return (await ask(IdsOfMembers, variables, signal)).members!;
  } catch (error) {
    const limited = error instanceof ApiError && ["BAD_USER_INPUT", "LIMIT_EXCEEDED"].includes(error.code);
    if (limited && variables.first > PAGE.least) return null;
    throw error;
  }
}

/** What would go, in all and in each call. */
export async function preview(memberbaseId: string, ids: string[], signal: AbortSignal) {
  const deleted: Rows = { members: 0, attributes: 0, clips: 0, stampCollections: 0, transactions: 0 };
  const batches: Batch[] = [];
  for (let at = 0; at < ids.length; at += BATCH) {
    const memberIds = ids.slice(at, at + BATCH);
    const answer = await ask(DeleteMembers, { input: { memberbaseId, memberIds, dryRun: true } }, signal);
    const rows = answer.deleteMembers!.deleted;
    for (const key of Object.keys(deleted) as (keyof Rows)[]) deleted[key] += rows[key];
    batches.push({ ids: memberIds, members: rows.members });
  }
  return { deleted, batches };
}

/** Each call deletes no more members than its preview told, or none. Gives back how many went. */
export async function remove(memberbaseId: string, batches: Batch[], tell: (gone: number) => void): Promise<number> {
  let gone = 0;
  for (const { ids, members } of batches) {
    const answer = await ask(DeleteMembers, { input: { memberbaseId, memberIds: ids, atMost: members } });
    gone += answer.deleteMembers!.deleted.members;
    tell(gone);
  }
  return gone;
}
