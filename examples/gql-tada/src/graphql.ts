// The documents' types come from the schema by inference: nothing but the schema itself is generated.
import { initGraphQLTada } from "gql.tada";
import type { introspection } from "./graphql-env";

/** What an attribute may be; a date is its RFC 3339 text. */
export type AttributeValue = string | number | boolean | string[];

export const graphql = initGraphQLTada<{
  introspection: introspection;
  scalars: {
    DateTime: string;
    Count: number;
    MinorUnits: number;
    AttributeValue: AttributeValue;
    /** In an upsert, null removes the key. */
    Attributes: Record<string, AttributeValue | null>;
  };
}>();

export { readFragment } from "gql.tada";
export type { ResultOf, VariablesOf } from "gql.tada";
