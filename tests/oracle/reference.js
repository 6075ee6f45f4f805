// What graphql-js says about a request.
import {
  buildSchema,
  execute,
  getVariableValues,
  Kind,
  OperationTypeNode,
  OverlappingFieldsCanBeMergedRule,
  parse,
  validate,
} from "graphql";
import { adaptIntrospection, addTypename, RULES } from "./allowed.js";
import { defineScalars } from "./scalars.js";

export class Reference {
  schema;
  #merging;

  /** Takes the text of a schema. */
  constructor(text) {
    this.schema = buildSchema(text, { assumeValid: true });
    defineScalars(this.schema);
    adaptIntrospection(this.schema);
    this.#merging = buildSchema(text, { assumeValid: true });
    addTypename(this.#merging);
  }

  /**
   * Returns the verdict: `syntax`, `validation`, `operation` and `variables` are request errors; `executed` and
   * `subscription` are valid requests.
   */
  judge(request) {
    let document;
    try {
      document = parse(request.document);
    } catch (error) {
      return { kind: "syntax", errors: [error] };
    }
    const operation = select(document, request.operationName);
    const failed = this.#failedRules(document);
    if (failed.length > 0) {
      const rule = failed.map(({ name }) => name).join(" + ");
      // Of several errors, also of a missing operation, no one has to be the first.
      const isOnly = failed.length === 1 && operation !== undefined;
      return { kind: "validation", errors: failed.flatMap(({ errors }) => errors), rule, isOnly };
    }
    if (!operation) return { kind: "operation", errors: [new Error("no such operation")] };
    const variables = JSON.parse(request.variables ?? "{}");
    const result = getVariableValues(this.schema, operation.variableDefinitions ?? [], variables);
    if (result.errors) return { kind: "variables", errors: result.errors };
    const isSubscription = operation.operation === OperationTypeNode.SUBSCRIPTION;
    return { kind: isSubscription ? "subscription" : "executed", errors: [], document, variables };
  }

  /** Executes a valid request, and returns the response. */
  async run({ document, variables: variableValues }, { operationName }, token) {
    const result = await execute({
      schema: this.schema,
      document,
      operationName,
      variableValues,
      contextValue: { token },
    });
    return JSON.parse(JSON.stringify(result));
  }

  /** Returns the rules that a document violates with their errors; the errors themselves do not name the rule. */
  #failedRules(document) {
    if (isValid(this.schema, document, RULES) && isValid(this.#merging, document, [OverlappingFieldsCanBeMergedRule])) {
      return [];
    }
    const rules = RULES.map((rule) => {
      const schema = rule === OverlappingFieldsCanBeMergedRule ? this.#merging : this.schema;
      return { name: rule.name.replace(/Rule$/, ""), errors: errorsOf(schema, document, rule) };
    });
    return rules.filter(({ errors }) => errors.length > 0);
  }
}

function isValid(schema, document, rules) {
  try {
    return validate(schema, document, rules, { maxErrors: 1 }).length === 0;
  } catch {
    return false;
  }
}

/** A rule of graphql-js throws on some documents that violate another rule. That one reports them. */
function errorsOf(schema, document, rule) {
  try {
    return validate(schema, document, [rule], { maxErrors: Infinity });
  } catch {
    return [];
  }
}

function select(document, name) {
  const operations = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  if (name === null || name === undefined) return operations.length === 1 ? operations[0] : undefined;
  return operations.find((operation) => operation.name?.value === name);
}
