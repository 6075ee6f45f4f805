// An import or its dry run: the upload, its progress beside it, and its outcome.

import { ApiError } from "../api/error";
import { failure, isLast, upload, watch } from "./endpoint";
import { NO_TOTALS, type Failed, type ImportEvent, type Summary, type Totals } from "./events";
import type { Parameters } from "./parameters";
import { Rejects } from "./rejects";

/** Small files are imported before their progress is worth a request. */
const WATCH_DELAY_MS = 500;

/** Time limit for the outcome of an import whose upload was aborted or has lost its connection. */
const OUTCOME_TIMEOUT_MS = 5_000;

export interface Order {
  file: File;
  memberbaseId: string;
  /** Those of the file and of the import, without `memberbase` and `dryRun`. */
  parameters: Parameters;
  dryRun: boolean;
}

export interface State {
  phase: "running" | "ended";
  /** The user has pressed Stop, and the outcome is not known yet. */
  isStopping: boolean;
  totals: Totals;
  /** Seconds since the start; after the end, the server's duration. */
  seconds: number;
  /** Null while the import is running. */
  end: "complete" | "stopped" | "failed" | null;
  /** Of an import that has failed. */
  error: ApiError | null;
  /** Members that were deleted, or in a dry run would be. */
  deleted: number;
  /** The rejected rows that the server has reported. */
  rejects: Rejects;
}

export class Work {
  state: State = begun();
  readonly order: Order;
  /** The same after Continue, so that the server skips the rows that it has stored. */
  readonly #id = crypto.randomUUID();
  readonly #listeners = new Set<() => void>();
  #abort = new AbortController();
  #attempts = 0;
  #started = 0;
  #last: Summary | Failed | null = null;
  #isKilled = false;

  constructor(order: Order) {
    this.order = order;
    void this.#run();
  }

  subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  snapshot = () => this.state;

  /** Ends the upload. Rows that are stored are kept. */
  stop = () => {
    if (this.state.phase === "ended") return;
    this.#change({ isStopping: true });
    this.#abort.abort();
  };

  /** Ends the upload, of which no outcome is needed. */
  kill = () => {
    this.#isKilled = true;
    this.#abort.abort();
  };

  /** Sends the file again, after it was stopped or has failed. */
  resume = () => {
    if (this.state.phase === "running") return;
    this.#change(begun());
    void this.#run();
  };

  async #run() {
    this.#abort = new AbortController();
    this.#started = performance.now();
    this.#last = null;
    this.#attempts += 1;
    const watching = new AbortController();
    const timer = setTimeout(() => void this.#follow(watching.signal), WATCH_DELAY_MS);
    let error: ApiError | null = null;
    try {
      for await (const event of upload(this.#id, this.order.file, this.#parameters(), this.#abort.signal)) this.#take(event);
      if (!this.#last) throw new ApiError("the response was cut off", { code: "UNREACHABLE", retryable: true });
    } catch (cause) {
      error = toApiError(cause);
    }
    clearTimeout(timer);
    watching.abort();
    if (error?.retryable || this.#abort.signal.aborted) await this.#findOutcome();
    this.#end(error);
  }

  #parameters(): Parameters {
    const { memberbaseId, parameters, dryRun } = this.order;
    return [["memberbase", memberbaseId], ...parameters, ...(dryRun ? [["dryRun", "true"] as [string, string]] : [])];
  }

  /** Reads the progress while the file is sent. The response to the upload has the other events. */
  async #follow(signal: AbortSignal) {
    for await (const event of watch(this.#id, signal)) {
      if (signal.aborted) return;
      if (event.event === "progress") this.#take(event);
      // The server would receive the rest of the file for nothing. After Continue, the failure may be the previous one.
      if (event.event === "failed" && this.#attempts === 1) this.#abort.abort(failure(event));
    }
  }

  /** Reads all events of an import whose response is lost. */
  async #findOutcome() {
    if (this.#last || this.#isKilled) return;
    this.#change({ rejects: new Rejects() });
    for await (const event of watch(this.#id, AbortSignal.timeout(OUTCOME_TIMEOUT_MS))) {
      this.#take(event);
      if (isLast(event)) return;
    }
  }

  #take(event: ImportEvent) {
    if (event.event === "rejected") {
      this.state.rejects.add(event);
      return;
    }
    if (isLast(event)) this.#last = event;
    // A failure before the beginning has no totals.
    if ("rows" in event) this.#change({ totals: { ...NO_TOTALS, ...event } });
  }

  #end(error: ApiError | null) {
    const last = this.#last;
    const isStopped = this.state.isStopping;
    if (last?.event === "summary") {
      this.#change({ phase: "ended", end: "complete", deleted: last.deleted, seconds: last.seconds });
      return;
    }
    // To the server, a lost connection is an incomplete request.
    const isCutOff = error?.retryable === true && last?.code === "BAD_REQUEST";
    const reason = last && !isCutOff ? failure(last) : error;
    this.#change({ phase: "ended", end: isStopped ? "stopped" : "failed", error: isStopped ? null : reason });
  }

  #change(change: Partial<State>) {
    const seconds = (performance.now() - this.#started) / 1000;
    this.state = { ...this.state, seconds, ...change };
    this.#listeners.forEach((listener) => listener());
  }
}

function begun(): State {
  return {
    phase: "running",
    isStopping: false,
    totals: NO_TOTALS,
    seconds: 0,
    end: null,
    error: null,
    deleted: 0,
    rejects: new Rejects(),
  };
}

function toApiError(cause: unknown): ApiError {
  if (cause instanceof ApiError) return cause;
  return new ApiError(cause instanceof Error ? cause.message : String(cause), { code: "UNEXPECTED", cause });
}
