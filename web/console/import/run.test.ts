import assert from "node:assert/strict";
import { test } from "node:test";

import { Retries } from "./retries";
import { run, type Job, type Progress } from "./run";

interface Input {
  memberbaseId: string;
  onError: string;
  dryRun: boolean;
  syncId?: string;
  members: { ref: string; attributes?: unknown }[];
}

interface Reply {
  status?: number;
  headers?: Record<string, string>;
  body: unknown;
}

/** A server that answers as it is told, and remembers what it was asked. */
function server(answer: (input: Input, call: number) => Reply | Promise<Reply>) {
  const inputs: Input[] = [];
  const send = async (_: unknown, init?: RequestInit) => {
    const { variables } = JSON.parse(String(init?.body)) as { variables: { input: Input } };
    inputs.push(variables.input);
    const { status = 200, headers = {}, body } = await answer(variables.input, inputs.length);
    return new Response(typeof body === "string" ? body : JSON.stringify(body), { status, headers });
  };
  return { inputs, fetch: send as typeof fetch };
}

/** Refs that begin with "bad" are. */
function stored({ members }: Input): Reply {
  const error = { code: "INVALID_VALUE", message: "no", path: ["ref"] };
  const results = members.map(({ ref }, index) => ({ index, error: ref.startsWith("bad") ? error : null }));
  const created = results.filter(({ error }) => !error).length;
  const summary = { created, updated: 0, unchanged: 0, stale: 0, skipped: 0 };
  return { body: { data: { bulkUpsertMembers: { results, summary } } } };
}

function job(lines: string | string[], fake: { fetch: typeof fetch }, more: Partial<Job> = {}): Job {
  const text = typeof lines === "string" ? lines : lines.map((line) => `${line}\n`).join("");
  return {
    file: new Blob([text]),
    kind: { packing: "none", encoding: "utf-8", format: "lines", separator: "," },
    columns: null,
    memberbaseId: "mb_1",
    mode: "UPSERT",
    dryRun: false,
    syncId: null,
    maxRows: Infinity,
    server: { endpoint: "http://server/graphql", token: "secret", retryFor: 60_000, fetch: fake.fetch },
    ...more,
  };
}

const never = new AbortController().signal;
const ignore = () => undefined;
const numbered = (count: number) => Array.from({ length: count }, (_, number) => `ref-${number}`);

test("all rows are sent in bounded batches, and counted", async () => {
  const fake = server(stored);
  const told: Progress[] = [];
  const bounds = { lanes: 3, rows: 100, size: 1_000 };
  const work = job([...numbered(1_000), "bad-1", "bad-2"], fake, { bounds, syncId: "sync_1", dryRun: true });
  const result = await run(work, never, (progress) => told.push(progress));
  assert.deepEqual([result.end, result.problem, result.created, result.rejected], ["complete", null, 1_000, 2]);
  assert.deepEqual([result.read, result.done, result.bytes], [1_002, 1_002, work.file.size]);
  for (const { members, onError, dryRun, syncId, memberbaseId } of fake.inputs) {
    assert.ok(members.length <= 100 && JSON.stringify(members).length < 1_100);
    assert.deepEqual([onError, dryRun, syncId, memberbaseId], ["SKIP_FAILED", true, "sync_1", "mb_1"]);
  }
  assert.equal(fake.inputs.flatMap(({ members }) => members).length, 1_002);
  assert.ok(told.length > 5 && told.every(({ done }, place) => place === 0 || done >= (told[place - 1]?.done ?? 0)));
});

test("rows of one ref keep their order, and no more requests are in flight than there are lanes", async () => {
  let [inFlight, most] = [0, 0];
  const ended: string[] = [];
  const fake = server(async (input, call) => {
    inFlight += 1;
    most = Math.max(most, inFlight);
    // Later requests are faster.
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, 20 - call)));
    inFlight -= 1;
    ended.push(...input.members.map(({ ref, attributes }) => `${ref} ${(attributes as { n: number }).n}`));
    return stored(input);
  });
  const lines: string[] = [];
  for (let n = 0; n < 40; n += 1) for (const ref of "abcdef") lines.push(JSON.stringify({ ref, attributes: { n } }));
  const kind = { packing: "none", encoding: "utf-8", format: "ndjson", separator: "," } as const;
  const result = await run(job(lines, fake, { kind, bounds: { lanes: 2, rows: 7 } }), never, ignore);
  assert.equal(result.end, "complete");
  assert.equal(most, 2);
  for (const ref of "abcdef") {
    const order = ended.filter((row) => row.startsWith(ref)).map((row) => Number(row.slice(2)));
    assert.deepEqual(order, Array.from({ length: 40 }, (_, n) => n), ref);
  }
});

