import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { guessColumns } from "./columns";
import { encodingOf, formatOf, packingOf } from "./kind";
import { sample } from "./sample";

test("a name tells packing and format, and the first bytes where it does not", () => {
  const none = new Uint8Array();
  for (const [name, packing, format] of [
    ["members.csv", "none", "csv"],
    ["a.b/members.CSV.GZ", "gzip", "csv"],
    ["members.ndjson.zst", "zstd", "ndjson"],
    ["members.jsonl", "none", "ndjson"],
    ["members.txt", "none", "lines"],
    ["members", "none", "lines"],
    ["members.zst", "zstd", "lines"],
    ["members.tsv", "none", "csv"],
  ] as const) {
    assert.deepEqual([packingOf(name, none), formatOf(name, "")], [packing, format], name);
  }
  assert.equal(packingOf("members.csv", new Uint8Array([0x1f, 0x8b])), "gzip");
  assert.equal(packingOf("members.csv", new Uint8Array([0x28, 0xb5, 0x2f, 0xfd])), "zstd");
  assert.equal(formatOf("export.2026-11-24", ' {"ref"'), "ndjson");
  assert.equal(formatOf("export.2026-11-24", "ref;plan\n"), "csv");
  assert.equal(formatOf("export.2026-11-24", "ann\nben, c\n"), "lines");
});

test("letters are guessed by the mark, or by what they can't be", () => {
  assert.equal(encodingOf(new Uint8Array([0xff, 0xfe, 0x61, 0])), "utf-16le");
  assert.equal(encodingOf(new Uint8Array([0xfe, 0xff, 0, 0x61])), "utf-16be");
  assert.equal(encodingOf(new TextEncoder().encode("é").subarray(0, 1)), "utf-8");
  assert.equal(encodingOf(new Uint8Array([0x72, 0xe9, 0x66])), "windows-1252");
});

test("a separator is the one that makes even cells", async () => {
  for (const [text, separator, width] of [
    ["ref,plan\nann,a;b\nben,c;d;e\n", ",", 2],
    ["ref;amount\nann;1,5\nben;2,5\n", ";", 2],
    ["ref\tnote\nann\ta, b; c\n", "\t", 2],
    ['ref|note\nann|"a,b,c"\n', "|", 2],
    ["ref\nann\nben\n", ",", 1],
    ["ref;a", ";", 2],
  ] as const) {
    const { kind, records, isAll } = await sample(new File([text], "members.csv"), {});
    assert.deepEqual([kind.separator, records[0]?.cells.length, isAll], [separator, width, true], text);
  }
  const said = await sample(new File(["a;b,c\n"], "members.csv"), { separator: "," });
  assert.deepEqual(said.records[0]?.cells, ["a;b", "c"]);
});

test("a large file is sampled by its begin", async () => {
  const text = "ref,plan\n" + "ann,gold\n".repeat(100_000);
  const { records, isAll } = await sample(new File([text], "members.csv"), {});
  assert.ok(records.length > 1000 && records.length < 100_000);
  assert.equal(isAll, false);
  const none = await sample(new File([""], "members.csv"), {});
  assert.deepEqual(none.records, []);
});

test("a text whose name says little is what it looks like", async () => {
  for (const [text, format, separator] of [
    ["ref\tplan\nann\tgold, new\n", "csv", "\t"],
    ["ref;plan\nann;1,5\nben;2\n", "csv", ";"],
    ["ref,plan\nann,gold\n", "csv", ","],
    ["ann\nben, c\n", "lines", ","],
    ["shop|ann\nshop|ben\n", "lines", ","],
    ['{"ref":"ann"}\n', "ndjson", ","],
    ['[\n  {"ref": "ann"}\n]\n', "ndjson", ","],
  ] as const) {
    for (const name of ["members.txt", "members", "members.list"]) {
      if (name === "members.list" && text.includes("|")) continue;
      const { kind } = await sample(new File([text], name), {});
      assert.equal(kind.format, format, `${name}: ${text}`);
      if (format === "csv") assert.equal(kind.separator, separator, text);
    }
  }
  const said = await sample(new File(["a,b\nc,d\n"], "members.txt"), { format: "lines" });
  assert.deepEqual(said.lines.map(({ text }) => text), ["a,b", "c,d"]);
});

test("Excel's Unicode text is a table", async () => {
  const text = "ref\tplan\r\nann\tgold\r\n";
  for (const mark of ["\ufeff", ""]) {
    const bytes = new Uint8Array(new Uint16Array([...(mark + text)].map((letter) => letter.charCodeAt(0))).buffer);
    const { kind, records } = await sample(new File([bytes], "members.txt"), {});
    assert.deepEqual([kind.encoding, kind.format, kind.separator], ["utf-16le", "csv", "\t"]);
    assert.deepEqual(records.map(({ cells }) => cells), [["ref", "plan"], ["ann", "gold"]]);
    const said = sample(new File([bytes], "members.txt"), { encoding: "windows-1252" });
    await assert.rejects(said, { message: "the file is UTF-16 text: save it as UTF-8" });
  }
});

test("a file of another kind is rejected, packed or not", async () => {
  const workbook = "PK\x03\x04\x14\0\x06\0xl/workbook.xml\n";
  const zip = "the file is a workbook (.xlsx, .ods) or another zip file: save it as CSV";
  for (const name of ["members.xlsx", "members.txt", "members.csv", "members", "members.ndjson"]) {
    await assert.rejects(sample(new File([workbook], name), {}), { message: zip }, name);
  }
  await assert.rejects(sample(new File([gzipSync(workbook)], "members.csv.gz"), {}), { message: zip });
  await assert.rejects(sample(new File([gzipSync(gzipSync("ref\n"))], "members.csv.gz"), {}), { message: /packed with gzip/ });
  const png = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 0x1a, 10, 0xe9]);
  await assert.rejects(sample(new File([png], "members.txt"), {}), { message: "the file is a PNG image: save it as CSV" });
  const nul = sample(new File(["ref,plan\nann,go\0ld\n"], "members.csv"), {});
  await assert.rejects(nul, { message: "the file contains NUL bytes, so it is not text: save it as CSV" });
  const header = sample(new File(['ref,"pl"an"\nann,gold\n'], "members.csv"), {});
  await assert.rejects(header, { message: /^line 1: not CSV: text follows a closing quote;/ });
});

test("columns are what they are called", () => {
  const schema = (["plan", "age", "ref", "attributes.x"] as const).map((key) => ({ key, type: "STRING" as const }));
  const guess = (...header: string[]) => guessColumns(header, schema);
  assert.deepEqual(guess("age", "ref", "plan").attributes.map(({ key, column }) => [key, column]), [
    ["age", 0],
    ["plan", 2],
  ]);
  const escaped = guess("ref", "attributes.ref", "attributes.attributes.x", "attributes.plan", "sourceUpdatedAt");
  assert.deepEqual([escaped.ref, escaped.sourceUpdatedAt], [0, 4]);
  assert.deepEqual(escaped.attributes.map(({ key }) => key), ["ref", "attributes.x", "plan"]);
  assert.deepEqual(guess("id", "plan", "plan", "attributes.plan").unknown, [0, 2, 3]);
  assert.deepEqual(guess("id", "plan", "plan").repeated, [2]);
  assert.equal(guess("id").ref, null);
});
