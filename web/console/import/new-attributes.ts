// Attributes that are added to the schema for columns of the file.

import { request } from "../api/request";
import { keyError, SetAttributeSchema, type Definition } from "../attributes/schema";
import { AttributeSchema } from "../members/documents";
import { attributeOf, columnKey, isNested, withColumn, type Choices, type Column, type Inspection } from "./parameters";

/** By the names of their columns. */
export type NewAttributes = ReadonlyMap<string, Definition>;

/** Returns a new attribute for a column, with its name and the type of its values. */
export function newAttribute({ name, type }: Column): Definition {
  return { key: attributeOf(name), type: type ?? "STRING" };
}

/** Returns a message if the attribute of a column can't be added. */
export function newFault(added: NewAttributes, column: string, schema: readonly Definition[]): string | undefined {
  const key = added.get(column)?.key ?? "";
  if (key === "") return "Enter a key.";
  const same = [...added.values()].filter((other) => other.key === key).length;
  return same > 1 ? `${same} columns would be the new attribute ${key}.` : keyError(key, schema);
}

/** Adds to the present schema, which may have changed since the page was loaded. */
export async function addAttributes(memberbaseId: string, added: NewAttributes) {
  const { memberbase } = await request(AttributeSchema, { id: memberbaseId });
  const present = memberbase?.attributeSchema ?? [];
  const missing = [...added.values()].filter(({ key }) => present.every((attribute) => attribute.key !== key));
  return request(SetAttributeSchema, { input: { memberbaseId, attributes: [...present, ...missing] } });
}

/** Maps the columns to their attributes, which have been added. */
export function withAttributes(choices: Choices, { format, columns }: Inspection, added: NewAttributes): Choices {
  const mapped = columns.filter((column) => added.has(column.name) && !isNested(format, column));
  return mapped.reduce((choices, { name }) => withColumn(choices, name, columnKey(added.get(name)?.key ?? name)), choices);
}