test("what passes is tried again, as late as the server asks for", async () => {
  const times: number[] = [];
  const fake = server((input, call) => {
    times.push(performance.now());
    if (call === 1) throw new TypeError("fetch failed");
    const extensions = { code: "RATE_LIMITED", retryable: true };
    if (call === 2) return { status: 429, headers: { "Retry-After": "1" }, body: { errors: [{ message: "busy", extensions }] } };
    if (call === 3) return { status: 502, headers: { "Retry-After": "1" }, body: "<html>" };
    return stored(input);
  });
  const waited: (string | null)[] = [];
  const result = await run(job(["ann"], fake), never, ({ waiting }) => waited.push(waiting));
  assert.deepEqual([result.end, result.created, fake.inputs.length], ["complete", 1, 4]);
  for (const call of [2, 3]) assert.ok((times[call] ?? 0) - (times[call - 1] ?? 0) >= 1_000, `call ${call + 1}`);
  assert.deepEqual(waited.slice(0, 4), ["the server can't be reached", "busy", "the server returned HTTP status 502", null]);
});

test("what does not pass ends the run, with its trace id, and what was stored is counted", async () => {
  const extensions = { code: "NOT_FOUND", retryable: false, traceId: "abc" };
  const fake = server((input, call) =>
    call < 3 ? stored(input) : { body: { errors: [{ message: "memberbase mb_1 does not exist", extensions }] } },
  );
  const result = await run(job(numbered(100), fake, { bounds: { lanes: 1, rows: 10 } }), never, ignore);
  assert.equal(result.end, "failed");
  assert.deepEqual(result.problem, { message: "memberbase mb_1 does not exist", code: "NOT_FOUND", traceId: "abc" });
  assert.equal(result.created, 20);
  assert.equal(fake.inputs.length, 3);
  const lost = server(() => ({ status: 503, body: "" }));
  const work = job(["ann"], lost);
  const late = await run({ ...work, server: { ...work.server, retryFor: 0 } }, never, ignore);
  assert.deepEqual([late.end, late.problem?.message], ["failed", "the server returned HTTP status 503"]);
});

test("batches that are too large for what stands before the server are halved", async () => {
  const seen: string[] = [];
  const fake = server((input) => {
    if (JSON.stringify(input.members).length > 500) return { status: 413, body: "<html>" };
    seen.push(...input.members.map(({ ref }) => ref));
    return stored(input);
  });
  const result = await run(job(numbered(1_000), fake, { bounds: { lanes: 1, rows: 200 } }), never, ignore);
  assert.deepEqual([result.end, result.created], ["complete", 1_000]);
  assert.deepEqual(seen, numbered(1_000));
  const refused = fake.inputs.filter(({ members }) => JSON.stringify(members).length > 500).length;
  assert.ok(refused < 10, `${refused} requests were too large`);
});

test("a run that is stopped waits for what is in flight, and sends no more", async () => {
  const stop = new AbortController();
  const fake = server(async (input, call) => {
    if (call === 2) stop.abort();
    await new Promise((resolve) => setTimeout(resolve, 20));
    return stored(input);
  });
  const result = await run(job(numbered(1_000), fake, { bounds: { lanes: 1, rows: 10 } }), stop.signal, ignore);
  assert.deepEqual([result.end, result.created, result.done, fake.inputs.length], ["stopped", 20, 20, 2]);
  const waiting = new AbortController();
  const busy = server(() => ({ status: 503, headers: { "Retry-After": "30" }, body: "" }));
  const began = performance.now();
  const stopped = await run(job(["ann"], busy), waiting.signal, ({ waiting: why }) => why && waiting.abort());
  assert.equal(stopped.end, "stopped");
  assert.ok(performance.now() - began < 1_000, "it does not sleep on");
});

