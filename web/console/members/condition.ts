// Conditions on attributes, and the member filter made from them and a ref prefix.

import type { AttributeType, MemberFilter } from "../gql/graphql";
import { formatNumber } from "../format";
import { formatDateValue } from "./value";

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
  /** A value of the attribute's type; omitted if the operator takes none. */
  value?: Value;
}

const OPERATOR_LABELS: Record<Operator, string> = {
  eq: "is",
  nin: "is not",
  gt: "is greater than",
  gte: "is at least",
  lt: "is less than",
  lte: "is at most",
  startsWith: "starts with",
  contains: "contains",
  exists: "has a value",
  missing: "has no value",
};
const DATE_OPERATOR_LABELS: Partial<Record<Operator, string>> = {
  eq: "is on",
  nin: "is not on",
  gt: "is after",
  gte: "is on or after",
  lt: "is before",
  lte: "is on or before",
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

/** Returns the operators of a type. For types unknown to this version of the console, only the presence of a value. */
export const operatorsOf = (type: AttributeType): Operator[] => OPERATORS[type] ?? PRESENCE;

export function operatorLabel(operator: Operator, type?: AttributeType) {
  return (type === "DATE" && DATE_OPERATOR_LABELS[operator]) || OPERATOR_LABELS[operator];
}

export const needsValue = (operator: Operator) => !PRESENCE.includes(operator);

/** Returns, for example, `tier is “gold”`. */
export function describeCondition({ key, operator, value }: Condition, type?: AttributeType) {
  const words = [key, operatorLabel(operator, type)];
  if (value !== undefined) words.push(formatValue(value, type));
  return words.join(" ");
}

function formatValue(value: Value, type: AttributeType | undefined) {
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value === "number") return formatNumber(value);
  return type === "DATE" ? formatDateValue(value) : `“${value}”`;
}

export function toMemberFilter(ref: string, conditions: Condition[]): MemberFilter | null {
  const all: MemberFilter[] = conditions.map((condition) => ({ attribute: attributeFilter(condition) }));
  if (ref) all.unshift({ ref: { startsWith: ref } });
  return all.length ? { and: all } : null;
}

function attributeFilter({ key, operator, value }: Condition) {
  if (operator === "exists" || operator === "missing") return { key, exists: operator === "exists" };
  return { key, [operator]: operator === "nin" ? [value] : value };
}

export function isOperator(text: unknown): text is Operator {
  return typeof text === "string" && Object.hasOwn(OPERATOR_LABELS, text);
}
