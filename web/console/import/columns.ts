// Maps the columns of a CSV file to the ref, the time of the last change and attributes, and converts records to rows.

import { read, toJson, type AttributeType } from "./cell";
import type { CsvRecord } from "./csv";
import { attributed, fault, INVALID_REF, type Row } from "./row";

export interface Definition {
  key: string;
  type: AttributeType;
}

export interface Columns {
  /** How many there are. */
  width: number;
  ref: number;
  /** That of the time at which the source last changed the row. */
  sourceUpdatedAt: number | null;
  attributes: readonly Attribute[];
}

export interface Attribute extends Definition {
  column: number;
}

/** How a header is understood before anybody says more: by the names, as the command `memberbase sync` understands them. */
export interface Guess {
  ref: number | null;
  sourceUpdatedAt: number | null;
  attributes: Attribute[];
  /** Columns that are nothing of this. */
  unknown: number[];
  /** Columns whose name an earlier one has too; they are among the unknown. */
  repeated: number[];
}

export const REF = "ref";
export const SOURCE_UPDATED_AT = "sourceUpdatedAt";
const ATTRIBUTE_PREFIX = "attributes.";

export function guessColumns(header: readonly string[], schema: readonly Definition[]): Guess {
  const guess: Guess = { ref: null, sourceUpdatedAt: null, attributes: [], unknown: [], repeated: [] };
  const find = (key: string) => schema.find((attribute) => attribute.key === key);
  header.forEach((name, column) => {
    const known = name.startsWith(ATTRIBUTE_PREFIX) ? (find(name.slice(ATTRIBUTE_PREFIX.length)) ?? find(name)) : find(name);
    if (header.indexOf(name) < column) {
      guess.unknown.push(column);
      guess.repeated.push(column);
    } else if (name === REF) guess.ref = column;
    else if (name === SOURCE_UPDATED_AT) guess.sourceUpdatedAt = column;
    else if (known && !guess.attributes.some(({ key }) => key === known.key)) guess.attributes.push({ ...known, column });
    else guess.unknown.push(column);
  });
  return guess;
}

/** The key that a new attribute of this column would have. */
export function keyOf(name: string): string {
  return name.startsWith(ATTRIBUTE_PREFIX) ? name.slice(ATTRIBUTE_PREFIX.length) : name;
}

/** Makes rows of records. */
export function rowOf({ width, ref, sourceUpdatedAt, attributes }: Columns): (record: CsvRecord) => Row {
  const keys = attributes.map(({ key }) => `${JSON.stringify(key)}:`);
  return ({ line, cells, raw, fault: malformed }) => {
    if (malformed !== null) return { line, raw, ref: null, json: "", fault: fault("INVALID_VALUE", malformed) };
    if (cells.length !== width) {
      // Which of its cells is the ref can't be told.
      const message = `expected ${width} cells, as in the header, found ${cells.length}`;
      return { line, raw, ref: null, json: "", fault: fault("INVALID_VALUE", message) };
    }
    const reference = read(cells[ref] ?? "");
    if (reference === null) return { line, raw, ref: null, json: "", fault: fault(INVALID_REF, "it has no ref", "ref") };
    let json = `{"ref":${JSON.stringify(reference)}`;
    for (let place = 0; place < attributes.length; place += 1) {
      const { type, column } = attributes[place] as Attribute;
      json += place === 0 ? ',"attributes":{' : ",";
      json += keys[place];
      json += toJson(type, cells[column] ?? "");
    }
    if (attributes.length > 0) json += "}";
    const time = sourceUpdatedAt === null ? null : read(cells[sourceUpdatedAt] ?? "");
    if (time) json += `,"sourceUpdatedAt":${JSON.stringify(time)}`;
    return attributed({ line, raw, ref: reference, json: `${json}}`, fault: null });
  };
}
