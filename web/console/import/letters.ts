// Decodes bytes to text. Invalid bytes end the file; the lines before them are used.

import { newlines } from "./csv";
import type { Encoding } from "./kind";

export class Letters {
  /** Why the file can't be read on, once that is so. */
  damage: string | null = null;
  readonly #encoding: Encoding;
  readonly #decoder: TextDecoder;
  #line = 1;
  #begun = false;
  /** The last bytes of the piece before: of a letter that goes on in the next, perhaps. */
  #last: Uint8Array = new Uint8Array();

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
    this.#decoder = new TextDecoder(encoding, { fatal: true });
  }

  push(bytes: Uint8Array): string {
    try {
      const text = this.#decoder.decode(bytes, { stream: true });
      this.#line += newlines(text);
      this.#begun ||= bytes.length > 0;
      this.#last = joined(this.#last, bytes.subarray(-3)).slice(-3);
      return text;
    } catch {
      return this.#encoding === "utf-8" ? this.#goodLines(bytes) : this.#none();
    }
  }

  end() {
    try {
      this.#decoder.decode();
    } catch {
      this.#none();
    }
  }

  /** The lines of a piece before the one that is no UTF-8. A newline is never part of another letter. */
  #goodLines(piece: Uint8Array): string {
    const bytes = joined(this.#last.subarray(beginOfLetter(this.#last)), piece);
    const line = new TextDecoder("utf-8", { fatal: true });
    let good = 0;
    try {
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, good)) {
        line.decode(bytes.subarray(good, end + 1));
        good = end + 1;
      }
    } catch {
      // It is this line.
    }
    const text = new TextDecoder("utf-8", { ignoreBOM: this.#begun }).decode(bytes.subarray(0, good));
    this.#line += newlines(text);
    this.#none();
    return text;
  }

  #none(): string {
    this.damage = `line ${this.#line} is not ${this.#encoding === "utf-8" ? "UTF-8" : "UTF-16"}`;
    return "";
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

/** Where in the last bytes of a piece a letter begins that is not all there. */
function beginOfLetter(last: Uint8Array): number {
  for (let at = last.length - 1; at >= 0; at -= 1) {
    const byte = last[at] ?? 0;
    if (byte < 0x80) break;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return at + length > last.length ? at : last.length;
    }
  }
  return last.length;
}
