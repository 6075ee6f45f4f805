// Collects rejected rows: the first ones to show, and all of them as CSV. Few of them are in memory, because browsers keep
// the parts of a blob on disk.

import type { Fault, Rejected } from "./events";

const MAX_SHOWN = 50;
/** Number of rows that are sorted by line: the server reports them in any order. */
const SORTED_ROWS = 10_000;
const PART_LENGTH = 1 << 20;

export class Rejects {
  count = 0;
  #first: Rejected[] = [];
  #held: { line: number; text: string }[] = [];
  #heldLength = 0;
  #parts: Blob[] = [];

  add(rejected: Rejected) {
    this.count += 1;
    const { line } = rejected;
    const text = faultsOf(rejected)
      .map((fault) => record(rejected, fault))
      .join("");
    this.#held.push({ line, text });
    this.#heldLength += text.length;
    if (this.#held.length >= SORTED_ROWS || this.#heldLength >= PART_LENGTH) this.#write();
    const last = this.#first.at(-1);
    if (this.#first.length < MAX_SHOWN || (last && line < last.line)) {
      this.#first = [...this.#first, rejected].sort((a, b) => a.line - b.line).slice(0, MAX_SHOWN);
    }
  }

  /** The first ones by line. */
  get first(): readonly Rejected[] {
    return this.#first;
  }

  /** All of them, a record per error. The byte order mark tells spreadsheets that the file is UTF-8. */
  file(): Blob {
    this.#write();
    return new Blob(["\ufeffline,ref,column,code,message,row\r\n", ...this.#parts], { type: "text/csv" });
  }

  #write() {
    this.#held.sort((a, b) => a.line - b.line);
    this.#parts.push(new Blob(this.#held.map(({ text }) => text)));
    this.#held = [];
    this.#heldLength = 0;
  }
}

export function faultsOf(rejected: Rejected): Fault[] {
  return [rejected, ...(rejected.more ?? [])];
}

/** Returns the text of a row, which is not the file's own if the server could read a member. */
export function rowText({ row }: { row?: unknown }): string {
  if (row === undefined) return "";
  return typeof row === "string" ? row : JSON.stringify(row);
}

function record(rejected: Rejected, { column, path, code, message }: Fault): string {
  const cells = [String(rejected.line), rejected.ref ?? "", column ?? path.join("."), code, message, rowText(rejected)];
  return `${cells.map(cell).join(",")}\r\n`;
}

function cell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
