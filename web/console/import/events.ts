// The events of an import (docs/import.md), and how they are read from a response.

/** Numbers of rows so far, and of bytes of the file that the server has received. */
export interface Totals {
  rows: number;
  bytes: number;
  created: number;
  updated: number;
  unchanged: number;
  stale: number;
  skipped: number;
  rejected: number;
}

export const NO_TOTALS: Totals = {
  rows: 0,
  bytes: 0,
  created: 0,
  updated: 0,
  unchanged: 0,
  stale: 0,
  skipped: 0,
  rejected: 0,
};

/** Why a row, or one of its values, is rejected. */
export interface Fault {
  /** The name in the file of the column or field that has the value. */
  column?: string;
  code: string;
  message: string;
  path: string[];
}

export interface Rejected extends Fault {
  event: "rejected";
  line: number;
  ref?: string;
  /** Further errors of the row. */
  more?: Fault[];
  /** The member as it was read from the row, or else its cells or its text. */
  row?: unknown;
}

export interface Summary extends Totals {
  event: "summary";
  deleted: number;
  /** Whether some rejected rows have no event. */
  truncated: boolean;
  seconds: number;
}

/** The totals are missing if the import has not begun. */
export interface Failed extends Partial<Totals> {
  event: "failed";
  code: string;
  message: string;
  retryable: boolean;
  traceId: string;
  truncated?: boolean;
}

/** The server may send events of other types, which have no effect. */
export type ImportEvent = ({ event: "progress" } & Totals) | Rejected | Summary | Failed;

/** Yields the events of a response whose lines are JSON objects. */
export async function* ndjsonEvents(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<ImportEvent> {
  for await (const line of lines(body)) {
    if (line !== "") yield JSON.parse(line) as ImportEvent;
  }
}

/** Yields the events of a stream of server-sent events, each of which has its data in one line. */
export async function* serverSentEvents(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<ImportEvent> {
  for await (const line of lines(body)) {
    // Other lines are comments, which keep the connection open, and names of events.
    if (line.startsWith("data:")) yield JSON.parse(line.slice("data:".length)) as ImportEvent;
  }
}

async function* lines(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let held = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const parts = (held + decoder.decode(value, { stream: !done })).split(/\r?\n/);
      held = parts.pop() ?? "";
      yield* parts;
      if (done) break;
    }
    yield held;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
