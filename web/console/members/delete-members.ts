// Deletes any number of members: collects their ids, previews the deletion, and deletes in batches.

import { request } from "../api/request";
import { ApiError } from "../api/error";
import type {
  DeleteMembersMutation,
  IdsOfMembersQuery,
  IdsOfMembersQueryVariables,
  MemberFilter,
} from "../gql/graphql";
import { DeleteMembers, IdsOfMembers } from "./documents";
import type { SelectedMember } from "./selection";

/** The server's default maximum page size, and its default page size. */
const PAGE_SIZE = { max: 5_000, min: 100 };
/** A call is one transaction, which must finish within the request timeout. */
const MAX_BATCH_IDS = 20_000;

type Counts = NonNullable<DeleteMembersMutation["deleteMembers"]>["deleted"];

export interface Batch {
  ids: string[];
  members: number;
}

/** Returns all members that match the filter, in the order of creation. */
export async function collect(
  memberbaseId: string,
  filter: MemberFilter | null,
  signal: AbortSignal,
  onProgress: (found: number) => void,
): Promise<SelectedMember[]> {
  const found: SelectedMember[] = [];
  let first = PAGE_SIZE.max;
  let after: string | null = null;
  for (;;) {
    const page: IdPage | null = await requestIdPage({ memberbaseId, filter, first, after }, signal);
    if (!page) {
      first = Math.max(Math.floor(first / 5), PAGE_SIZE.min);
      continue;
    }
    found.push(...page.nodes);
    onProgress(found.length);
    after = page.pageInfo.endCursor ?? null;
    if (!page.pageInfo.hasNextPage || !after) return found;
  }
}

type IdPage = NonNullable<IdsOfMembersQuery["members"]>;

/** Returns null if the server may allow only smaller pages. */
async function requestIdPage(variables: IdsOfMembersQueryVariables & { first: number }, signal: AbortSignal) {
  try {
    return (await request(IdsOfMembers, variables, signal)).members!;
  } catch (error) {
    const limited = error instanceof ApiError && ["BAD_USER_INPUT", "LIMIT_EXCEEDED"].includes(error.code);
    if (limited && variables.first > PAGE_SIZE.min) return null;
    throw error;
  }
}

/** Returns what would be deleted, in total and per batch. */
export async function preview(memberbaseId: string, ids: string[], signal: AbortSignal) {
  const deleted: Counts = { members: 0, attributes: 0, clips: 0, stampCollections: 0, transactions: 0 };
  const batches: Batch[] = [];
  for (let at = 0; at < ids.length; at += MAX_BATCH_IDS) {
    const memberIds = ids.slice(at, at + MAX_BATCH_IDS);
    const payload = await request(DeleteMembers, { input: { memberbaseId, memberIds, dryRun: true } }, signal);
    const counts = payload.deleteMembers!.deleted;
    for (const key of Object.keys(deleted) as (keyof Counts)[]) deleted[key] += counts[key];
    batches.push({ ids: memberIds, members: counts.members });
  }
  return { deleted, batches };
}

/**
 * Deletes the batches and returns the number of deleted members. A call that would delete more members than its preview
 * deletes nothing.
 */
export async function remove(
  memberbaseId: string,
  batches: Batch[],
  onProgress: (deleted: number) => void,
): Promise<number> {
  let deleted = 0;
  for (const { ids, members } of batches) {
    const payload = await request(DeleteMembers, { input: { memberbaseId, memberIds: ids, atMost: members } });
    deleted += payload.deleteMembers!.deleted.members;
    onProgress(deleted);
  }
  return deleted;
}
