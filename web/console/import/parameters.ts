// The parameters of `POST /import`, from what the server recognizes in a file and what the user chooses.

import type { AttributeType } from "../gql/graphql";
import type { Fault } from "./events";

export type Parameters = [name: string, value: string][];

export type Format = "csv" | "ndjson" | "lines";

/** The response to an inspection. */
export interface Inspection {
  format: Format;
  encoding: string;
  columns: Column[];
  /** The parameters with which the file can be imported. */
  parameters: Parameters;
  rows: Row[];
  /** Why the file can't be read with these parameters. */
  problem?: string;
}

/** A column of CSV, or a field of NDJSON. */
export interface Column {
  name: string;
  /** The type of its values; null if it has none. */
  type: AttributeType | null;
  samples: string[];
  /** `ref`, `sourceUpdatedAt` or an attribute; null if the column is left out. */
  key: string | null;
}

export interface Row {
  line: number;
  /** The member, or else the cells or the text of the row. */
  row?: unknown;
  errors?: Fault[];
}

export type OptionName = "format" | "encoding" | "delimiter" | "header" | "decimal" | "dateOrder" | "empty";

/** What the user has chosen; the server recognizes the rest. */
export interface Choices {
  options: Partial<Record<OptionName, string>>;
  /** Names of columns by key. */
  map: Record<string, string>;
  /** Names of columns that are left out although their names are similar to a key. */
  omitted: string[];
}

export const REF = "ref";
export const SOURCE_UPDATED_AT = "sourceUpdatedAt";
const ATTRIBUTE_PREFIX = "attributes.";

const EXTENSIONS: Record<string, Format> = { csv: "csv", tsv: "csv", tab: "csv", ndjson: "ndjson", jsonl: "ndjson" };

/** Returns the choices that a file's name makes. */
export function initialChoices(fileName: string): Choices {
  const [, extension = ""] = /\.([^.]+)(?:\.(?:gz|zst))?$/.exec(fileName.toLowerCase()) ?? [];
  const format = EXTENSIONS[extension];
  return { options: format ? { format } : {}, map: {}, omitted: [] };
}

/** Sets an option, or lets the server recognize it if the value is null. */
export function withOption(choices: Choices, name: OptionName, value: string | null): Choices {
  const options = { ...choices.options };
  delete options[name];
  if (value !== null) options[name] = value;
  if (name === "format") {
    delete options.delimiter;
    delete options.header;
  }
  // With these, the file has other columns.
  const changesColumns = ["format", "encoding", "delimiter", "header"].includes(name);
  return changesColumns ? { options, map: {}, omitted: [] } : { ...choices, options };
}

/** Maps a column to a key, or leaves it out if the key is null. */
export function withColumn(choices: Choices, column: string, key: string | null): Choices {
  const others = Object.entries(choices.map).filter(([, name]) => name !== column);
  const omitted = choices.omitted.filter((name) => name !== column);
  return key === null
    ? { ...choices, map: Object.fromEntries(others), omitted: [...omitted, column] }
    : { ...choices, map: { ...Object.fromEntries(others), [key]: column }, omitted };
}

export function inspectionParameters({ options, map }: Choices): Parameters {
  return [...Object.entries(options), ...mapParameters(map)];
}

/** Returns the parameters that read the file as it was inspected, without the columns that the user leaves out. */
export function fileParameters({ parameters, columns }: Inspection, { options, omitted }: Choices): Parameters {
  const left = columns.filter(({ name, key }) => key !== null && omitted.includes(name));
  const leftOut = left.map(({ name, key }) => `${key}=${name}`);
  const kept = parameters.filter(([name, value]) => name !== "map" || !leftOut.includes(value));
  kept.push(...left.map(({ name }): Parameters[number] => ["ignore", name]));
  // The server does not suggest it.
  if (options.empty !== undefined) kept.push(["empty", options.empty]);
  return kept;
}

function mapParameters(map: Choices["map"]): Parameters {
  return Object.entries(map).map(([key, column]) => ["map", `${key}=${column}`]);
}

/** Returns the key that a column is imported as; null if it is left out. */
export function keyOf({ name, key }: Column, { omitted }: Choices): string | null {
  return omitted.includes(name) ? null : key;
}

/** Returns the name of an attribute as a key of columns: some attributes are named as fields of members are. */
export function columnKey(attribute: string): string {
  const isReserved = attribute === REF || attribute === SOURCE_UPDATED_AT || attribute.startsWith(ATTRIBUTE_PREFIX);
  return isReserved ? ATTRIBUTE_PREFIX + attribute : attribute;
}

/** Returns the attribute that a column with this name would be: the reverse of `columnKey`. */
export function attributeOf(key: string): string {
  return key.startsWith(ATTRIBUTE_PREFIX) ? key.slice(ATTRIBUTE_PREFIX.length) : key;
}

/** Returns whether the field is one of the object `attributes` of NDJSON, where the names are those of attributes. */
export function isNested(format: Format, { name }: Column): boolean {
  return format === "ndjson" && name.startsWith(ATTRIBUTE_PREFIX);
}
