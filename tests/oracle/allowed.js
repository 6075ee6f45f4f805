// Every difference between the server and graphql-js that is no fault of the server, with its reason.
import {
  GraphQLBoolean,
  GraphQLError,
  GraphQLNonNull,
  GraphQLString,
  introspectionTypes,
  isInterfaceType,
  isNonNullType,
  isObjectType,
  Kind,
  parse,
  print,
  specifiedRules,
  specifiedScalarTypes,
  TokenKind,
  visit,
} from "graphql";
import { VOLATILE } from "./replay.js";

/** Rules of graphql-js that the specification does not have. The server's own limits do the same. */
const OWN_RULES = ["MaxIntrospectionDepthRule"];
export const RULES = [
  ...specifiedRules.filter(({ name }) => !OWN_RULES.includes(name)),
  OneOfVariablesRule,
  SubscriptionConditionsRule,
];

/**
 * Section 5.8.5 for a variable in an input object of one field. The rule of graphql-js itself overlooks an object in a
 * position of a non-null type.
 */
function OneOfVariablesRule(context) {
  return {
    OperationDefinition(operation) {
      const definitions = operation.variableDefinitions ?? [];
      for (const { node, parentType } of context.getRecursiveVariableUsages(operation)) {
        const definition = definitions.find(({ variable }) => variable.name.value === node.name.value);
        if (!definition || !isNonNullType(parentType) || !parentType.ofType.isOneOf) continue;
        if (definition.type.kind === Kind.NON_NULL_TYPE) continue;
        context.reportError(
          new GraphQLError(`Variable "$${node.name.value}" can be null.`, { nodes: [definition, node] }),
        );
      }
    },
  };
}

/**
 * Section 5.2.4.1 of September 2025: the root fields of a subscription have no condition. The rule of graphql-js counts the
 * fields that remain.
 */
function SubscriptionConditionsRule(context) {
  const check = (selections, seen) => {
    for (const { kind, name, directives, selectionSet } of selections) {
      for (const directive of directives.filter(({ name }) => ["skip", "include"].includes(name.value))) {
        context.reportError(new GraphQLError("A root field of a subscription has a condition.", { nodes: [directive] }));
      }
      const fragment = kind === Kind.FRAGMENT_SPREAD && !seen.has(name.value) ? context.getFragment(name.value) : undefined;
      if (fragment) check(fragment.selectionSet.selections, seen.add(name.value));
      if (kind === Kind.INLINE_FRAGMENT) check(selectionSet.selections, seen);
    }
  };
  return {
    OperationDefinition({ operation, selectionSet }) {
      if (operation === "subscription") check(selectionSet.selections, new Set());
    },
  };
}

/**
 * Makes `__typename` a field of each type of a schema that is used for OverlappingFieldsCanBeMerged only (section 5.3.2).
 * The rule of graphql-js looks for a field among those of its type, and so overlooks that the type of `__typename` is not
 * that of another field.
 */
export function addTypename(schema) {
  const field = { name: "__typename", type: new GraphQLNonNull(GraphQLString), args: [], extensions: {} };
  for (const type of Object.values(schema.getTypeMap())) {
    if (isObjectType(type) || isInterfaceType(type)) type.getFields().__typename = field;
  }
}

/** Differences between complete results; `allows` is given the verdict of graphql-js and the response of the server. */
export const ALLOWED = [
  {
    name: "limit",
    reason: "the server limits the size and cost of a document; the specification leaves limits to the service",
    allows: ({ response }) => codes(response).includes("LIMIT_EXCEEDED"),
  },
  {
    name: "subscription",
    reason: "a valid subscription that is sent as a plain POST is refused, since its events need another transport",
    allows: ({ verdict, response }) =>
      ["subscription", "variables"].includes(verdict.kind) && codes(response)[0] === "BAD_REQUEST",
  },
  {
    name: "type system",
    reason: "section 3 lets a service that only executes refuse definitions of types when it parses",
    allows: ({ verdict, response }) =>
      verdict.rule?.includes("ExecutableDefinitions") && codes(response)[0] === "GRAPHQL_PARSE_FAILED",
  },
  {
    name: "row",
    reason: "a value in a variable that is out of the range or format of its scalar fails its row of a bulk call only",
    allows: ({ request, verdict, response }) =>
      verdict.kind === "variables" &&
      "data" in response &&
      request.document.includes("bulkUpsert") &&
      verdict.errors.every(({ message }) => /; (not an? |Int cannot represent non)/.test(message)),
  },
  {
    name: "row default",
    reason: "a custom scalar in a row of a bulk call is checked by the row, also where the row is a default or a literal",
    allows: ({ request, verdict, response }) =>
      verdict.rule === "ValuesOfCorrectType" &&
      ("data" in response || codes(response)[0] === "BAD_USER_INPUT") &&
      request.document.includes("bulkUpsert") &&
      verdict.errors.every(({ message }) => /^not an? /.test(message)),
  },
  {
    name: "block string",
    reason: "a block string is the same argument as an ordinary string of the same value; graphql-js compares their texts",
    allows: ({ request, verdict, response }) =>
      verdict.rule === "OverlappingFieldsCanBeMerged" &&
      codes(response)[0] !== "GRAPHQL_VALIDATION_FAILED" &&
      request.document.includes('"""'),
  },
  {
    name: "escape",
    reason: "the specification does not limit the digits of an escape with braces; graphql-js reads at most eight",
    allows: ({ request, verdict }) => verdict.kind === "syntax" && /\\u\{[0-9A-Fa-f]{9,}\}/.test(request.document),
  },
  {
    name: "repeated key",
    reason: "the server rejects an object of the variables that has a key twice; JavaScript keeps the last one",
    allows: ({ response }) => codes(response)[0] === "BAD_USER_INPUT" && response.errors[0].message.includes("is given twice"),
  },
  {
    name: "non-finite number",
    reason: "section 3.5.2 has no infinite Float; graphql-js reads 1e400 in a document as one",
    allows: ({ request, response }) =>
      response.errors?.[0].message.includes("non-finite") && /\de\d{3}/i.test(request.document),
  },
  {
    name: "number",
    reason:
      "JavaScript does not see how JSON writes a number: the server may reject 1e2 as an ID, and keeps more digits",
    allows: ({ verdict, response, request }) =>
      verdict.kind !== "variables" &&
      codes(response)[0] === "BAD_USER_INPUT" &&
      !("data" in response) &&
      [...request.variables.matchAll(NUMBER)].some(([text]) => JSON.stringify(Number(text)) !== text),
  },
];
const NUMBER = /-?\d[\d.eE+-]*(?=[,}\]])/g;

