// Lints the published schema with graphql-eslint's recommended and Relay rules. Each exception states its reason.
//
//   node tests/schema/node_modules/eslint/bin/eslint.js --config tests/schema/eslint.config.js schema.graphql
import graphql from "@graphql-eslint/eslint-plugin";

export default [
  {
    files: ["**/*.graphql"],
    linterOptions: { reportUnusedDisableDirectives: "error" },
    languageOptions: {
      parser: graphql.parser,
      parserOptions: { graphQLConfig: { schema: "schema.graphql" } },
    },
    plugins: { "@graphql-eslint": graphql },
    rules: {
      ...graphql.configs["flat/schema-recommended"].rules,
      ...graphql.configs["flat/schema-relay"].rules,

      // Stricter than recommended: everything that API users see needs a description. Arguments of directives are excluded,
      // because those of GraphQL's built-in directives have none, and the schema defines no directives with arguments.
      "@graphql-eslint/require-description": [
        "error",
        {
          types: true,
          rootField: true,
          FieldDefinition: true,
          EnumValueDefinition: true,
          DirectiveDefinition: true,
          InputValueDefinition: true,
          ignoredSelectors: ["InputValueDefinition[parent.kind=DirectiveDefinition]"],
        },
      ],

      // Plain lists are intended: bulk results are in input order, look-ups are in the order of their ids or refs, and
      // `nodes` next to `edges` is for clients that need no cursors.
      "@graphql-eslint/relay-edge-types": ["error", { listTypeCanWrapOnlyEdgeType: false }],

      // These types are parts of a response or events and can't be fetched again, so they have no id of their own.
      "@graphql-eslint/strict-id-in-types": [
        "error",
        {
          exceptions: {
            suffixes: ["Connection", "Edge", "Payload"],
            types: [
              "AttributeDefinition",
              "DeletedRows",
              "MemberUpsertResult",
              "MemberbaseChange",
              "PageInfo",
              "RowError",
              "UpsertResult",
              "UpsertSummary",
            ],
          },
        },
      ],

      // The rule reads `Member.memberbase` and `Member.memberbaseId` as repetitions of `Member`, and supports no exceptions.
      // schema.test.js checks all other fields.
      "@graphql-eslint/no-typename-prefix": "off",
    },
  },
];
