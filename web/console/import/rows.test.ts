import assert from "node:assert/strict";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";

import { guessColumns, type Columns, type Definition } from "./columns";
import { CsvParser } from "./csv";
import type { Kind } from "./kind";
import { LineParser } from "./lines";
import { parsed, rows } from "./rows";

const KIND: Kind = { packing: "none", encoding: "utf-8", format: "csv", separator: "," };
const SCHEMA: Definition[] = [
  { key: "plan", type: "STRING" },
  { key: "age", type: "NUMBER" },
];

type Bytes = string | Uint8Array<ArrayBuffer>;

/** The JSON of good rows, why the others are bad, and the error at the end, as the command's own tests tell them. */
async function told(content: Bytes | Bytes[], kind: Partial<Kind> = {}, schema = SCHEMA): Promise<string[]> {
  const file = new Blob([content].flat());
  const all = { ...KIND, ...kind };
  const told: string[] = [];
  try {
    const columns = all.format === "csv" ? await columnsOf(file, all, schema) : null;
    for await (const piece of rows(file, all, columns)) {
      for (const { line, ref, json, fault } of piece) {
        told.push(fault ? `${line}: ${fault.message}${ref === null ? "" : ` (${ref})`}` : `${line}: ${json}`);
      }
    }
  } catch (error) {
    told.push((error as Error).message);
  }
  return told;
}

async function columnsOf(file: Blob, { separator }: Kind, schema: Definition[]): Promise<Columns> {
  const [header] = new CsvParser(separator).push(`${(await file.text()).replace(/^\ufeff/, "")}\n`);
  const names = header?.cells ?? [];
  const { ref, sourceUpdatedAt, attributes } = guessColumns(names, schema);
  return { width: names.length, ref: ref ?? 0, sourceUpdatedAt, attributes };
}

test("a row of CSV is a member", async () => {
  const text =
    'ref,plan,age,sourceUpdatedAt\r\nann,"gold, ""x""\ny",7,2026-01-31T12:00:00Z\r\n\r\nben,,,\n"\\\\N",\\N,\\N,\\N\n';
  assert.deepEqual(await told(text), [
    '2: {"ref":"ann","attributes":{"plan":"gold, \\"x\\"\\ny","age":7},"sourceUpdatedAt":"2026-01-31T12:00:00Z"}',
    '5: {"ref":"ben","attributes":{"plan":"","age":null}}',
    '6: {"ref":"\\\\N","attributes":{"plan":null,"age":null}}',
  ]);
  assert.deepEqual(await told("ref\nann"), ['2: {"ref":"ann"}']);
  assert.deepEqual(await told('ref\n"ann"'), ['2: {"ref":"ann"}']);
  assert.deepEqual(await told("ref\rann\rben"), ['1: {"ref":"ann"}', '1: {"ref":"ben"}']);
  assert.deepEqual(await told("ref,plan"), []);
});

test("programs write CSV in many ways", async () => {
  const gold = ['2: {"ref":"ann","attributes":{"plan":"gold"}}'];
  assert.deepEqual(await told("\ufeffref;plan\r\nann;gold\r\n", { separator: ";" }), gold);
  assert.deepEqual(await told('ref\tplan\nann\t"gold"\n', { separator: "\t" }), gold);
  const utf16 = new Uint8Array([0xff, 0xfe, ...[..."ref\né\n"].flatMap((letter) => [letter.charCodeAt(0), 0])]);
  const columns = { width: 1, ref: 0, sourceUpdatedAt: null, attributes: [] };
  for (const [encoding, bytes] of [
    ["utf-16le", utf16],
    ["windows-1252", new Uint8Array([0x72, 10, 0xe9, 10])],
  ] as const) {
    const pieces = rows(new Blob([bytes]), { ...KIND, encoding }, columns);
    assert.equal((await pieces.next()).value?.[0]?.json, '{"ref":"é"}', encoding);
  }
});

test("a bad row of CSV is told", async () => {
  assert.deepEqual(await told("ref,plan\nann\nben,a,b\n\\N,x\ncid,c\n,x\nde\0,x\nan\"n,x\nend,e\n"), [
    "2: expected 2 cells, as in the header, found 1",
    "3: expected 2 cells, as in the header, found 3",
    "4: it has no ref",
    '5: {"ref":"cid","attributes":{"plan":"c"}}',
    "6: ref is empty; a ref has 1 to 1024 bytes",
    "7: ref holds a NUL character",
    '8: not CSV: a cell that is not quoted holds a quote; a quote within a cell is written twice ("") and the cell is quoted',
    '9: {"ref":"end","attributes":{"plan":"e"}}',
  ]);
});