/**
 * Errors whose place is not compared: those of graphql-js itself, which have no code. They are about the arguments of a
 * field, and may be at the field, the argument or the value.
 */
export function isLoose(error) {
  return error.extensions?.code === undefined;
}

/**
 * Tells whether a place is at the beginning of the token or node that the error of graphql-js is about a part of, or within
 * the node that it is about. The specification says "the beginning of an associated syntax element" and names none: for a
 * bad number or string the server reports the beginning of the token, for an unknown fragment the spread and not its name.
 */
export function isPartOfNode(document, { kind, errors }, place) {
  const offset = offsetOf(document, place);
  const references = errors.flatMap(({ locations }) => locations ?? []).map((location) => offsetOf(document, location));
  if (kind === "syntax") return references.some((reference) => offset <= reference);
  let found = false;
  visit(parse(document), {
    enter: ({ kind: node, loc, selectionSet, description }) => {
      if (node === Kind.DOCUMENT || node === Kind.SELECTION_SET) return;
      const begins = [loc.start, ...(description ? [tokenAfter(description.loc).start] : [])];
      // What is selected is not a part of the node in this sense.
      const end = selectionSet?.loc.start ?? loc.end - 1;
      const contains = (part) => loc.start <= part && part <= end;
      found ||= references.some(
        (it) => (begins.includes(offset) && contains(it)) || (begins.includes(it) && contains(offset)),
      );
    },
  });
  return found;
}

function tokenAfter({ endToken }) {
  let token = endToken.next;
  while (token.kind === TokenKind.COMMENT) token = token.next;
  return token;
}

function offsetOf(document, { line, column }) {
  const starts = [0, ...[...document.matchAll(/\r\n|[\n\r]/g)].map(({ index, 0: end }) => index + end.length)];
  return starts[line - 1] + column - 1;
}

/** Lets graphql-js introspect a schema as the specification of September 2025 says, and as far as it does. */
export function adaptIntrospection(schema) {
  const fieldsOf = (name) => schema.getType(name).getFields();
  const owners = introspectionTypes.filter((type) => type.getFields);
  // The deprecation of directives is of a later edition.
  delete fieldsOf("__Directive").isDeprecated;
  delete fieldsOf("__Directive").deprecationReason;
  fieldsOf("__Schema").directives.args = [];
  change(fieldsOf("__Directive").locations, (locations) => locations.filter((name) => name !== "DIRECTIVE_DEFINITION"));
  change(fieldsOf("__Type").enumValues, (values) => values?.filter(({ name }) => name !== "DIRECTIVE_DEFINITION"));
  // `addTypename` adds it to the types of introspection, which all schemas share.
  change(fieldsOf("__Type").fields, (fields) => fields?.filter(({ name }) => name !== "__typename"));
  // A default can be written in many ways. This is how the text of the schema does it.
  change(fieldsOf("__InputValue").defaultValue, (text, { astNode }) =>
    astNode?.defaultValue ? print(astNode.defaultValue) : text,
  );
  // No order of types is specified. This is the order of the text of the schema, so that a difference is named well.
  const byName = (one, other) => (one.name < other.name ? -1 : 1);
  change(fieldsOf("__Schema").types, (types) => types.toSorted(byName));
  // The specification has no descriptions for what every service has.
  const everywhere = new Set([...introspectionTypes, ...specifiedScalarTypes, ...schema.getDirectives()]);
  for (const type of owners) Object.values(type.getFields()).forEach((field) => everywhere.add(field));
  for (const type of introspectionTypes) type.getValues?.().forEach((value) => everywhere.add(value));
  for (const item of [...everywhere]) item.args?.forEach((argument) => everywhere.add(argument));
  for (const { description } of owners.map((type) => type.getFields())) {
    if (description) change(description, (text, source) => (everywhere.has(source) ? VOLATILE : text));
  }
}

function change(field, result) {
  const { resolve } = field;
  field.resolve = (source, ...rest) => result(resolve(source, ...rest), source);
}

export function codes(response) {
  return (response.errors ?? []).map(({ extensions }) => extensions?.code);
}
