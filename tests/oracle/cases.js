// Requests on which servers are often wrong, each with what has to come out of it.
//
// `code` is that of a request error, `at` its place; `errors` are those of an executed request, as path and code; `data`
// is its data. A case with none of them only has to be executed.

import { getIntrospectionQuery } from "graphql";

const SYNTAX = "GRAPHQL_PARSE_FAILED";
const VALIDATION = "GRAPHQL_VALIDATION_FAILED";
const VARIABLES = "BAD_USER_INPUT";

const none = { memberbases: { totalCount: 0 } };
const member = "m_01kat0fzj6e2fb5e8r1mdc9w3x";
const byName = (literal) => `{ memberbases(filter: {name: {eq: ${literal}}}) { totalCount } }`;

export const CASES = [
  {
    name: "an invalid variable stops a mutation before its first field",
    document: `mutation ($d: DateTime) {
      a: createMemberbase(input: {name: "x"}) { memberbase { id } }
      b: createApiToken(input: {description: "y", access: READ, expiresAt: $d}) { secret }
    }`,
    variables: { d: "nope" },
    code: VARIABLES,
  },
  {
    name: "a surrogate pair is one character",
    document: byName('"Beta \\uD83D\\uDE00"'),
    data: { memberbases: { totalCount: 1 } },
  },
  {
    name: "an escape can have braces",
    document: byName('"Beta \\u{1F600}"'),
    data: { memberbases: { totalCount: 1 } },
  },
  { name: "half of a surrogate pair is no character", document: byName('"\\uD83D"'), code: SYNTAX, at: [1, 35] },
  { name: "an escape beyond U+10FFFF is no character", document: byName('"\\u{110000}"'), code: SYNTAX, at: [1, 35] },
  {
    name: "an object is no Count, whatever its variable is",
    document:
      'mutation ($v: Boolean) { deleteMemberbase(input: {memberbaseId: "x", atMostMembers: {id: $v}}) { deletedMemberbaseId } }',
    code: VALIDATION,
    at: [1, 85],
  },
  {
    name: "a directive on __typename uses its variable",
    document: "query ($b: Boolean!) { __typename @skip(if: $b) }",
    variables: { b: true },
    data: {},
  },
  {
    name: "an operation can have a description",
    document: '"what it is for" query Q { currentApiToken { access } }',
    data: { currentApiToken: { access: "ADMIN" } },
  },
  {
    name: "a fragment can have a description",
    document: 'query Q { ...F } """what it is for""" fragment F on Query { __typename }',
    data: { __typename: "Query" },
  },
  {
    name: "a variable can have a description",
    document: 'query ("what it is for" $id: ID!) { node(id: $id) { id } }',
    variables: { id: member },
    data: { node: null },
  },
  {
    name: "fields of different types can have different arguments under one key",
    document: `query ($id: ID!) { node(id: $id) {
      ... on Member { a: clips(first: 1) { totalCount } }
      ... on Memberbase { a: members(first: 2) { totalCount } }
    } }`,
    variables: { id: member },
    data: { node: null },
  },
  {
    name: "null for a variable with a default is no Boolean in a directive",
    document: "query ($b: Boolean = true) { memberbases @include(if: $b) { totalCount } }",
    variables: { b: null },
    errors: [[null, VARIABLES]],
  },
  {
    name: "an Int literal has 32 bits",
    document: "{ memberbases(first: 3000000000) { totalCount } }",
    code: VALIDATION,
    at: [1, 22],
  },
  {
    name: "blanks are ignored in a type",
    document: "query ($ids: [ID !] !) { nodes(ids: $ids) { id } }",
    variables: { ids: [] },
    data: { nodes: [] },
  },
  {
    name: "a comment and a line break can follow on",
    document: "{ ... on # here\nQuery { __typename } }",
    data: { __typename: "Query" },
  },
  { name: "a block string can hold three quotes", document: byName('"""a \\""" b"""'), data: none },
  {
    name: "a block string loses the indent of its lines, and short blank lines",
    document: `{ __type(name: """\n    Node\n  \n    """) { name } }`,
    data: { __type: { name: "Node" } },
  },
  {
    name: "a short blank line in a block string is an empty line",
    document: byName('"""\n    a\n  \n    b\n    """'),
    data: none,
  },
  {
    name: "minus zero is an Int",
    document: "{ memberbases(first: -0) { __typename } }",
    data: { memberbases: { __typename: "MemberbaseConnection" } },
  },
  { name: "minus zero is an ID", document: "{ node(id: -0) { id } }", errors: [[["node"], VARIABLES]] },
  {
    name: "an ID literal can have more than 64 bits",
    document: "{ node(id: 9223372036854775808) { id } }",
    errors: [[["node"], VARIABLES]],
  },
  {
    name: "null for a variable with a default fails the field that cannot take it",
    document: 'query ($v: String = "a") { __type(name: $v) { name } }',
    variables: { v: null },
    errors: [[["__type"], VARIABLES]],
  },
  {
    name: "an interface without interfaces has an empty list of them",
    document: '{ __type(name: "Node") { interfaces { name } } }',
    data: { __type: { interfaces: [] } },
  },
  {
    name: "a keyword ends where the name ends",
    document: "queryQ { memberbases { totalCount } }",
    code: SYNTAX,
    at: [1, 1],
  },
  {
    name: "a letter cannot follow a number",
    document: '{ memberbases(first: 1after: "x") { totalCount } }',
    code: SYNTAX,
    at: [1, 22],
  },
  { name: "a list of variables is not empty", document: "query () { __typename }", code: SYNTAX, at: [1, 8] },
  {
    name: "a fragment is not called on",
    document: "fragment on on Query { __typename } { ...on }",
    code: SYNTAX,
    at: [1, 10],
  },
  {
    name: "a directive on a variable has to exist",
    document: "query ($a: Int @nope) { memberbases(first: $a) { totalCount } }",
    code: VALIDATION,
    at: [1, 16],
  },
  {
    name: "a directive has only its own arguments",
    document: "{ __typename @include(iff: true) }",
    code: VALIDATION,
    at: [1, 14],
  },
  {
    name: "a variable of a directive has to exist",
    document: "{ __typename @include(if: $none) }",
    code: VALIDATION,
    at: [1, 27],
  },
  {
    name: "an operation without a name is not called by one",
    document: "{ __typename }",
    operationName: "",
    code: VALIDATION,
  },
  {
    name: "a fragment cannot spread itself",
    document: "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
    code: VALIDATION,
  },
  {
    name: "an input object of one field has only one",
    document: '{ member(by: {id: "x", ref: null}) { id } }',
    code: VALIDATION,
  },
  {
    name: "a variable in an input object of one field is not null",
    document: "query ($id: ID) { member(by: {id: $id}) { id } }",
    variables: { id: member },
    code: VALIDATION,
  },
  {
    name: "keys are in the order of the document",
    document: `{ b: __typename ... on Query { a: __typename b: __typename } ...F c: __typename }
      fragment F on Query { d: __typename a: __typename }`,
    data: { b: "Query", a: "Query", d: "Query", c: "Query" },
  },
  { name: "a document without a definition is no document", document: "# nothing\n", code: SYNTAX, at: [2, 1] },
  {
    name: "the fields of one key have one type",
    document: '{ node(id: "x") { a: id ... on Member { a: __typename } } }',
    code: VALIDATION,
  },
  {
    name: "the type of one key is compared in fragments that exclude each other",
    code: VALIDATION,
    document: '{ node(id: "x") { ... on Member { a: ref } ... on Memberbase { a: createdAt } } }',
  },
  {
    name: "a default comes before the directives of a variable",
    code: SYNTAX,
    at: [1, 22],
    document: "query ($v: Int @nope = 1) { __typename }",
  },
  {
    name: "the introspection query of graphql-js",
    document: getIntrospectionQuery({
      schemaDescription: true,
      specifiedByUrl: true,
      directiveIsRepeatable: true,
      inputValueDeprecation: true,
      oneOf: true,
    }),
  },
];
