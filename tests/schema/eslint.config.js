// The published schema is held to graphql-eslint's recommended and Relay rules. Each exception has its reason.
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

      // More than recommended: words for everything that a user of the API meets. The arguments of the directives that
      // GraphQL itself defines have none, and no directive of ours has any.
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

      // Lists that are no connections are meant to be: the rows of a bulk call are answered in the order of its input,
      // look-ups in that of their ids or refs, and `nodes` beside `edges` is for those who need no cursors.
      "@graphql-eslint/relay-edge-types": ["error", { listTypeCanWrapOnlyEdgeType: false }],

      // An id is for what can be asked for again. These can't: they are parts of an answer, or events. The `id` in an upsert's
      // result is that of the member, clip and so on that the row is about, and null where there is none.
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

      // It takes `Member.memberbase` and `Member.memberbaseId` for `Member` and a rest, and knows no exceptions. A
      // memberbase is another thing, and its name is the field's own; schema.test.js sees to all other fields.
      "@graphql-eslint/no-typename-prefix": "off",
    },
  },
];
