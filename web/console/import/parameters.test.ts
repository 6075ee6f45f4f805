import assert from "node:assert/strict";
import { test } from "node:test";

import {
  columnKey,
  fileParameters,
  initialChoices,
  inspectionParameters,
  withColumn,
  withOption,
  type Choices,
  type Column,
  type Inspection,
} from "./parameters";

const NONE: Choices = { options: {}, map: {}, omitted: [] };

const column = (name: string, key: string | null): Column => ({ name, key, type: null, samples: [] });

test("a file's extension gives its format", () => {
  const formats = ["a.csv", "A.TSV.gz", "a.jsonl", "a.ndjson.zst", "a.txt", "a", "csv"].map(
    (name) => initialChoices(name).options.format,
  );
  assert.deepEqual(formats, ["csv", "csv", "ndjson", "ndjson", undefined, undefined, undefined]);
});

test("options that change the columns reset the mapping", () => {
  const mapped = withColumn(withColumn(NONE, "Tier", "plan"), "Age", null);
  assert.deepEqual(withOption(mapped, "decimal", "comma"), { options: { decimal: "comma" }, map: { plan: "Tier" }, omitted: ["Age"] });
  assert.deepEqual(withOption(mapped, "delimiter", ";"), { options: { delimiter: ";" }, map: {}, omitted: [] });
  const csv = withOption(withOption(NONE, "delimiter", ";"), "header", "false");
  assert.deepEqual(withOption(csv, "format", "ndjson").options, { format: "ndjson" });
  assert.deepEqual(withOption(withOption(NONE, "decimal", "comma"), "decimal", null).options, {});
});

test("a key has one column, and a column one key", () => {
  const moved = withColumn(withColumn(NONE, "Tier", "plan"), "Level", "plan");
  assert.deepEqual(inspectionParameters(moved), [["map", "plan=Level"]]);
  assert.deepEqual(inspectionParameters(withColumn(moved, "Level", "ref")), [["map", "ref=Level"]]);
  assert.deepEqual(withColumn(withColumn(moved, "Level", null), "Level", "ref"), { options: {}, map: { ref: "Level" }, omitted: [] });
});

test("an import has the parameters of the inspection without the columns that are left out", () => {
  const inspection: Inspection = {
    format: "csv",
    encoding: "UTF-8",
    columns: [column("id", "ref"), column("Tier", "plan"), column("Age", "age")],
    parameters: [
      ["format", "csv"],
      ["map", "ref=id"],
      ["map", "plan=Tier"],
      ["map", "age=Age"],
    ],
    rows: [],
  };
  const choices = withOption(withColumn(NONE, "Age", null), "empty", "keep");
  assert.deepEqual(fileParameters(inspection, choices), [
    ["format", "csv"],
    ["map", "ref=id"],
    ["map", "plan=Tier"],
    ["ignore", "Age"],
    ["empty", "keep"],
  ]);
  assert.deepEqual(fileParameters(inspection, NONE), inspection.parameters);
});

test("attributes that are named as fields have a prefix", () => {
  assert.deepEqual(["plan", "ref", "sourceUpdatedAt", "attributes.x"].map(columnKey), [
    "plan",
    "attributes.ref",
    "attributes.sourceUpdatedAt",
    "attributes.attributes.x",
  ]);
});
