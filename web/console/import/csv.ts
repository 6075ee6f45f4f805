// The records of CSV, as RFC 4180 has them and as programs write them: any of \n, \r\n and \r ends a line, an empty line is
// no record, and a quote that is not at the begin of a cell is a letter like any other.

import { MAX_ROW } from "./damaged";
import type { Separator } from "./kind";

export interface CsvRecord {
  /** The line that it begins in, from 1. */
  line: number;
  cells: string[];
  raw: string;
}

const QUOTE = 0x22;
const RETURN = 0x0d;
const NEWLINE = 0x0a;

export class CsvParser {
  /** Why the file can't be read on, once that is so. What was given before holds. */
  damage: string | null = null;
  readonly #separator: Separator;
  #text = "";
  #line = 1;
  /** Pieces that came since, and their length: a long record is not read again for each of them. */
  #more: string[] = [];
  #moreLength = 0;

  constructor(separator: Separator) {
    this.#separator = separator;
  }

  /** The records that are whole with this piece of the text. */
  push(piece: string): CsvRecord[] {
    this.#more.push(piece);
    this.#moreLength += piece.length;
    return this.#moreLength < this.#text.length ? [] : this.#read(false);
  }

  /** The records that are left. */
  end(): CsvRecord[] {
    return this.#read(true);
  }

  #read(ended: boolean): CsvRecord[] {
    const text = this.#text + this.#more.join("");
    this.#more = [];
    this.#moreLength = 0;
    const records: CsvRecord[] = [];
    // Where the next ones are, looked for once and not once a record.
    let quote = -1;
    let carriage = -1;
    let at = 0;
    for (;;) {
      at = this.#skipEndsOfLines(text, at);
      if (at >= text.length) break;
      const start = at;
      if (quote < at) quote = find(text, '"', at);
      if (carriage < at) carriage = find(text, "\r", at);
      const newline = find(text, "\n", at);
      const end = Math.min(newline, carriage);
      if (quote > end) {
        // Of a return at the very end it shows later whether a newline follows; it makes no difference.
        if (end === Infinity) break;
        const raw = text.slice(start, end);
        records.push({ line: this.#line, cells: raw.split(this.#separator), raw });
        at = end;
        continue;
      }
      const cells: string[] = [];
      const next = this.#quoted(text, at, ended, cells);
      if (next < 0) {
        if (ended) this.damage = "the file ends within a quoted cell";
        break;
      }
      const raw = text.slice(start, next);
      records.push({ line: this.#line, cells, raw });
      this.#line += newlines(raw);
      at = next;
    }
    this.#text = text.slice(at);
    if (this.#text.length > MAX_ROW) {
      this.damage = `the row at line ${this.#line} is longer than 16 MiB: is a quote left open?`;
    } else if (ended && this.damage === null && this.#text !== "") {
      // No end of a line follows it, and there is no quote in it.
      records.push({ line: this.#line, cells: this.#text.split(this.#separator), raw: this.#text });
      this.#text = "";
    }
    return records;
  }

  #skipEndsOfLines(text: string, at: number): number {
    for (;;) {
      const code = text.charCodeAt(at);
      if (code === NEWLINE) this.#line += 1;
      else if (code !== RETURN) return at;
      at += 1;
    }
  }

  /** Reads the cells of a record cell by cell. Answers where its line ends; less than 0 where it is not all there. */
  #quoted(text: string, at: number, ended: boolean, cells: string[]): number {
    const separator = this.#separator.charCodeAt(0);
    for (;;) {
      let cell = "";
      if (text.charCodeAt(at) === QUOTE) {
        at += 1;
        for (;;) {
          const quote = text.indexOf('"', at);
          if (quote < 0) return -1;
          cell += text.slice(at, quote);
          at = quote + 1;
          if (text.charCodeAt(at) !== QUOTE) break;
          cell += '"';
          at += 1;
        }
      }
      const start = at;
      let code = text.charCodeAt(at);
      while (code !== separator && code !== NEWLINE && code !== RETURN && at < text.length) {
        at += 1;
        code = text.charCodeAt(at);
      }
      if (at === text.length && !ended) return -1;
      cells.push(cell === "" ? text.slice(start, at) : cell + text.slice(start, at));
      if (code !== separator || at === text.length) return at;
      at += 1;
    }
  }
}

function find(text: string, what: string, from: number): number {
  const at = text.indexOf(what, from);
  return at < 0 ? Infinity : at;
}

export function newlines(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count += 1;
  return count;
}

/** The separator by which the begin of a file falls into the most cells, the same number in each record. */
export function guessSeparator(begin: string, separators: readonly Separator[]): Separator {
  let best: Separator = ",";
  let most = 0;
  for (const separator of separators) {
    const parser = new CsvParser(separator);
    let records = parser.push(begin);
    if (records.length === 0) records = parser.end();
    const width = records[0]?.cells.length ?? 0;
    if (width < 2) continue;
    const even = records.filter(({ cells }) => cells.length === width).length / records.length;
    const score = even * even * (1 + Math.log(width));
    if (score > most) [best, most] = [separator, score];
  }
  return best;
}
