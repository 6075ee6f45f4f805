// An import or its dry run, wrapped in a sync if members that are not in the file are deleted.

import { ENDPOINT, request } from "../api/request";
import { graphql } from "../gql";
import * as session from "../session";
import { AbandonSync } from "../syncs/abandon-dialog";
import type { Job, Progress, Result } from "./run";
import { start, type Import } from "./runner";

const StartSync = graphql(`
  mutation StartSync($input: StartSyncInput!) {
    startSync(input: $input) {
      sync {
        id
      }
    }
  }
`);

const CommitSync = graphql(`
  mutation CommitSync($input: CommitSyncInput!) {
    commitSync(input: $input) {
      sync {
        id
        deleted {
          members
        }
      }
    }
  }
`);

const LookAtSync = graphql(`
  query LookAtSync($syncId: ID!, $memberbaseId: ID!) {
    sync(id: $syncId) {
      missing
    }
    members(memberbaseId: $memberbaseId, first: 0) {
      totalCount
    }
  }
`);

/** How long a request is tried again. */
const RETRY_FOR = 120_000;

/** What a commit would do. */
export interface Prospect {
  missing: number;
  members: number;
}

export interface State {
  /** `deciding`: all is stored, and whether the missing are deleted is for the person to say. */
  phase: "opening" | "running" | "closing" | "deciding" | "ended";
  /** Somebody asked it to end, and what is in flight is waited for. */
  isStopping: boolean;
  progress: Progress | null;
  result: Result | null;
  /** Of the sync; those of the rows are in the result. */
  error: unknown;
  prospect: Prospect | null;
  /** Members that are gone at the end. */
  deleted: number | null;
}

export type Order = Omit<Job, "server" | "syncId"> & { replaces: boolean };

export class Work {
  state: State = {
    phase: "opening",
    isStopping: false,
    progress: null,
    result: null,
    error: null,
    prospect: null,
    deleted: null,
  };
  readonly order: Order;
  readonly #listeners = new Set<() => void>();
  readonly #token = session.token();
  #import: Import | null = null;
  #syncId: string | null = null;
  #stopped = false;

  constructor(order: Order) {
    this.order = order;
    void this.#run();
  }

  subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  snapshot = () => this.state;

  /** Asks it to end. A sync that it opened is abandoned. */
  stop = () => {
    this.#stopped = true;
    this.#change({ isStopping: true });
    this.#import?.stop();
  };

  /** Ends it at once. */
  kill = () => {
    this.#stopped = true;
    this.#import?.kill();
  };

  /** Deletes who is missing, but no larger share of the members than was shown. */
  commit = () => this.#decide(true);

  /** Ends the sync, and deletes nobody. */
  keep = () => this.#decide(false);

  /** Counts once more who is missing. */
  look = async () => {
    const { memberbaseId } = this.order;
    if (this.#syncId === null) return;
    try {
      const { sync, members } = await request(LookAtSync, { syncId: this.#syncId, memberbaseId });
      if (!sync || !members) throw new Error("the sync no longer exists");
      this.#change({ prospect: { missing: sync.missing, members: members.totalCount }, error: null });
    } catch (error) {
      this.#change({ error });
    }
  };

  async #run() {
    const { replaces, ...job } = this.order;
    if (replaces) {
      try {
        const { startSync } = await request(StartSync, { input: { memberbaseId: job.memberbaseId } });
        this.#syncId = startSync?.sync.id ?? null;
      } catch (error) {
        this.#change({ phase: "ended", error });
        return;
      }
    }
    const server = { endpoint: ENDPOINT.href, token: this.#token, retryFor: RETRY_FOR };
    this.#import = start({ ...job, syncId: this.#syncId, server }, (progress) => this.#change({ progress }));
    if (this.#stopped) this.#import.stop();
    this.#change({ phase: "running" });
    const result = await this.#import.result;
    this.#change({ result, progress: result });
    if (this.#syncId === null) this.#change({ phase: "ended" });
    else await this.#close(result);
  }

  async #close({ end, ofNobody, read }: Result) {
    this.#change({ phase: "closing" });
    // A row that can't be attributed may be of any member that seems to be missing.
    if (end === "complete" && ofNobody === 0 && read > 0) await this.look();
    if (!this.order.dryRun && this.state.prospect) {
      if (this.state.prospect.missing > 0) this.#change({ phase: "deciding" });
      else await this.#decide(false);
      return;
    }
    await this.#abandon();
    this.#change({ phase: "ended" });
  }

  async #decide(deletes: boolean) {
    if (this.#syncId === null) return;
    const { missing = 0, members = 0 } = this.state.prospect ?? {};
    const shown = members === 0 ? 100 : Math.min(100, (100 * missing) / members + 1e-9);
    this.#change({ phase: "closing", error: null });
    try {
      const input = deletes
        ? { syncId: this.#syncId, onMissing: "DELETE" as const, maxDeletedPercent: shown }
        : { syncId: this.#syncId, onMissing: "KEEP" as const };
      const { commitSync } = await request(CommitSync, { input });
      this.#change({ phase: "ended", deleted: commitSync?.sync.deleted?.members ?? 0 });
    } catch (error) {
      this.#change({ phase: "deciding" });
      await this.look();
      this.#change({ error });
    }
  }

  async #abandon() {
    if (this.#syncId === null) return;
    try {
      await request(AbandonSync, { input: { syncId: this.#syncId } });
    } catch (error) {
      this.#change({ error });
    }
  }

  #change(change: Partial<State>) {
    this.state = { ...this.state, ...change };
    this.#listeners.forEach((listener) => listener());
  }
}
