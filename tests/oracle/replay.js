// Resolvers for graphql-js that get each field from the server with a simple document: one field with its arguments as
// variables, all of its plain fields, no aliases, no fragments, no directives. What remains for graphql-js, and is then
// compared, is everything that the specification says about executing a document.
import { getNamedType, GraphQLError, isLeafType, isObjectType } from "graphql";

/** A value that differs from one request to the next; it equals everything. */
export const VOLATILE = "(volatile)";
const VOLATILE_FIELDS = new Set(["ApiToken.lastUsedAt"]);

export class Replay {
  #schema;
  #server;
  #node;
  #cache = new Map();
  #selections = new Map();

  constructor(schema, server) {
    this.#schema = schema;
    this.#server = server;
    this.#node = schema.getType("Node");
    this.#node.resolveType = (value) => value.__typename;
    for (const type of Object.values(schema.getTypeMap())) {
      if (!isObjectType(type) || type.name.startsWith("__")) continue;
      for (const field of Object.values(type.getFields())) {
        field.resolve = (source, args, { token }) => this.#resolve(type, field, source, args, token);
      }
    }
  }

  async #resolve(type, field, source, args, token) {
    const isRoot = type === this.#schema.getQueryType() || type === this.#schema.getMutationType();
    if (isRoot || field.args.length > 0) return this.#call(type, field, isRoot ? null : source.id, args, token);
    const isKnown = field.name in source || !this.#isNode(type);
    const parent = isKnown ? source : await this.#load(type, source.id, token);
    const value = parent[field.name];
    if (value instanceof Error) throw value;
    if (VOLATILE_FIELDS.has(`${type.name}.${field.name}`)) return VOLATILE;
    return value;
  }

  #isNode(type) {
    return type === this.#node || (isObjectType(type) && type.getInterfaces().includes(this.#node));
  }

  /** Returns one field with its arguments, of a root type or of the node with this id. */
  async #call(type, field, id, args, token) {
    const given = field.args.filter(({ name }) => name in args);
    const declared = given.map((argument) => `$${argument.name}: ${argument.type}`);
    const passed = given.map(({ name }) => `${name}: $${name}`).join(", ");
    const call = `${field.name}${passed && `(${passed})`}${this.#selection(field.type)}`;
    const variables = { ...args };
    let document = call;
    const path = [field.name];
    if (id !== null) {
      declared.push("$_node: ID!");
      variables._node = id;
      document = `node(id: $_node) { ... on ${type.name} { ${call} } }`;
      path.unshift("node");
    }
    const kind = type === this.#schema.getMutationType() ? "mutation" : "query";
    document = `${kind} ${declared.length > 0 ? `(${declared.join(", ")})` : ""} { ${document} }`;
    return this.#fetch({ document, variables: JSON.stringify(variables), path }, token, kind === "query");
  }

  #load(type, id, token) {
    const document = `query ($id: ID!) { node(id: $id) { ... on ${type.name} ${this.#fields(type, true)} } }`;
    return this.#fetch({ document, variables: JSON.stringify({ id }), path: ["node"] }, token, true);
  }

  async #fetch({ document, variables, path }, token, cached) {
    const key = `${token} ${document} ${variables}`;
    let promise = this.#cache.get(key);
    if (!promise) {
      promise = this.#server.send({ document, variables }, token);
      if (cached) this.#cache.set(key, promise);
    }
    const value = extract(await promise, path, document, variables);
    if (value instanceof Error) throw value;
    return value;
  }

  /** The fields of a type that have no arguments. A node in another node is only named; it is loaded by its id. */
  #selection(type, isInNode = false) {
    const named = getNamedType(type);
    if (isLeafType(named)) return "";
    const isNode = this.#isNode(named);
    if (named === this.#node || (isNode && isInNode)) return " { __typename id }";
    return ` ${this.#fields(named, isInNode || isNode)}`;
  }

  #fields(type, isInNode) {
    const key = `${type} ${isInNode}`;
    let text = this.#selections.get(key);
    if (text === undefined) {
      const fields = Object.values(type.getFields()).filter((field) => field.args.length === 0);
      text = `{ ${fields.map((field) => field.name + this.#selection(field.type, isInNode)).join(" ")} }`;
      this.#selections.set(key, text);
    }
    return text;
  }
}

/** Returns the value at the path of a response, with its errors in the places that they name. */
function extract(response, path, document, variables) {
  if (!("data" in response)) {
    const [{ message, extensions }] = response.errors;
    const request = `${document} ${variables}`;
    return new GraphQLError(message, { extensions: { ...extensions, rejected: request } });
  }
  for (const error of response.errors ?? []) {
    const instance = new GraphQLError(error.message, { extensions: error.extensions });
    if (!error.path) return instance;
    place(response, ["data", ...error.path], instance);
  }
  let value = response.data;
  for (const step of path) {
    if (value === null || value instanceof Error) return value;
    value = value[step];
  }
  return value;
}

/** Puts an error where it happened, or where it made the value null. */
function place(holder, [step, ...rest], error) {
  if (
    rest.length > 0 &&
    holder[step] !== null &&
    typeof holder[step] === "object" &&
    !(holder[step] instanceof Error)
  ) {
    place(holder[step], rest, error);
  } else {
    holder[step] = error;
  }
}
