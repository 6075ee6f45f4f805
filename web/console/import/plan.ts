// The plan of an import: the format of the file, and the attribute that each column is imported as.

import { keyError, type Definition } from "../attributes/schema";
import { fits, guessType, type AttributeType } from "./cell";
import { guessColumns, keyOf, type Columns } from "./columns";
import type { Kind } from "./kind";
import type { Mode } from "./run";
import { sample, type Sample } from "./sample";

export type Target =
  | { to: "nothing" }
  | { to: "attribute"; key: string }
  /** One that is not declared yet. */
  | { to: "new"; key: string; type: AttributeType };

export interface Column {
  name: string;
  /** Some of its cells. */
  examples: string[];
  target: Target;
  /** Whether an earlier column has the same name. */
  isRepeated: boolean;
}

/** A key of NDJSON that is not declared. */
export interface NewKey extends Definition {
  isWanted: boolean;
}

export interface Plan {
  file: File;
  /** What the person said of the file. */
  said: Partial<Kind>;
  sample: Sample;
  ref: number | null;
  sourceUpdatedAt: number | null;
  columns: Column[];
  newKeys: NewKey[];
  mode: Mode;
  /** Whether members that are not in the file are deleted. */
  replaces: boolean;
}

const EXAMPLES = 3;
const NOTHING: Target = { to: "nothing" };

export async function planOf(file: File, said: Partial<Kind>, schema: readonly Definition[]): Promise<Plan> {
  const seen = await sample(file, said);
  const [header, ...records] = seen.records;
  const names = header?.cells ?? [];
  const guess = guessColumns(names, schema);
  const columns = names.map((name, column): Column => {
    const key = guess.attributes.find((attribute) => attribute.column === column)?.key;
    const cells = records.slice(0, 200).map(({ cells }) => cells[column] ?? "");
    return {
      name,
      examples: [...new Set(cells.filter((cell) => cell !== ""))].slice(0, EXAMPLES),
      target: key === undefined ? NOTHING : { to: "attribute", key },
      isRepeated: guess.repeated.includes(column),
    };
  });
  const { ref, sourceUpdatedAt } = guess;
  const newKeys = seen.kind.format === "ndjson" ? undeclared(seen, schema) : [];
  return { file, said, sample: seen, ref, sourceUpdatedAt, columns, newKeys, mode: "UPSERT", replaces: false };
}

/** A new attribute for a column, typed by its cells. */
export function newAttribute({ sample }: Plan, column: number): Target {
  const [header, ...records] = sample.records;
  const cells = records.slice(0, 1_000).map(({ cells }) => cells[column] ?? "");
  return { to: "new", key: keyOf(header?.cells[column] ?? ""), type: guessType(cells) };
}

function undeclared({ lines }: Sample, schema: readonly Definition[]): NewKey[] {
  const found = new Map<string, AttributeType>();
  for (const { text } of lines.slice(0, 1_000)) {
    for (const [key, value] of Object.entries(attributesOf(text))) {
      const type = typeOf(value);
      if (type !== null && !schema.some((attribute) => attribute.key === key)) {
        const before = found.get(key);
        found.set(key, before === undefined || before === type ? type : "STRING");
      }
    }
  }
  return [...found].map(([key, type]) => ({ key, type, isWanted: false }));
}

export function attributesOf(text: string): Record<string, unknown> {
  try {
    const { attributes } = JSON.parse(text) as { attributes?: unknown };
    return typeof attributes === "object" && attributes !== null ? (attributes as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function typeOf(value: unknown): AttributeType | null {
  if (typeof value === "number") return "NUMBER";
  if (typeof value === "boolean") return "BOOLEAN";
  if (Array.isArray(value)) return "STRING_LIST";
  if (typeof value !== "string") return null;
  return value !== "" && fits("DATE", value) ? "DATE" : "STRING";
}

/** Where in a row is what, once the schema holds what is new. */
export function columnsOf({ sample, ref, sourceUpdatedAt, columns }: Plan, schema: readonly Definition[]): Columns | null {
  if (sample.kind.format !== "csv" || ref === null) return null;
  const attributes = columns.flatMap(({ target }, column) => {
    if (target.to === "nothing") return [];
    const type = target.to === "new" ? target.type : schema.find(({ key }) => key === target.key)?.type;
    return type === undefined ? [] : [{ key: target.key, type, column }];
  });
  return { width: columns.length, ref, sourceUpdatedAt, attributes };
}

/** The attributes that are to be declared first. */
export function toDeclare({ columns, newKeys, sample }: Plan): Definition[] {
  if (sample.kind.format === "ndjson") return newKeys.filter(({ isWanted }) => isWanted).map(({ key, type }) => ({ key, type }));
  if (sample.kind.format !== "csv") return [];
  return columns.flatMap(({ target }) => (target.to === "new" ? [{ key: target.key, type: target.type }] : []));
}

/** Why a column can't become what it is to become, in a sentence. */
export function columnFault({ columns }: Plan, column: number, schema: readonly Definition[]): string | undefined {
  const target = columns[column]?.target ?? NOTHING;
  if (target.to === "nothing") return undefined;
  if (target.to === "new" && target.key === "") return "Enter a key.";
  const same = columns.filter((other) => other.target.to !== "nothing" && other.target.key === target.key);
  if (same.length > 1) return `${same.length} columns are imported as ${target.key}.`;
  return target.to === "new" ? keyError(target.key, schema) : undefined;
}

/** Whether it can be done as it is. */
export function isReady(plan: Plan, schema: readonly Definition[]): boolean {
  if (plan.sample.kind.format !== "csv") return true;
  return plan.ref !== null && plan.columns.every((_, column) => columnFault(plan, column, schema) === undefined);
}
