// Reads the records of CSV as RFC 4180 defines them, with any of \n, \r\n and \r as a line's end; an empty line is no record.
// A cell is either quoted as a whole, or holds no quote. Other readers disagree about anything else (some open a quoted
// section in the middle of a cell, some take a backslash as an escape), so a guess could merge two rows into one.

import { MAX_ROW } from "./damaged";
import type { Separator } from "./kind";

export interface CsvRecord {
  /** The line that it begins in, from 1; of one that is not CSV, the line of the offending quote. */
  line: number;
  cells: string[];
  raw: string;
  /** Why it is not CSV. The next record begins after that line. */
  fault: string | null;
}

const WAY_OUT = 'a quote within a cell is written twice ("") and the cell is quoted';
const AFTER_CLOSING_QUOTE = `not CSV: text follows a closing quote; ${WAY_OUT}`;
const QUOTE_IN_BARE_CELL = `not CSV: a cell that is not quoted holds a quote; ${WAY_OUT}`;

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
        records.push(this.#unquoted(raw));
        at = end;
        continue;
      }
      const record = this.#quoted(text, at, ended);
      if (record === null) break;
      records.push(record);
      this.#line += newlines(record.raw);
      at += record.raw.length;
    }
    this.#text = text.slice(at);
    if (this.#text.length > MAX_ROW) {
      this.damage = `the row at line ${this.#line} is longer than 16 MiB: is a quote left open?`;
    } else if (ended && this.damage === null && this.#text !== "") {
      // No end of a line follows it, and there is no quote in it.
      records.push(this.#unquoted(this.#text));
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

  #unquoted(raw: string): CsvRecord {
    return { line: this.#line, cells: raw.split(this.#separator), raw, fault: null };
  }

  /** Reads a record cell by cell. Returns null if the text does not hold all of it. */
  #quoted(text: string, start: number, ended: boolean): CsvRecord | null {
    const separator = this.#separator.charCodeAt(0);
    const isEnd = (code: number) => code === separator || code === NEWLINE || code === RETURN;
    const cells: string[] = [];
    for (let at = start; ; at += 1) {
      let cell = "";
      if (text.charCodeAt(at) === QUOTE) {
        const opening = at;
        for (;;) {
          const quote = text.indexOf('"', at + 1);
          if (quote < 0) {
            const line = this.#line + newlines(text.slice(start, opening));
            if (ended) this.damage = `the file ends within a quoted cell, which begins in line ${line}`;
            return null;
          }
          cell += text.slice(at + 1, quote);
          at = quote + 1;
          if (text.charCodeAt(at) !== QUOTE) break;
          cell += '"';
        }
        if (at < text.length && !isEnd(text.charCodeAt(at))) return this.#malformed(text, start, at, ended, AFTER_CLOSING_QUOTE);
      } else {
        const begin = at;
        while (at < text.length && !isEnd(text.charCodeAt(at))) {
          if (text.charCodeAt(at) === QUOTE) return this.#malformed(text, start, at, ended, QUOTE_IN_BARE_CELL);
          at += 1;
        }
        cell = text.slice(begin, at);
      }
      if (at === text.length && !ended) return null;
      cells.push(cell);
      if (text.charCodeAt(at) !== separator) return { line: this.#line, cells, raw: text.slice(start, at), fault: null };
    }
  }

  /** A record that is not CSV from this place on: it ends with the line. */
  #malformed(text: string, start: number, at: number, ended: boolean, fault: string): CsvRecord | null {
    const end = Math.min(find(text, "\n", at), find(text, "\r", at));
    if (end === Infinity && !ended) return null;
    const line = this.#line + newlines(text.slice(start, at));
    return { line, cells: [], raw: text.slice(start, end), fault };
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
    const width = records.find(({ fault }) => fault === null)?.cells.length ?? 0;
    if (width < 2) continue;
    const even = records.filter(({ cells }) => cells.length === width).length / records.length;
    const score = even * even * (1 + Math.log(width));
    if (score > most) [best, most] = [separator, score];
  }
  return best;
}
