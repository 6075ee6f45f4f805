import type { CodegenConfig } from "@graphql-codegen/cli";

// What an attribute may be; a date is its RFC 3339 text.
const attributeValue = "string | number | boolean | string[]";

const config: CodegenConfig = {
  schema: "../schema.graphql",
  documents: ["console/**/*.{ts,tsx}", "!console/gql/**"],
  generates: {
    "console/gql/": {
      preset: "client",
      presetConfig: { fragmentMasking: false },
      config: {
        // The documents stay text: nothing of the page parses GraphQL.
        documentMode: "string",
        // A scalar that is not named below is an error, not `any`.
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
