import assert from "node:assert/strict";
import { test } from "node:test";

import { fits, guessType, toJson, type AttributeType } from "./cell";

// The cells of the command's own test: the same cell is the same value.
const CELLS: [AttributeType, string, string][] = [
  ["STRING", "", '""'],
  ["STRING", 'a "b"\n', '"a \\"b\\"\\n"'],
  ["STRING", "\\N", "null"],
  ["STRING", "\\\\N", '"\\\\N"'],
  ["STRING", "\\\\\\N", '"\\\\\\\\N"'],
  ["STRING", "x\\N", '"x\\\\N"'],
  ["STRING", "\\", '"\\\\"'],
  ["STRING", "7", '"7"'],
  ["NUMBER", "", "null"],
  ["NUMBER", "-2.50", "-2.50"],
  ["NUMBER", "1e3", "1e3"],
  ["NUMBER", "9007199254740993", "9007199254740993"],
  ["NUMBER", "1,5", '"1,5"'],
  ["NUMBER", "007", '"007"'],
  ["NUMBER", " 7", '" 7"'],
  ["NUMBER", "7 ", '"7 "'],
  ["NUMBER", "NaN", '"NaN"'],
  ["NUMBER", "0x1", '"0x1"'],
  ["NUMBER", "1.", '"1."'],
  ["NUMBER", "\\N", "null"],
  ["BOOLEAN", "TRUE", "true"],
  ["BOOLEAN", "f", "false"],
  ["BOOLEAN", "0", "false"],
  ["BOOLEAN", "yes", '"yes"'],
  ["BOOLEAN", "", "null"],
  ["DATE", "2026-01-31", '"2026-01-31"'],
  ["DATE", "", "null"],
  ["STRING_LIST", '["a", "b"]', '["a", "b"]'],
  ["STRING_LIST", "[]", "[]"],
  ["STRING_LIST", "a,b", '"a,b"'],
  ["STRING_LIST", "[a]", '"[a]"'],
  ["STRING_LIST", "[] ", '"[] "'],
  ["STRING_LIST", "null", '"null"'],
];

test("a cell is read by the type", () => {
  for (const [type, cell, expected] of CELLS) assert.equal(toJson(type, cell), expected, `${type} ${cell}`);
});

test("what does not fit a type shows before it is sent", () => {
  for (const [type, cell, json] of CELLS) {
    const isText = json.startsWith('"') && type !== "STRING" && type !== "DATE";
    assert.equal(fits(type, cell), !isText, `${type} ${cell}`);
  }
  for (const date of ["2026-01-31", "2026-01-31T12:00:00Z", "2026-01-31t12:00:00.5+02:00"]) assert.ok(fits("DATE", date));
  for (const date of ["31/01/2026", "2026-1-31", "2026-01-31T12:00"]) assert.ok(!fits("DATE", date), date);
  assert.ok(!fits("STRING_LIST", "[1]"));
});

test("a type is guessed where all cells fit it", () => {
  const guesses: [string[], AttributeType][] = [
    [["7", "-2.5", ""], "NUMBER"],
    [["0", "1"], "NUMBER"],
    [["true", "FALSE", "\\N"], "BOOLEAN"],
    [["2026-01-31", "2026-01-31T12:00:00Z"], "DATE"],
    [['["a"]', "[]"], "STRING_LIST"],
    [["7", "x"], "STRING"],
    [["01234"], "STRING"],
    [["4111111111111111"], "STRING"],
    [["", "\\N"], "STRING"],
    [[], "STRING"],
  ];
  for (const [cells, type] of guesses) assert.equal(guessType(cells), type, JSON.stringify(cells));
});
