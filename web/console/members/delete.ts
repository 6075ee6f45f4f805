// The deletion of any number of members: who they are, what would go with them, and the deed.

import { ask } from "../api/ask";
import type { DeleteMembersMutation, MemberFilter } from "../gql/graphql";
import { DeleteMembers, IdsOfMembers } from "./documents";
import type { Chosen } from "./selection";

/** The largest page that a server answers by default. */
const PAGE = 5_000;
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
  let after: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof askForIds>> = await askForIds(memberbaseId, filter, after, signal);
    found.push(...page.nodes);
    after = page.pageInfo.hasNextPage ? (page.pageInfo.endCursor ?? null) : null;
    tell(found.length);
  } while (after);
  return found;
}

async function askForIds(memberbaseId: string, filter: MemberFilter | null, after: string | null, signal: AbortSignal) {
  const { members } = await ask(IdsOfMembers, { memberbaseId, filter, first: PAGE, after }, signal);
  return members!;
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
