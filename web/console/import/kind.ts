// The compression, encoding and format of a file. They are detected from the name and the first bytes, and can be overridden by
// the person.

import { isSplitEvenly, utf16Of } from "./content";

export type Packing = "none" | "gzip" | "zstd";
export type Encoding = "utf-8" | "utf-16le" | "utf-16be" | "windows-1252";
export type Format = "csv" | "ndjson" | "lines";
export type Separator = "," | ";" | "\t" | "|";

export interface Kind {
  packing: Packing;
  encoding: Encoding;
  format: Format;
  /** Between the cells of CSV. */
  separator: Separator;
}

export const SEPARATORS: readonly Separator[] = [",", ";", "\t", "|"];
/** Those that make a table of a text whose name does not say so. A vertical bar is often part of a ref. */
const TABLES: readonly Separator[] = ["\t", ";", ","];

/** The bytes come first: a name may lie. */
export function packingOf(name: string, begin: Uint8Array): Packing {
  if (begin[0] === 0x1f && begin[1] === 0x8b) return "gzip";
  if (begin[0] === 0x28 && begin[1] === 0xb5 && begin[2] === 0x2f && begin[3] === 0xfd) return "zstd";
  // Empty, or damaged: as no packed file is.
  if (/\.(gz|gzip)$/i.test(name)) return "gzip";
  return /\.(zst|zstd)$/i.test(name) ? "zstd" : "none";
}

/** By the mark at the begin; without one UTF-8, and where it can't be that, what spreadsheets on Windows write. */
export function encodingOf(begin: Uint8Array): Encoding {
  const utf16 = utf16Of(begin);
  if (utf16 !== null) return utf16;
  try {
    // The sample may end within a letter.
    new TextDecoder("utf-8", { fatal: true }).decode(begin, { stream: true });
    return "utf-8";
  } catch {
    return "windows-1252";
  }
}

export function formatOf(name: string, begin: string): Format {
  const plain = name.toLowerCase().replace(/\.(gz|gzip|zst|zstd)$/, "");
  const extension = /\.([^.]*)$/.exec(plain)?.[1];
  switch (extension) {
    case "csv":
    case "tsv":
    case "tab":
      return "csv";
    case "ndjson":
    case "jsonl":
      return "ndjson";
    default:
  }
  // A JSON array too: its lines are rejected, and are no refs.
  if (/^\s*(\{\s*"|\[\s*[{\]])/.test(begin)) return "ndjson";
  if (TABLES.some((separator) => isSplitEvenly(begin, separator))) return "csv";
  if (extension === "txt" || extension === undefined) return "lines";
  const header = /^[^\r\n]*/.exec(begin.trimStart())?.[0] ?? "";
  return SEPARATORS.some((separator) => header.includes(separator)) ? "csv" : "lines";
}
