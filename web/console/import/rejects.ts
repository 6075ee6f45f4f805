// Collects rejected rows: their count, the first ones to show, and all of them as CSV. Few of them are in memory, because
// browsers keep the parts of a blob on disk.

import { INVALID_REF, type Fault } from "./row";

export interface Reject {
  line: number;
  ref: string | null;
  fault: Fault;
  raw: string;
}

const SHOWN = 50;
/** So many are sorted by their lines; requests end in no order. */
const SORTED = 10_000;
const PART = 1 << 20;

export class Rejects {
  count = 0;
  /** Those that can't be attributed to a member. */
  ofNobody = 0;
  #first: Reject[] = [];
  #held: { line: number; text: string }[] = [];
  #heldSize = 0;
  #parts: Blob[] = [];

  add(reject: Reject) {
    this.count += 1;
    // The API and this page may not agree about what a ref may be.
    if (reject.ref === null || reject.fault.code === INVALID_REF) this.ofNobody += 1;
    const { line, ref, fault, raw } = reject;
    const cells = [String(line), ref ?? "", fault.path.join("."), fault.code, fault.message, raw];
    const text = `${cells.map(cell).join(",")}\r\n`;
    this.#held.push({ line, text });
    this.#heldSize += text.length;
    if (this.#held.length >= SORTED || this.#heldSize >= PART) this.#write();
    const last = this.#first.at(-1);
    if (this.#first.length < SHOWN || (last && line < last.line)) {
      this.#first.push({ ...reject, raw: raw.length > 1000 ? `${raw.slice(0, 1000)}…` : raw });
      this.#first.sort((a, b) => a.line - b.line);
      this.#first.length = Math.min(this.#first.length, SHOWN);
    }
  }

  /** The first ones, by line. */
  get first(): readonly Reject[] {
    return this.#first;
  }

  /** All of them. The mark at the begin says to spreadsheets that it is UTF-8. */
  file(): Blob {
    this.#write();
    return new Blob(["\ufeffline,ref,field,code,message,row\r\n", ...this.#parts], { type: "text/csv" });
  }

  #write() {
    this.#held.sort((a, b) => a.line - b.line);
    this.#parts.push(new Blob(this.#held.map(({ text }) => text)));
    this.#held = [];
    this.#heldSize = 0;
  }
}

function cell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