test("a run may be of the first rows alone", async () => {
  const fake = server(stored);
  const some = await run(job(numbered(100), fake, { maxRows: 10 }), never, ignore);
  assert.deepEqual([some.end, some.created], ["limited", 10]);
  const all = await run(job(numbered(10), fake, { maxRows: 10 }), never, ignore);
  assert.deepEqual([all.end, all.created], ["complete", 10]);
});

test("bad rows are told by their lines and are a file", async () => {
  const fake = server(stored);
  const lines = ['ref,plan', 'bad-1,"a, ""b"""', "ann", "ben,gold", ...numbered(300).map((ref) => `bad${ref},x`)];
  const columns = { width: 2, ref: 0, sourceUpdatedAt: null, attributes: [{ key: "plan", type: "STRING" as const, column: 1 }] };
  const kind = { packing: "none", encoding: "utf-8", format: "csv", separator: "," } as const;
  const work = job(lines, fake, { kind, columns, bounds: { lanes: 2, rows: 7 } });
  const result = await run(work, never, ignore);
  assert.deepEqual([result.end, result.rejected, result.ofNobody, result.created], ["complete", 302, 1, 1]);
  assert.equal(result.rejects.length, 50);
  assert.deepEqual(result.rejects.slice(0, 3).map(({ line, ref, fault }) => [line, ref, fault.code]), [
    [2, "bad-1", "INVALID_VALUE"],
    [3, null, "INVALID_VALUE"],
    [5, "badref-0", "INVALID_VALUE"],
  ]);
  const file = await result.rejectsFile.text();
  assert.deepEqual(file.split("\r\n").slice(0, 3), [
    "line,ref,field,code,message,row",
    '2,bad-1,ref,INVALID_VALUE,no,"bad-1,""a, """"b"""""""',
    '3,,,INVALID_VALUE,"expected 2 cells, as in the header, found 1",ann',
  ]);
  assert.equal(file.split("\r\n").length, 304);
  assert.deepEqual([...new Uint8Array(await result.rejectsFile.arrayBuffer())].slice(0, 3), [0xef, 0xbb, 0xbf]);
});

test("a row whose ref can't exist is not sent, and can't be attributed to a member", async () => {
  const fake = server(stored);
  const result = await run(job(["ann", "b\0n", "é".repeat(513), "ref"], fake), never, ignore);
  assert.deepEqual([result.end, result.read, result.done], ["complete", 4, 4]);
  assert.deepEqual([result.created, result.rejected, result.ofNobody], [2, 2, 2]);
  assert.deepEqual(fake.inputs.flatMap(({ members }) => members.map(({ ref }) => ref)), ["ann", "ref"]);
  assert.deepEqual(result.rejects.map(({ line, fault: { code, path } }) => [line, code, ...path]), [
    [2, "INVALID_REF", "ref"],
    [3, "INVALID_REF", "ref"],
  ]);
});

test("a row whose ref the API rejects can't be attributed either", async () => {
  const fake = server(({ members }) => {
    const error = { code: "INVALID_REF", message: "no", path: ["ref"] };
    const results = members.map((_, index) => ({ index, error }));
    const summary = { created: 0, updated: 0, unchanged: 0, stale: 0, skipped: 0 };
    return { body: { data: { bulkUpsertMembers: { results, summary } } } };
  });
  const result = await run(job(["ann"], fake), never, ignore);
  assert.deepEqual([result.rejected, result.ofNobody, result.done], [1, 1, 1]);
});

test("a damaged file fails, and its good rows are stored", async () => {
  const fake = server(stored);
  const kind = { packing: "none", encoding: "utf-8", format: "ndjson", separator: "," } as const;
  const result = await run(job('{"ref":"ann"}\n{"ref":"b', fake, { kind }), never, ignore);
  assert.deepEqual([result.end, result.problem?.code, result.created], ["failed", "DAMAGED_FILE", 1]);
});

test("waits grow up to a ceiling and end", () => {
  const retries = new Retries(3_600_000);
  const waits = Array.from({ length: 200 }, () => retries.next(0, 0) ?? -1);
  assert.ok((waits[0] ?? -1) >= 0 && (waits[0] ?? 501) <= 500 && waits.every((wait) => wait >= 0 && wait <= 30_000));
  assert.ok(Math.max(...waits) > 4_000);
  assert.equal(new Retries(1).next(1_000), null);
});
