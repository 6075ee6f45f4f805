import type { CodegenConfig } from "@graphql-codegen/cli";

// The JSON types of an attribute value. Dates are RFC 3339 strings.
const attributeValue = "string | number | boolean | string[]";

const config: CodegenConfig = {
  schema: "../schema.graphql",
  documents: ["console/**/*.{ts,tsx}", "!console/gql/**"],
  generates: {
    "console/gql/": {
      preset: "client",
      presetConfig: { fragmentMasking: false },
      config: {
        // Documents stay strings, so the pages need no GraphQL parser.
        documentMode: "string",
        // A scalar missing from the list below is an error instead of `any`.
        strictScalars: true,
        useTypeImports: true,
        enumsAsTypes: true,
        scalars: {
          ID: "string",
          DateTime: "string",
          Count: "number",
          MinorUnits: "number",
          AttributeValue: attributeValue,
          Attributes: {
            input: `Record<string, ${attributeValue} | null>`,
            output: `Record<string, ${attributeValue}>`,
          },
        },
      },
    },
  },
};

export default config;
