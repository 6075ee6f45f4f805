// Reads a file as a stream of text: decompressed, decoded, without a byte order mark, and never completely in memory.

import { Damaged } from "./damaged";
import type { Kind } from "./kind";
import { Letters } from "./letters";
import { unpacked } from "./unpack";

/** Reads a file once. `read` hears of every piece of it, by its bytes as they are on the disk. */
export async function* text(
  file: Blob,
  { packing, encoding }: Pick<Kind, "packing" | "encoding">,
  read: (bytes: number) => void = () => undefined,
): AsyncGenerator<string, void, void> {
  if (packing !== "none" && file.size === 0) throw new Damaged("the file is empty, as no packed file is");
  const letters = new Letters(encoding);
  for await (const bytes of unpacked(pieces(file.stream(), read), packing)) {
    const text = letters.push(bytes);
    if (text !== "") yield text;
    if (letters.damage !== null) throw new Damaged(letters.damage);
  }
  letters.end();
  if (letters.damage !== null) throw new Damaged(letters.damage);
}

async function* pieces(stream: ReadableStream<Uint8Array<ArrayBuffer>>, read: (bytes: number) => void) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      read(value.byteLength);
      yield value;
    }
  } catch (error) {
    // It was changed, moved or taken out since it was chosen.
    throw new Damaged(`the file can't be read: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