test("a damaged file has no end", async () => {
  const first = '2: {"ref":"ann"}';
  assert.deepEqual(await told(""), ["the file is empty: it has no header"]);
  assert.deepEqual(await told("\n\r\n"), ["the file is empty: it has no header"]);
  assert.deepEqual(await told('"ref'), ["the file ends within a quoted cell, which begins in line 1"]);
  assert.deepEqual(await told('ref\nann\n"be'), [first, "the file ends within a quoted cell, which begins in line 3"]);
  assert.deepEqual(await told('ref\nann\n"be""'), [first, "the file ends within a quoted cell, which begins in line 3"]);
  assert.match((await told('"re"f\nann\n'))[0] ?? "", /^line 1: not CSV: text follows a closing quote/);
  const bad = new Uint8Array([0xff, 0x6e, 10, 0x63]);
  assert.deepEqual(await told(["ref\nann\nb", bad]), [first, "line 3 is not UTF-8"]);
  assert.deepEqual(await told(["ref\nann\nb", new Uint8Array([0xc3])]), [first, "line 3 is not UTF-8"]);
  assert.deepEqual(await told(["ref,plan\n", new Uint8Array([0xc3, 0x2c, 0xa9, 10])]), ["line 2 is not UTF-8"]);
  const open = await told(["ref\nann\n\"", "x".repeat(40 << 20)]);
  assert.deepEqual(open, [first, "the row at line 3 is longer than 16 MiB: is a quote left open?"]);
  assert.deepEqual(await told("ref", { packing: "gzip" }), ["the compressed file is damaged or truncated"]);
  assert.deepEqual(await told("", { packing: "gzip" }), ["the file is empty, as no packed file is"]);
});

test("however a text is cut into pieces, its rows are the same", async () => {
  const csv = 'ref,plan\r\nann,"a ""b"""\r\n\r\n"b\r\nc",d\n,"""\n"\rcid,"x"y\nde"f,""\n"""",""';
  const parse = async (pieces: string[]) => {
    const all = parsed((async function* () { yield* pieces; })(), new CsvParser(","));
    const records = [];
    for await (const some of all) records.push(...some);
    return records;
  };
  const whole = await parse([csv]);
  assert.deepEqual(
    whole.map(({ line, cells, fault }) => [line, ...cells, ...(fault ? [fault.slice(0, 17)] : [])]),
    [
      [1, "ref", "plan"],
      [2, "ann", 'a "b"'],
      [4, "b\r\nc", "d"],
      [6, "", '"\n'],
      [7, "not CSV: text fol"],
      [8, "not CSV: a cell t"],
      [9, '"', ""],
    ],
  );
  assert.equal(whole.map(({ raw }) => raw).join("|").includes('"b\r\nc",d'), true);
  for (let first = 0; first <= csv.length; first += 1) {
    for (let second = first; second <= csv.length; second += 1) {
      const pieces = [csv.slice(0, first), csv.slice(first, second), csv.slice(second)];
      assert.deepEqual(await parse(pieces), whole, JSON.stringify(pieces));
    }
  }
  assert.deepEqual(await parse([...csv]), whole);
  const text = "ann\r\n\nb\rc\nd";
  const parser = new LineParser();
  const lines = [...[...text].flatMap((letter) => parser.push(letter)), ...parser.end()];
  assert.deepEqual(lines, [...new LineParser().push(`${text}\n`).slice(0, 3), { line: 4, text: "d", ended: false }]);
});

test("a letter may be cut into pieces, and the line of what is none is told", async () => {
  const { Letters } = await import("./letters");
  const bytes = new TextEncoder().encode("é\n€😀\nz");
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const letters = new Letters("utf-8");
    assert.equal(letters.push(bytes.subarray(0, cut)) + letters.push(bytes.subarray(cut)), "é\n€😀\nz");
    letters.end();
    assert.equal(letters.damage, null);
    const broken = new Letters("utf-8");
    const bad = new Uint8Array([...bytes, 10, 0x41, 0xff, 10]);
    assert.equal(broken.push(bad.subarray(0, cut)) + broken.push(bad.subarray(cut)), "é\n€😀\nz\n", `cut at ${cut}`);
    assert.equal(broken.damage, "line 4 is not UTF-8");
  }
});

test("a line of JSON is a member, with its values as they are written", async () => {
  const text = `{"ref":"ann"}

 { "attributes" : {"age": 2.50, "a":[1,"\\"}]"]}, "ref": "b\\u00e9n", "sourceUpdatedAt": "2026-01-31T12:00:00Z" }
{"ref":"cid","attributes":null,"sourceUpdatedAt":null}
{"ref":"a\\\\","attributes":{"big":9007199254740993}}`;
  assert.deepEqual(await told(text, { format: "ndjson" }), [
    '1: {"ref":"ann"}',
    '3: {"ref":"bén","attributes":{"age": 2.50, "a":[1,"\\"}]"]},"sourceUpdatedAt":"2026-01-31T12:00:00Z"}',
    '4: {"ref":"cid","attributes":null,"sourceUpdatedAt":null}',
    '5: {"ref":"a\\\\","attributes":{"big":9007199254740993}}',
  ]);
});

