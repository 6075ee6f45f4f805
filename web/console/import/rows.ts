// Reads the rows of a file in chunks. The API validates them: a row with a ref is always sent, so that its member counts as seen
// and is not deleted because of an invalid attribute. A row whose ref can't exist is never sent, because it can't be attributed
// to a member.

import { rowOf, type Columns } from "./columns";
import { CsvParser, type CsvRecord } from "./csv";
import { Damaged } from "./damaged";
import type { Kind } from "./kind";
import { LineParser, type Line } from "./lines";
import { rowOfJson } from "./ndjson";
import { attributed, fault, INVALID_REF, type Row } from "./row";
import { text } from "./source";

interface Parser<T> {
  push(piece: string): T[];
  end(): T[];
  damage: string | null;
}

/** What a parser makes of a text. */
export async function* parsed<T>(pieces: AsyncGenerator<string>, parser: Parser<T>): AsyncGenerator<T[], void, void> {
  for await (const piece of pieces) {
    const things = parser.push(piece);
    if (things.length > 0) yield things;
    if (parser.damage !== null) throw new Damaged(parser.damage);
  }
  yield parser.end();
  if (parser.damage !== null) throw new Damaged(parser.damage);
}

/** The rows of a file; of CSV, columns say which cells are what. */
export async function* rows(
  file: Blob,
  kind: Kind,
  columns: Columns | null,
  read?: (bytes: number) => void,
): AsyncGenerator<Row[], void, void> {
  const pieces = text(file, kind, read);
  if (kind.format !== "csv") return yield* lineRows(pieces, kind.format);
  if (!columns) throw new TypeError("CSV has columns");
  const row = rowOf(columns);
  let header: CsvRecord | undefined;
  for await (const records of parsed(pieces, new CsvParser(kind.separator))) {
    const rest = header ? records : records.slice(1);
    header ??= records[0];
    if (header && header.fault !== null) throw new Damaged(`line ${header.line}: ${header.fault}`);
    if (rest.length > 0) yield rest.map(row);
  }
  if (!header) throw new Damaged("the file is empty: it has no header");
}

async function* lineRows(pieces: AsyncGenerator<string>, format: "ndjson" | "lines"): AsyncGenerator<Row[], void, void> {
  const row = format === "ndjson" ? rowOfJson : rowOfLine;
  for await (const lines of parsed(pieces, new LineParser())) {
    const full = lines.filter(({ text }) => (format === "ndjson" ? text.trim() !== "" : text !== ""));
    const made = full.map((line) => row(line));
    const good = made.filter((row) => row !== null);
    if (good.length > 0) yield good;
    if (good.length < made.length) throw new Damaged(`the file ends in the middle of line ${full.at(-1)?.line}`);
  }
}

/** The row of a line that is a ref. */
export function rowOfLine({ line, text }: Line): Row {
  if (text.includes("\r")) {
    // Old programs of the Mac end lines so: it may be several refs.
    const why = fault(INVALID_REF, "it holds a carriage return; lines end with \\n or \\r\\n", "ref");
    return { line, raw: text, ref: null, json: "", fault: why };
  }
  return attributed({ line, raw: text, ref: text, json: `{"ref":${JSON.stringify(text)}}`, fault: null });
}
