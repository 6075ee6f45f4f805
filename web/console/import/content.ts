// Recognizes files that contain no members by their first bytes, after decompression. The command `sync` has the same table
// (`src/commands/members_file/content.rs`); `tests/members_files.json` checks both.

export const UTF_16 = "UTF-16 text: save it as UTF-8";

/** The first bytes of files of other kinds, one letter per byte, and what such a file is. */
export const SIGNATURES: readonly (readonly [begin: string, what: string])[] = [
  ["PK\x03\x04", "a workbook (.xlsx, .ods) or another zip file: save it as CSV"],
  ["PK\x05\x06", "an empty zip file: save it as CSV"],
  ["\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old workbook or document (.xls, .doc): save it as CSV"],
  ["%PDF-", "a PDF document: save it as CSV"],
  ["{\\rtf", "a rich text document: save it as CSV"],
  ["\x89PNG", "a PNG image: save it as CSV"],
  ["\xff\xd8\xff", "a JPEG image: save it as CSV"],
  ["GIF87a", "a GIF image: save it as CSV"],
  ["GIF89a", "a GIF image: save it as CSV"],
  ["PAR1\x15", "a Parquet file: save it as CSV"],
  ["Obj\x01", "an Avro file: save it as CSV"],
  ["SQLite format 3\x00", "a SQLite database: save it as CSV"],
  ["\x7fELF", "a program: save it as CSV"],
  ["<?xml", "an XML document: save it as CSV"],
  ["<!DOCTYPE", "a web page: save it as CSV"],
  ["<!doctype", "a web page: save it as CSV"],
  ["<html", "a web page: save it as CSV"],
  ["7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"],
  ["Rar!\x1a\x07", "a RAR archive: unpack it first"],
  ["BZh91AY&SY", "packed with bzip2: unpack it first"],
  ["\xfd7zXZ\x00", "packed with xz: unpack it first"],
  ["\x1f\x8b", "packed with gzip: unpack it, or end its name in .gz"],
  ["\x28\xb5\x2f\xfd", "packed with zstd: unpack it, or end its name in .zst"],
  ["\xff\xfe", UTF_16],
  ["\xfe\xff", UTF_16],
];

const UTF_8_MARK = "\xef\xbb\xbf";
const LONGEST = 16 + UTF_8_MARK.length;
/** The number of lines that are compared to see whether a text is a table. */
const SNIFFED_LINES = 100;

/** Returns what a file that begins so is, and what to do with it; null if it may hold members. */
export function foreign(begin: Uint8Array): string | null {
  const letters = String.fromCharCode(...begin.subarray(0, LONGEST)).replace(UTF_8_MARK, "");
  const what = SIGNATURES.find(([signature]) => letters.startsWith(signature))?.[1];
  return what ?? (utf16Of(begin) === null ? null : UTF_16);
}

/** Returns the byte order of UTF-16, by its mark or by the other halves of ASCII letters; null for other text. */
export function utf16Of([first, second, third, fourth]: Uint8Array): "utf-16le" | "utf-16be" | null {
  if (first === 0xff && second === 0xfe) return "utf-16le";
  if (first === 0xfe && second === 0xff) return "utf-16be";
  if (second === 0 && fourth === 0 && first !== 0) return "utf-16le";
  return first === 0 && third === 0 && second !== 0 && fourth !== undefined ? "utf-16be" : null;
}

/** Returns whether at least two lines, and nine in ten of them, have as many separators as the first. */
export function isSplitEvenly(begin: string, separator: string): boolean {
  const lines = begin.split(/[\r\n]+/).filter((line) => line !== "");
  const counts = lines.slice(0, SNIFFED_LINES).map((line) => line.split(separator).length - 1);
  const [first = 0] = counts;
  const even = counts.filter((count) => count === first).length;
  return first > 0 && counts.length > 1 && 10 * even >= 9 * counts.length;
}