test("a bad line of JSON still says whom it is about where it can", async () => {
  for (const [text, expected] of [
    ['{"ref":"ann","plan":"gold"}', '1: unknown field "plan" (ann)'],
    ['{"ref":"ann","attributes":[]}', "1: expected an object from key to value (ann)"],
    ['{"ref":"ann","sourceUpdatedAt":5}', "1: expected an RFC 3339 date-time, in a string (ann)"],
    ['{"ref":"ann","attributes":{},"attributes":{}}', '1: "attributes" occurs twice (ann)'],
    ['{"attributes":{}}', '1: "ref" is missing'],
    ["{}", '1: "ref" is missing'],
    ['{"ref":"ann","ref":"ben"}', '1: "ref" occurs twice'],
    ['{"ref":"ann","r\\u0065f":"ben","x":1,"x":1}', '1: "ref" occurs twice'],
    ['{"ref":""}', "1: ref is empty; a ref has 1 to 1024 bytes"],
    ['{"ref":"","attributes":[]}', "1: ref is empty; a ref has 1 to 1024 bytes"],
    ['{"ref":"a\\u0000"}', "1: ref holds a NUL character"],
    ['{"ref":7}', '1: "ref" is not a string'],
    ['{"ref":null}', '1: "ref" is not a string'],
    ['{"ref":"\\ud800"}', '1: "ref" is not a string'],
    ['["ann"]', "1: expected an object"],
    ['{"ref":"ann"', "1: it is not JSON"],
    ['{"ref":"ann"} {}', "1: it is not JSON"],
  ] as const) {
    assert.deepEqual(await told(`${text}\n`, { format: "ndjson" }), [expected], text);
  }
});

test("a last line of JSON that is cut is the end of no file", async () => {
  const text = '{"ref":"ann"}\n{"ref":"ben","attributes":{"a":1}}';
  for (let length = 15; length < text.length; length += 1) {
    const cut = await told(text.slice(0, length), { format: "ndjson" });
    assert.deepEqual(cut, ['1: {"ref":"ann"}', "the file ends in the middle of line 2"], text.slice(0, length));
  }
  assert.equal((await told(text, { format: "ndjson" })).length, 2);
});

test("a line is a ref", async () => {
  assert.deepEqual(await told('ann\r\n\n b"en \n\\N\né', { format: "lines" }), [
    '1: {"ref":"ann"}',
    '3: {"ref":" b\\"en "}',
    '4: {"ref":"\\\\N"}',
    '5: {"ref":"é"}',
  ]);
  assert.deepEqual(await told("", { format: "lines" }), []);
  assert.deepEqual(await told("a\0\nann\rben\n", { format: "lines" }), [
    "1: ref holds a NUL character",
    "2: it holds a carriage return; lines end with \\n or \\r\\n",
  ]);
  const long = await told("x".repeat(17 << 20), { format: "lines" });
  assert.deepEqual(long, ["line 1 is longer than 16 MiB: is it a file of members?"]);
});

test("packed files of several parts are read whole, wherever their bytes are cut, and one that is cut is no file", async () => {
  const lines = Array.from({ length: 300 }, (_, number) => `ref-${number}\n`);
  const parts = [lines.slice(0, 100), lines.slice(100, 101), [], lines.slice(101)];
  const packed = new Uint8Array(Buffer.concat(parts.map((part) => gzipSync(part.join("")))));
  const kind = { packing: "gzip", format: "lines" } as const;
  const whole = await told(packed, kind);
  assert.equal(whole.length, 300);
  assert.equal(whole[299], '300: {"ref":"ref-299"}');
  const { unpacked } = await import("./unpack");
  // Browsers take one part a stream; Node.js takes them all.
  let streams = 0;
  const Original = globalThis.DecompressionStream;
  after(() => (globalThis.DecompressionStream = Original));
  globalThis.DecompressionStream = class extends Original {
    constructor(format: CompressionFormat) {
      super(format);
      streams += 1;
    }
  };
  for (let cut = 0; cut <= packed.length; cut += 7) {
    const pieces = (async function* () {
      yield packed.slice(0, cut);
      yield packed.slice(cut);
    })();
    let text = "";
    streams = 0;
    for await (const bytes of unpacked(pieces, "gzip")) text += new TextDecoder().decode(bytes);
    assert.equal(text, lines.join(""), `cut at ${cut}`);
    assert.equal(streams, parts.length, `cut at ${cut}`);
  }
  const one = new Uint8Array(gzipSync(lines.join("")));
  for (let length = 1; length < one.length; length += 41) {
    const cut = await told(one.slice(0, length), kind);
    assert.equal(cut.at(-1), "the compressed file is damaged or truncated", String(length));
  }
});
