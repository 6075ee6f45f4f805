import { graphql } from "../gql";
import type { AttributeType } from "../gql/graphql";

export interface Definition {
  key: string;
  type: AttributeType;
}

export const TYPES: { key: AttributeType; label: string; hint: string }[] = [
  { key: "STRING", label: "Text", hint: "Any text." },
  { key: "NUMBER", label: "Number", hint: "A number, such as 42 or -2.5." },
  { key: "BOOLEAN", label: "Yes or no", hint: "true or false." },
  { key: "DATE", label: "Date", hint: "A day, such as 2026-01-31, or a time, such as 2026-01-31T12:00:00Z." },
  { key: "STRING_LIST", label: "List of texts", hint: 'Such as ["a", "b"].' },
];

export const typeLabel = (type: AttributeType) => TYPES.find(({ key }) => key === type)?.label ?? type;

export const SetAttributeSchema = graphql(`
  mutation SetAttributeSchema($input: SetAttributeSchemaInput!) {
    setAttributeSchema(input: $input) {
      memberbase {
        id
        attributeSchema {
          key
          type
        }
      }
    }
  }
`);

export const CountWithAttribute = graphql(`
  query CountWithAttribute($memberbaseId: ID!, $key: String!) {
    members(memberbaseId: $memberbaseId, filter: { attribute: { key: $key, exists: true } }, first: 0) {
      totalCount
    }
  }
`);

/** Returns a message if the key can't be added. */
export function keyError(key: string, schema: readonly Definition[]): string | undefined {
  if (schema.some((attribute) => attribute.key === key)) return "An attribute with this key already exists.";
  return new TextEncoder().encode(key).length > 128 ? "A key has at most 128 bytes." : undefined;
}
