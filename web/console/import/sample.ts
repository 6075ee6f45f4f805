// Reads the beginning of a file to detect its format.

import { foreign, UTF_16 } from "./content";
import { guessSeparator, CsvParser, type CsvRecord } from "./csv";
import { Damaged } from "./damaged";
import { encodingOf, formatOf, packingOf, SEPARATORS, type Kind } from "./kind";
import { Letters } from "./letters";
import { LineParser, type Line } from "./lines";
import { canUnpack, unpacked } from "./unpack";

const PACKED = 4096;
const UNPACKED = 128 << 10;
/** So much is split by every separator. */
const SPLIT = 32 << 10;

export interface Sample {
  kind: Kind;
  /** Of CSV: the header and the records behind it. */
  records: CsvRecord[];
  /** Of the other formats. */
  lines: Line[];
  /** Whether that is all of the file. */
  isAll: boolean;
}

/** Looks at a file. What the person said of it goes before what it looks like. */
export async function sample(file: File, said: Partial<Kind>): Promise<Sample> {
  const packing = said.packing ?? packingOf(file.name, new Uint8Array(await file.slice(0, PACKED).arrayBuffer()));
  if (!canUnpack(packing)) {
    throw new Damaged("this browser can't decompress zstd: decompress the file first, or compress it with gzip");
  }
  const { bytes, isAll } = await begin(file, packing);
  const encoding = said.encoding ?? encodingOf(bytes);
  const letters = new Letters(encoding);
  const text = letters.push(bytes);
  const what = foreign(bytes);
  // UTF-16 is read here, unless the person says that it is something else.
  if (what !== null && !(what === UTF_16 && encoding.startsWith("utf-16"))) throw new Damaged(`the file is ${what}`);
  if (text.includes("\0")) throw new Damaged("the file contains NUL bytes, so it is not text: save it as CSV");
  const format = said.format ?? formatOf(file.name, text);
  const separator = said.separator ?? guessSeparator(text.slice(0, SPLIT), SEPARATORS);
  const kind = { packing, encoding, format, separator };
  const parsed = <T>(parser: { push(text: string): T[]; end(): T[] }) => {
    const things = parser.push(text);
    return isAll || things.length === 0 ? [...things, ...parser.end()] : things;
  };
  const records = format === "csv" ? parsed(new CsvParser(separator)) : [];
  const [header] = records;
  if (header && header.fault !== null) throw new Damaged(`line ${header.line}: ${header.fault}`);
  const lines = format === "csv" ? [] : parsed(new LineParser());
  if (letters.damage !== null && records.length + lines.length === 0) throw new Damaged(letters.damage);
  return { kind, records, lines: lines.filter(({ text }) => text.trim() !== ""), isAll };
}

async function begin(file: File, packing: Kind["packing"]): Promise<{ bytes: Uint8Array; isAll: boolean }> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const part of unpacked(bytesOf(file), packing)) {
    parts.push(part);
    size += part.length;
    if (size >= UNPACKED) return { bytes: await joined(parts), isAll: false };
  }
  return { bytes: await joined(parts), isAll: true };
}

async function* bytesOf(file: File) {
  for (let at = 0; at < file.size; at += UNPACKED) {
    yield new Uint8Array(await file.slice(at, at + UNPACKED).arrayBuffer());
  }
}

async function joined(parts: Uint8Array<ArrayBuffer>[]) {
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
