// The state of the member list. All of it is in the address, so that reload, back and links restore it.

import type { MemberOrderField, OrderDirection } from "../gql/graphql";
import { type Condition, isOperator } from "./condition";

export interface ListState {
  ref: string;
  conditions: Condition[];
  order: OrderKey;
  size: number;
  after: string | null;
  before: string | null;
  /** Keys of the shown attributes; null for the default columns. */
  columns: string[] | null;
  /** The id of the member in the panel. */
  member: string | null;
}

export type OrderKey = `${MemberOrderField}.${OrderDirection}`;

export const ORDERS: { key: OrderKey; label: string }[] = [
  { key: "CREATED_AT.DESC", label: "Newest first" },
  { key: "CREATED_AT.ASC", label: "Oldest first" },
  { key: "UPDATED_AT.DESC", label: "Recently updated" },
  { key: "UPDATED_AT.ASC", label: "Least recently updated" },
  { key: "REF.ASC", label: "Ref, A to Z" },
  { key: "REF.DESC", label: "Ref, Z to A" },
];
export const SIZES = ["25", "50", "100", "200"];
const DEFAULT_ORDER: OrderKey = "CREATED_AT.DESC";
const DEFAULT_SIZE = 50;

export function listStateFrom(search: URLSearchParams): ListState {
  const order = ORDERS.find(({ key }) => key === search.get("order"))?.key ?? DEFAULT_ORDER;
  const columns = search.getAll("column");
  return {
    ref: search.get("ref") ?? "",
    conditions: search.getAll("where").flatMap(conditionFrom),
    order,
    size: SIZES.includes(search.get("size") ?? "") ? Number(search.get("size")) : DEFAULT_SIZE,
    after: search.get("after"),
    before: search.get("before"),
    columns: columns.length ? columns.filter(Boolean) : null,
    member: search.get("member"),
  };
}

/** Returns an empty list for an invalid condition: addresses can be edited by hand. */
function conditionFrom(text: string): Condition[] {
  try {
    const [key, operator, value] = JSON.parse(text) as unknown[];
    if (typeof key !== "string" || !isOperator(operator)) return [];
    const isValue = ["string", "number", "boolean"].includes(typeof value);
    return [{ key, operator, ...(isValue && { value: value as string | number | boolean }) }];
  } catch {
    return [];
  }
}

export function toSearchParams(state: ListState): URLSearchParams {
  const search = new URLSearchParams();
  if (state.ref) search.set("ref", state.ref);
  for (const { key, operator, value } of state.conditions) {
    search.append("where", JSON.stringify(value === undefined ? [key, operator] : [key, operator, value]));
  }
  if (state.order !== DEFAULT_ORDER) search.set("order", state.order);
  if (state.size !== DEFAULT_SIZE) search.set("size", String(state.size));
  if (state.after) search.set("after", state.after);
  if (state.before) search.set("before", state.before);
  if (state.columns) {
    // An empty column means that no attributes are shown.
    for (const key of state.columns.length ? state.columns : [""]) search.append("column", key);
  }
  if (state.member) search.set("member", state.member);
  return search;
}

export const FIRST_PAGE = { after: null, before: null };

export function toMemberOrder(order: OrderKey) {
  const [field, direction] = order.split(".") as [MemberOrderField, OrderDirection];
  return { field, direction };
}
