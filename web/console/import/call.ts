// Sends idempotent GraphQL operations over HTTP, and retries them after transient failures.

import { post } from "../api/post";
import { Retries } from "./retries";

const REQUEST_TIMEOUT = 300_000;
const PASSING = [408, 429, 502, 503, 504];

export interface Server {
  endpoint: string;
  token: string;
  /** Milliseconds for which a call is tried again. */
  retryFor: number;
  fetch?: typeof fetch;
}

export interface Watch {
  /** Ends the waiting for another try. */
  stop: AbortSignal;
  /** Ends a request. */
  abort: AbortSignal;
  /** Hears why a call is tried again, and in how many milliseconds; null once it was answered. */
  notice: (why: string | null, wait: number) => void;
}

/** Why a call has no data. */
export class CallError extends Error {
  override readonly name = "CallError";
  readonly code: string;
  readonly traceId: string | null;
  /** Whether the same call may succeed later, and after how many milliseconds at the earliest. */
  readonly passing: boolean;
  readonly after: number;

  constructor(message: string, { code = "", traceId = null as string | null, passing = false, after = 0 } = {}) {
    super(message);
    this.code = code;
    this.traceId = traceId;
    this.passing = passing;
    this.after = after;
  }
}

/** The call was given up: somebody stopped it. */
export class Stopped extends Error {
  override readonly name = "Stopped";
}

/** The data of an operation. `body` is JSON. */
export async function call(server: Server, body: string, watch: Watch): Promise<unknown> {
  const retries = new Retries(server.retryFor);
  for (let tried = false; ; tried = true) {
    try {
      const data = await attempt(server, body, watch.abort);
      if (tried) watch.notice(null, 0);
      return data;
    } catch (error) {
      if (watch.abort.aborted) throw new Stopped();
      const wait = error instanceof CallError && error.passing ? retries.next(error.after) : null;
      if (wait === null) throw error;
      watch.notice((error as CallError).message, wait);
      await pause(wait, watch.stop);
    }
  }
}

async function attempt({ endpoint, token, fetch: send = fetch }: Server, body: string, abort: AbortSignal) {
  let response: Response;
  let text: string;
  try {
    response = await send(endpoint, post(token, body, AbortSignal.any([abort, AbortSignal.timeout(REQUEST_TIMEOUT)])));
    text = await response.text();
  } catch (error) {
    const late = error instanceof DOMException && error.name === "TimeoutError";
    throw new CallError(late ? "the server did not respond in time" : "the server can't be reached", { passing: true });
  }
  return judge(response, text);
}

interface WireError {
  message: string;
  extensions?: { code?: string; retryable?: boolean; traceId?: string };
}

function judge(response: Response, text: string): unknown {
  // Seconds; a date is not worth a clock that may differ.
  const after = 1000 * (Number.parseInt(response.headers.get("Retry-After") ?? "", 10) || 0);
  const answer = parse(text);
  if (answer?.errors?.length) {
    const passing = answer.errors.every(({ extensions }) => extensions?.retryable === true);
    const told = answer.errors.find(({ extensions }) => passing || extensions?.retryable !== true) as WireError;
    const { code = "", traceId = null } = told.extensions ?? {};
    throw new CallError(told.message, { code, traceId, passing, after });
  }
  if (answer?.data) return answer.data;
  // Something before the server answers in its place.
  const code = response.status === 413 ? "PAYLOAD_TOO_LARGE" : "";
  const message = `the server returned HTTP status ${response.status} ${response.statusText}`.trim();
  throw new CallError(message, { code, passing: PASSING.includes(response.status), after });
}

function parse(text: string): { data?: unknown; errors?: WireError[] } | null {
  try {
    return JSON.parse(text) as { data?: unknown; errors?: WireError[] } | null;
  } catch {
    return null;
  }
}

function pause(wait: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const ended = () => {
      clearTimeout(timer);
      reject(new Stopped());
    };
    const timer = setTimeout(() => {
      stop.removeEventListener("abort", ended);
      resolve();
    }, wait);
    if (stop.aborted) ended();
    else stop.addEventListener("abort", ended, { once: true });
  });
}
