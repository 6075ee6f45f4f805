// What graphql-js says about a request.
import { buildSchema, execute, getVariableValues, Kind, OperationTypeNode, parse, validate } from "graphql";
import { adaptIntrospection, RULES } from "./allowed.js";
import { defineScalars } from "./scalars.js";

export function buildReferenceSchema(text) {
  const schema = buildSchema(text);
  defineScalars(schema);
  adaptIntrospection(schema);
  return schema;
}

/**
 * Returns the verdict: `syntax`, `validation`, `operation` and `variables` are request errors; `executed` has the
 * response, `subscription` is a valid one.
 */
export function judge(schema, request) {
  let document;
  try {
    document = parse(request.document);
  } catch (error) {
    return { kind: "syntax", errors: [error] };
  }
  const errors = validate(schema, document, RULES, { maxErrors: Infinity });
  if (errors.length > 0) return { kind: "validation", errors, document, ...failedRules(schema, document, errors[0]) };
  const operation = select(document, request.operationName);
  if (!operation) return { kind: "operation", errors: [new Error("no such operation")], document };
  const variables = JSON.parse(request.variables ?? "{}");
  const result = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
  if (result.errors) return { kind: "variables", errors: result.errors, document };
  const isSubscription = operation.operation === OperationTypeNode.SUBSCRIPTION;
  return { kind: isSubscription ? "subscription" : "executed", errors: [], document, operation, variables };
}

/** Executes a request that is valid, and returns its response. */
export async function run(schema, verdict, request, token) {
  const { document, variables: variableValues } = verdict;
  const { operationName } = request;
  return execute({ schema, document, operationName, variableValues, contextValue: { token } });
}

function select(document, name) {
  const operations = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  if (name === null || name === undefined) return operations.length === 1 ? operations[0] : undefined;
  return operations.find((operation) => operation.name?.value === name);
}

/** Names the rules that a document violates, and the one of the first error; the errors themselves do not say it. */
function failedRules(schema, document, first) {
  const failed = RULES.map((rule) => ({ name: rule.name.replace(/Rule$/, ""), errors: validate(schema, document, [rule]) }))
    .filter(({ errors }) => errors.length > 0);
  const firstRule = failed.find(({ errors }) => errors.some(({ message }) => message === first.message)).name;
  return { rule: failed.map(({ name }) => name).join(" + "), firstRule };
}
