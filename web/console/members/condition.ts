// Conditions on attributes, and the filter that they and the prefix of a ref make.

import type { AttributeType, MemberFilter } from "../gql/graphql";
import { formatNumber } from "../format";
import { dayOf } from "./value";

export interface AttributeKey {
  key: string;
  type: AttributeType;
}

export type Operator =
  | "eq" | "nin" | "gt" | "gte" | "lt" | "lte" | "startsWith" | "contains" | "exists" | "missing";

type Value = string | number | boolean;

export interface Condition {
  key: string;
  operator: Operator;
  /** Of the attribute's type; none where the operator has none. */
  value?: Value;
}

const WORDS: Record<Operator, string> = {
  eq: "is",
  nin: "is not",
  gt: "is greater than",
  gte: "is at least",
  lt: "is less than",
  lte: "is at most",
  startsWith: "begins with",
  contains: "contains",
  exists: "has a value",
  missing: "has no value",
};
const DATE_WORDS: Partial<Record<Operator, string>> = {
  eq: "is at",
  nin: "is not at",
  gt: "is after",
  gte: "is at or after",
  lt: "is before",
  lte: "is at or before",
};
const RANGE: Operator[] = ["eq", "nin", "gt", "gte", "lt", "lte"];
const PRESENCE: Operator[] = ["exists", "missing"];
const OPERATORS: Record<AttributeType, Operator[]> = {
  STRING: ["eq", "nin", "startsWith", ...PRESENCE],
  NUMBER: [...RANGE, ...PRESENCE],
  BOOLEAN: ["eq", ...PRESENCE],
  DATE: [...RANGE, ...PRESENCE],
  STRING_LIST: ["contains", ...PRESENCE],
};

/** Those that fit the type. Of a type that is newer than this page, whether there is a value. */
export const operatorsOf = (type: AttributeType): Operator[] => OPERATORS[type] ?? PRESENCE;

export function word(operator: Operator, type?: AttributeType) {
  return (type === "DATE" && DATE_WORDS[operator]) || WORDS[operator];
}

export const needsValue = (operator: Operator) => !PRESENCE.includes(operator);

/** `tier is "gold"` */
export function describe({ key, operator, value }: Condition, type?: AttributeType) {
  return [key, word(operator, type), value === undefined ? undefined : written(value, type)].filter(Boolean).join(" ");
}

function written(value: Value, type: AttributeType | undefined) {
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value === "number") return formatNumber(value);
  return type === "DATE" ? dayOf(value) : `“${value}”`;
}

export function filterOf(ref: string, conditions: Condition[]): MemberFilter | null {
  const all: MemberFilter[] = conditions.map((condition) => ({ attribute: attributeFilter(condition) }));
  if (ref) all.unshift({ ref: { startsWith: ref } });
  return all.length ? { and: all } : null;
}

function attributeFilter({ key, operator, value }: Condition) {
  if (operator === "exists" || operator === "missing") return { key, exists: operator === "exists" };
  return { key, [operator]: operator === "nin" ? [value] : value };
}

export function isOperator(text: unknown): text is Operator {
  return typeof text === "string" && Object.hasOwn(WORDS, text);
}
