// Checks the examples that the console and the command `sync` have to read in the same way.

import assert from "node:assert/strict";
import { test } from "node:test";

import examples from "../../../tests/members_files.json";
import { foreign, isSplitEvenly, SIGNATURES } from "./content";
import { CsvParser } from "./csv";
import { formatOf } from "./kind";
import { rowOfJson } from "./ndjson";

interface Example {
  text: string;
  records: ({ line: number; cells: string[] } | { line: number; malformed: string })[];
  damage: string | null;
}

function read(text: string, piece: number) {
  const parser = new CsvParser(",");
  const records = [];
  for (let at = 0; at < text.length; at += piece) records.push(...parser.push(text.slice(at, at + piece)));
  records.push(...parser.end());
  return { records, damage: parser.damage };
}

test("texts are read as in the examples", () => {
  for (const { text, records, damage } of examples.csv as Example[]) {
    for (const piece of [1, 2, 3, 5, 8192]) {
      const { records: found, damage: why } = read(text, piece);
      const told = found.map(({ line, cells, fault }) => (fault === null ? { line, cells } : { line, malformed: fault }));
      assert.deepEqual([told, why], [records, damage], `${JSON.stringify(text)} in pieces of ${piece}`);
    }
  }
});

test("a text is read by the grammar of RFC 4180 or rejected", () => {
  const letters = ["a", "é", ",", '"', "\r", "\n"];
  let seed = 4180;
  const below = (count: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % count;
  };
  let [good, bad] = [0, 0];
  for (let round = 0; round < 20_000; round += 1) {
    const text = Array.from({ length: below(16) }, () => letters[below(letters.length)]).join("");
    const { records, damage } = read(text, 1 + below(8));
    const isCsv = damage === null && records.every(({ fault }) => fault === null);
    const found = isCsv ? records.map(({ cells }) => cells) : null;
    assert.deepEqual(found, byGrammar(text), JSON.stringify(text));
    if (isCsv) good += 1;
    else bad += 1;
  }
  assert.ok(good > 1_000 && bad > 1_000, `${good} and ${bad}`);
});

/** The records of a text by the grammar as regular expressions; null if the text does not fit it. */
function byGrammar(text: string): string[][] | null {
  const cell = '(?:"(?:[^"]|"")*"|[^",\r\n]*)';
  const record = new RegExp(`^${cell}(?:,${cell})*(?=[\r\n]|$)`);
  const records: string[][] = [];
  for (let rest = text.replace(/^[\r\n]+/, ""); rest !== ""; rest = rest.replace(/^[\r\n]+/, "")) {
    const raw = record.exec(rest)?.[0];
    if (raw === undefined) return null;
    const cells = `,${raw}`.match(new RegExp(`,${cell}`, "g")) ?? [];
    records.push(cells.map((cell) => cell.slice(1)).map((cell) => (cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell)));
    rest = rest.slice(raw.length);
  }
  return records;
}

test("refs are judged as in the examples", () => {
  for (const { ref, times, fault } of examples.refs) {
    const row = rowOfJson({ line: 1, text: JSON.stringify({ ref: ref.repeat(times) }), ended: true });
    assert.deepEqual([row?.fault?.message ?? null, row?.ref === null], [fault, fault !== null], JSON.stringify(ref));
  }
});

test("content is recognized as in the examples, and each signature has one", () => {
  const names = { "\t": "a table with tabs", ";": "a table with semicolons", ",": "a table with commas" };
  for (const { begin, foreign: what, seems } of examples.contents) {
    const found = foreign(Uint8Array.from(begin, (letter) => letter.charCodeAt(0)));
    assert.equal(found === null ? null : `the file is ${found}`, what, JSON.stringify(begin));
    const [table = null] = Object.entries(names).flatMap(([separator, name]) => (isSplitEvenly(begin, separator) ? [name] : []));
    const format = formatOf("members.txt", begin);
    assert.equal(format, seems === null ? "lines" : seems.startsWith("JSON") || seems === "a JSON array" ? "ndjson" : "csv", begin);
    if (format !== "ndjson") assert.equal(table, seems, JSON.stringify(begin));
  }
  for (const [begin, what] of SIGNATURES) {
    assert.ok(examples.contents.some((content) => content.begin.startsWith(begin)), what);
  }
});
