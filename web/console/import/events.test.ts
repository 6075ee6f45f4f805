import assert from "node:assert/strict";
import { test } from "node:test";

import { ndjsonEvents, serverSentEvents } from "./events";

/** Returns a body that arrives in pieces of this many bytes. */
function body(text: string, size: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  const bytes = new TextEncoder().encode(text);
  return new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
      controller.close();
    },
  });
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const REJECTED = { event: "rejected", line: 2, ref: "jörg", code: "A", message: "no\r\n", path: [] };
const FAILED = { event: "failed", code: "B", message: "b", retryable: false, traceId: "" };
const EVENTS = [REJECTED, FAILED];

test("events are read from lines of JSON, however they are cut", async () => {
  const text = EVENTS.map((event) => `${JSON.stringify(event)}\n`).join("");
  for (const size of [1, 3, 1000]) assert.deepEqual(await all(ndjsonEvents(body(text, size))), EVENTS);
});

test("events are read from a stream of server-sent events, without comments and names", async () => {
  const text = `: begin\r\n\r\nevent: next\r\ndata: ${JSON.stringify(REJECTED)}\r\n\r\n:\n\ndata:${JSON.stringify(FAILED)}\n\n`;
  for (const size of [1, 3, 1000]) assert.deepEqual(await all(serverSentEvents(body(text, size))), EVENTS);
});

test("an event that is cut off is an error", async () => {
  await assert.rejects(all(ndjsonEvents(body('{"event":"failed"', 5))), SyntaxError);
});
