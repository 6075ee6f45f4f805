import assert from "node:assert/strict";
import { test } from "node:test";

import type { Rejected } from "./events";
import { Rejects } from "./rejects";

const rejected = (line: number, more: Partial<Rejected> = {}): Rejected => ({
  event: "rejected",
  line,
  code: "INVALID_VALUE",
  message: "no",
  path: [],
  ...more,
});

test("the first rejected rows are kept in the order of the file", () => {
  const rejects = new Rejects();
  for (let line = 1_000; line > 0; line -= 1) rejects.add(rejected(line));
  assert.equal(rejects.count, 1_000);
  assert.deepEqual(
    rejects.first.map(({ line }) => line),
    Array.from({ length: 50 }, (_, at) => at + 1),
  );
});

test("the file has a record for each error of a row", async () => {
  const rejects = new Rejects();
  rejects.add(rejected(12, { row: 'ann,"' }));
  rejects.add(
    rejected(3, {
      ref: "ben",
      column: "Age",
      row: { ref: "ben" },
      more: [{ code: "A", message: 'say "no",\nplease', path: ["attributes", "plan"] }],
    }),
  );
  assert.equal(
    await rejects.file().text(),
    "line,ref,column,code,message,row\r\n" +
      '3,ben,Age,INVALID_VALUE,no,"{""ref"":""ben""}"\r\n' +
      '3,ben,attributes.plan,A,"say ""no"",\nplease","{""ref"":""ben""}"\r\n' +
      '12,,,INVALID_VALUE,no,"ann,"""\r\n',
  );
});
