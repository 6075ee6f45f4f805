// Runs an import: reads the file, sends its rows in batches and collects the outcomes. Running it again is safe: rows that are
// already stored are UNCHANGED.

import { call, CallError, Stopped, type Server, type Watch } from "./call";
import type { Columns } from "./columns";
import { Damaged } from "./damaged";
import type { Kind } from "./kind";
import { Lanes, type Batch, type Bounds } from "./lanes";
import { Rejects, type Reject } from "./rejects";
import { fault, type Fault, type Row } from "./row";
import { rows } from "./rows";

export type Mode = "UPSERT" | "INSERT_ONLY" | "UPDATE_ONLY";

export interface Job {
  file: Blob;
  kind: Kind;
  /** Of CSV. */
  columns: Columns | null;
  memberbaseId: string;
  mode: Mode;
  dryRun: boolean;
  /** The sync that the rows are part of. */
  syncId: string | null;
  /** How many rows are read at most. */
  maxRows: number;
  server: Server;
  bounds?: Partial<Bounds>;
}

export interface Outcomes {
  created: number;
  updated: number;
  unchanged: number;
  stale: number;
  skipped: number;
}

export interface Progress extends Outcomes {
  /** Bytes of the file, as it is on the disk. */
  bytes: number;
  size: number;
  /** Rows that were read, and those of them that are dealt with. */
  read: number;
  done: number;
  rejected: number;
  /** Of the rejected, those that can't be attributed to a member. */
  ofNobody: number;
  seconds: number;
  /** Why a request is tried again, while it is. */
  waiting: string | null;
}

export interface Problem {
  message: string;
  code: string;
  traceId: string | null;
}

export interface Result extends Progress {
  /** `limited`: the file goes on behind `maxRows`. */
  end: "complete" | "limited" | "stopped" | "failed";
  /** Of one that failed. */
  problem: Problem | null;
  /** The first of the rejected rows, and all of them as CSV. */
  rejects: readonly Reject[];
  rejectsFile: Blob;
}

const BOUNDS: Bounds = { lanes: 2, rows: 10_000, size: 4 << 20 };

/** How long what is in flight may take after a stop. */
const GRACE = 5_000;

const UPSERT = `mutation ImportMembers($input: BulkUpsertMembersInput!) {
  bulkUpsertMembers(input: $input) {
    results { index error { code message path } }
    summary { created updated unchanged stale skipped }
  }
}`;

interface Payload {
  bulkUpsertMembers: { results: { index: number; error: Fault | null }[]; summary: Outcomes };
}

/** Runs it. `tell` hears of its progress after each batch. Never throws: what went wrong is in the result. */
export async function run(job: Job, stop: AbortSignal, tell: (progress: Progress) => void): Promise<Result> {
  const running = new Running(job, stop, tell);
  return running.run();
}

class Running {
  readonly #job: Job;
  readonly #stop: AbortSignal;
  readonly #tell: (progress: Progress) => void;
  readonly #rejects = new Rejects();
  readonly #bounds: Bounds;
  readonly #abort = new AbortController();
  readonly #failed = new AbortController();
  readonly #began = performance.now();
  readonly #outcomes: Outcomes = { created: 0, updated: 0, unchanged: 0, stale: 0, skipped: 0 };
  /** Batches of more letters are not sent any more. */
  #tooLarge = Infinity;
  #bytes = 0;
  #read = 0;
  #done = 0;
  #waiting: string | null = null;

  constructor(job: Job, stop: AbortSignal, tell: (progress: Progress) => void) {
    this.#job = job;
    this.#stop = stop;
    this.#tell = tell;
    this.#bounds = { ...BOUNDS, ...job.bounds };
  }

