// Where the reader is in the list: all of it stands in the address, so that reload, back and links lead there again.

import type { MemberOrderField, OrderDirection } from "../gql/graphql";
import { type Condition, isOperator } from "./condition";

export interface Place {
  ref: string;
  conditions: Condition[];
  order: OrderKey;
  size: number;
  after: string | null;
  before: string | null;
  /** Keys of attributes; null: as many as there is room for. */
  columns: string[] | null;
  /** The member in the panel. */
  member: string | null;
}

export type OrderKey = `${MemberOrderField}.${OrderDirection}`;

export const ORDERS: { key: OrderKey; label: string }[] = [
  { key: "CREATED_AT.DESC", label: "Newest first" },
  { key: "CREATED_AT.ASC", label: "Oldest first" },
  { key: "UPDATED_AT.DESC", label: "Latest changes" },
  { key: "UPDATED_AT.ASC", label: "Longest unchanged" },
  { key: "REF.ASC", label: "Ref, A to Z" },
  { key: "REF.DESC", label: "Ref, Z to A" },
];
export const SIZES = ["25", "50", "100", "200"];
const ORDER: OrderKey = "CREATED_AT.DESC";
const SIZE = 50;

export function placeFrom(search: URLSearchParams): Place {
  const order = ORDERS.find(({ key }) => key === search.get("order"))?.key ?? ORDER;
  const columns = search.getAll("column");
  return {
    ref: search.get("ref") ?? "",
    conditions: search.getAll("where").flatMap(conditionFrom),
    order,
    size: SIZES.includes(search.get("size") ?? "") ? Number(search.get("size")) : SIZE,
    after: search.get("after"),
    before: search.get("before"),
    columns: columns.length ? columns.filter(Boolean) : null,
    member: search.get("member"),
  };
}

/** Anybody can write an address: what makes no sense in it is passed over. */
function conditionFrom(text: string): Condition[] {
  try {
    const [key, operator, value] = JSON.parse(text) as unknown[];
    if (typeof key !== "string" || !isOperator(operator)) return [];
    const fits = ["string", "number", "boolean"].includes(typeof value);
    return [{ key, operator, ...(fits && { value: value as string | number | boolean }) }];
  } catch {
    return [];
  }
}

export function parametersOf(place: Place): URLSearchParams {
  const search = new URLSearchParams();
  if (place.ref) search.set("ref", place.ref);
  for (const { key, operator, value } of place.conditions) {
    search.append("where", JSON.stringify(value === undefined ? [key, operator] : [key, operator, value]));
  }
  if (place.order !== ORDER) search.set("order", place.order);
  if (place.size !== SIZE) search.set("size", String(place.size));
  if (place.after) search.set("after", place.after);
  if (place.before) search.set("before", place.before);
  if (place.columns) {
    // An empty one says that there is to be none.
    for (const key of place.columns.length ? place.columns : [""]) search.append("column", key);
  }
  if (place.member) search.set("member", place.member);
  return search;
}

export const START = { after: null, before: null };

export function orderOf(order: OrderKey) {
  const [field, direction] = order.split(".") as [MemberOrderField, OrderDirection];
  return { field, direction };
}
