// Splits a text into lines, which end with \n or \r\n.

import { MAX_ROW } from "./damaged";

export interface Line {
  /** From 1. */
  line: number;
  text: string;
  /** False of a last line that no end follows. */
  ended: boolean;
}

export class LineParser {
  /** Why the file can't be read on, once that is so. What was given before holds. */
  damage: string | null = null;
  #pieces: string[] = [];
  #length = 0;
  #line = 1;

  /** The lines that are whole with this piece of the text. */
  push(piece: string): Line[] {
    let newline = piece.indexOf("\n");
    if (newline < 0) {
      this.#keep(piece);
      return [];
    }
    const lines = [this.#next([...this.#pieces, piece.slice(0, newline)].join(""), true)];
    let at = newline + 1;
    for (newline = piece.indexOf("\n", at); newline >= 0; newline = piece.indexOf("\n", at)) {
      lines.push(this.#next(piece.slice(at, newline), true));
      at = newline + 1;
    }
    [this.#pieces, this.#length] = [[], 0];
    this.#keep(piece.slice(at));
    return lines;
  }

  /** The line that is left. */
  end(): Line[] {
    const text = this.#pieces.join("");
    this.#pieces = [];
    return text === "" ? [] : [this.#next(text, false)];
  }

  #next(text: string, ended: boolean): Line {
    const line = this.#line;
    this.#line += 1;
    return { line, text: text.endsWith("\r") ? text.slice(0, -1) : text, ended };
  }

  #keep(piece: string) {
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (this.#length > MAX_ROW) this.damage = `line ${this.#line} is longer than 16 MiB: is it a file of members?`;
  }
}