  async run(): Promise<Result> {
    let end: Result["end"];
    let problem: Problem | null = null;
    let grace: ReturnType<typeof setTimeout> | undefined;
    const stopped = () => (grace = setTimeout(() => this.#abort.abort(), GRACE));
    this.#stop.addEventListener("abort", stopped, { once: true });
    if (this.#stop.aborted) stopped();
    try {
      end = await this.#all();
    } catch (error) {
      end = error instanceof Stopped && this.#stop.aborted ? "stopped" : "failed";
      if (end === "failed") problem = problemOf(this.#failed.signal.reason ?? error);
    }
    clearTimeout(grace);
    this.#stop.removeEventListener("abort", stopped);
    this.#waiting = null;
    return { ...this.#progress(), end, problem, rejects: this.#rejects.first, rejectsFile: this.#rejects.file() };
  }

  async #all(): Promise<"complete" | "limited"> {
    const { file, kind, columns, maxRows } = this.#job;
    const lanes = new Lanes(this.#bounds, (batch) => this.#send(batch));
    let end: "complete" | "limited" = "complete";
    const reading = rows(file, kind, columns, (bytes) => (this.#bytes += bytes));
    try {
      reading: for await (const piece of reading) {
        for (const row of piece) {
          if (this.#read === maxRows) {
            end = "limited";
            break reading;
          }
          this.#read += 1;
          const full = row.ref === null ? this.#reject(row, row.fault) : lanes.push(row);
          if (full) {
            await full;
            this.#checkStop();
          }
        }
        this.#checkStop();
      }
    } finally {
      // What is in flight is stored, whatever happened here: it counts.
      await lanes.end().catch(() => undefined);
    }
    this.#checkStop();
    return end;
  }

  #checkStop() {
    if (this.#failed.signal.aborted) throw this.#failed.signal.reason;
    if (this.#stop.aborted) throw new Stopped();
  }

  async #send(batch: Batch): Promise<void> {
    if (this.#stop.aborted || this.#failed.signal.aborted) return;
    if (batch.size > this.#tooLarge && batch.rows.length > 1) return this.#halve(batch);
    const watch: Watch = {
      stop: AbortSignal.any([this.#stop, this.#failed.signal]),
      abort: this.#abort.signal,
      notice: (why) => {
        this.#waiting = why;
        this.#tell(this.#progress());
      },
    };
    try {
      const data = (await call(this.#job.server, this.#body(batch), watch)) as Payload;
      this.#take(batch, data.bulkUpsertMembers);
    } catch (error) {
      const isTooLarge = error instanceof CallError && error.code === "PAYLOAD_TOO_LARGE";
      if (isTooLarge && batch.rows.length > 1) {
        this.#tooLarge = batch.size >> 1;
        this.#bounds.size = Math.max(1, Math.min(this.#bounds.size, this.#tooLarge));
        return this.#halve(batch);
      }
      if (!(error instanceof Stopped)) this.#failed.abort(error);
      throw error;
    }
    this.#tell(this.#progress());
  }

  /** Something before the server may take less than the server does. */
  async #halve({ rows }: Batch): Promise<void> {
    const middle = rows.length >> 1;
    for (const half of [rows.slice(0, middle), rows.slice(middle)]) {
      await this.#send({ rows: half, size: half.reduce((sum, row) => sum + row.json.length + 1, 0) });
    }
  }

  #body({ rows }: Batch): string {
    const { memberbaseId, mode, dryRun, syncId } = this.#job;
    const input = { memberbaseId, mode, dryRun, onError: "SKIP_FAILED", ...(syncId === null ? {} : { syncId }) };
    const members = rows.map(({ json }) => json).join(",");
    const fields = JSON.stringify(input).slice(0, -1);
    return `{"query":${JSON.stringify(UPSERT)},"variables":{"input":${fields},"members":[${members}]}}}`;
  }

  #take({ rows }: Batch, { results, summary }: Payload["bulkUpsertMembers"]) {
    for (const { index, error } of results) {
      const row = rows[index];
      // What shows without the API says more than what the API finds in its place.
      if (error && row) this.#reject(row, row.fault ?? error);
    }
    for (const name of Object.keys(this.#outcomes) as (keyof Outcomes)[]) this.#outcomes[name] += summary[name];
    this.#done += rows.length;
  }

  #reject({ line, ref, raw }: Row, why: Fault | null): null {
    this.#rejects.add({ line, ref, raw, fault: why ?? fault("INVALID_VALUE", "the row is not valid") });
    if (ref === null) this.#done += 1;
    return null;
  }

  #progress(): Progress {
    return {
      ...this.#outcomes,
      bytes: this.#bytes,
      size: this.#job.file.size,
      read: this.#read,
      done: this.#done,
      rejected: this.#rejects.count,
      ofNobody: this.#rejects.ofNobody,
      seconds: (performance.now() - this.#began) / 1000,
      waiting: this.#waiting,
    };
  }
}

function problemOf(error: unknown): Problem {
  if (error instanceof CallError) return { message: error.message, code: error.code, traceId: error.traceId };
  const message = error instanceof Error ? error.message : String(error);
  return { message, code: error instanceof Damaged ? "DAMAGED_FILE" : "", traceId: null };
}
