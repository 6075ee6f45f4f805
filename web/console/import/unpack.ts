// Decompresses files with the browser's DecompressionStream.

import { Damaged } from "./damaged";
import type { Packing } from "./kind";

type Bytes = Uint8Array<ArrayBuffer>;

const HEADER = 10;
const SMALLEST_MEMBER = 18;

export async function* unpacked(packed: AsyncGenerator<Bytes>, packing: Packing): AsyncGenerator<Bytes> {
  if (packing === "none") return yield* packed;
  if (packing === "zstd") return yield* part(packed, "zstd");
  // A file may be several behind each other; the browser's way takes one alone.
  const members = new Members(packed);
  do {
    yield* part(members.next(), "gzip");
  } while (!members.ended);
}

/** Whether this browser can unpack it. */
export function canUnpack(packing: Packing): boolean {
  if (packing === "none") return true;
  try {
    stream(packing);
    return true;
  } catch {
    return false;
  }
}

function stream(packing: "gzip" | "zstd") {
  // Some browsers know zstd; what TypeScript knows of them comes later.
  return new DecompressionStream(packing as CompressionFormat);
}

async function* part(packed: AsyncGenerator<Bytes>, packing: "gzip" | "zstd"): AsyncGenerator<Bytes> {
  let fault: unknown = null;
  const source = new ReadableStream<Bytes>(
    {
      async pull(controller) {
        try {
          const { done, value } = await packed.next();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          fault = error;
          controller.error(error);
        }
      },
      async cancel() {
        await packed.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
  const reader = source.pipeThrough(stream(packing)).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch {
    if (fault !== null) throw fault;
    throw new Damaged("the compressed file is damaged or truncated");
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** The members of a gzip file, each to its own end. */
class Members {
  ended = false;
  readonly #packed: AsyncGenerator<Bytes>;
  #rest: Bytes = new Uint8Array();

  constructor(packed: AsyncGenerator<Bytes>) {
    this.#packed = packed;
  }

  async *next(): AsyncGenerator<Bytes> {
    let held = this.#rest;
    let from = SMALLEST_MEMBER;
    for (;;) {
      const at = begin(held, from);
      if (at >= 0) {
        this.#rest = held.subarray(at);
        yield held.subarray(0, at);
        return;
      }
      // The end of what was looked at may be half of a begin.
      const looked = Math.max(0, held.length - HEADER + 1);
      if (looked > 0) yield held.subarray(0, looked);
      held = held.subarray(looked);
      from = Math.max(0, from - looked);
      const { done, value } = await this.#packed.next();
      if (done) {
        this.ended = true;
        yield held;
        return;
      }
      held = joined(held, value);
    }
  }
}

/**
 * Where a member begins. Packed bytes look like one by chance, too: its ten bytes once in some 200 GB. Then the file is taken
 * for damaged, never for another.
 */
function begin(bytes: Bytes, from: number): number {
  for (let at = bytes.indexOf(0x1f, from); at >= 0 && at + HEADER <= bytes.length; at = bytes.indexOf(0x1f, at + 1)) {
    if (bytes[at + 1] !== 0x8b || bytes[at + 2] !== 8) continue;
    const [flags = 0xff, , , , , extra = 0xff, system = 0xfe] = bytes.subarray(at + 3, at + HEADER);
    if ((flags & 0xe0) === 0 && [0, 2, 4].includes(extra) && (system <= 13 || system === 0xff)) return at;
  }
  return -1;
}

function joined(first: Bytes, second: Bytes): Bytes {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}
