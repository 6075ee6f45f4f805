// Compares the response of the server with the verdict of graphql-js.
import { introspectionTypes, Kind, visit } from "graphql";
import { codes, isLoose, isPartOfNode } from "./allowed.js";
import { VOLATILE } from "./replay.js";

/** The stages of a request, in order; the server's code for an error of each. */
const STAGES = { syntax: 0, validation: 1, operation: 1, variables: 2, subscription: 3, executed: 3 };
const CODES = ["GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"];

/** The specification has three line terminators; the kinds of location errors are not told apart where one is missing. */
const LONE_RETURN = /\r(?!\n)/;
const RETURNS = "location: another one in a document with a carriage return and no line feed after it";

/**
 * Returns the kind of disagreement, or null. The kind names the first stage at which one of the two goes on and the other
 * does not, so that it is the same for all requests that fail for one reason.
 */
export function compareVerdicts(request, verdict, response) {
  const expected = STAGES[verdict.kind];
  if ("data" in response) return expected < 3 ? `${describe(verdict)}: the server executes it` : null;
  const [code] = codes(response);
  const message = `${code}: ${general(response.errors[0].message)}`;
  const actual = CODES.indexOf(code);
  if (actual < 0) return `the server responds ${message}`;
  if (actual < expected) return `no such error in graphql-js: ${message}`;
  if (actual > expected) return `${describe(verdict)}: the server does not report it`;
  return compareLocations(request, verdict, response);
}

/** Returns the kind of disagreement between two responses of an executed request, or null. */
export function compareResults(request, verdict, expected, response) {
  const names = fieldNames(verdict.document);
  return compareErrors(request.document, expected, response, names) ?? difference(expected.data, response.data, names);
}

function describe({ kind, rule, errors }) {
  if (kind === "validation") return `validation error (${rule})`;
  const message = errors[0].message.replace("Syntax Error: ", "").replace(/,? found .*|: ["U].*/, "");
  return `${kind} error (${general(message.replace(/got invalid value [^]*?(; |$)/, "got "))})`;
}

/** Replaces what differs from document to document in a message. */
function general(message) {
  return message
    .replace(/"(?:[^"\\]|\\.)*"|`[^`]*`|'[^']*'/g, "…")
    .replace(/\b[a-z]+_[0-9a-hjkmnp-tv-z]{26}\b/g, "…")
    .replace(/-?\d[\d.,e+]*/g, "0")
    .replace(/\n[\s\S]*/, "")
    .replace(/^[\w.]+ must not be null/, "… must not be null")
    .slice(0, 120);
}

/** The first error has to be at a place where the other side has one; the order of errors is left open. */
function compareLocations({ document }, verdict, response) {
  const places = (errors) => errors.flatMap((error) => error.locations ?? []);
  const [first] = places(verdict.errors);
  // Where a document violates many rules, no order of the errors is right.
  if (!first || verdict.isOnly === false) return null;
  const found = places(response.errors);
  if (found.length === 0) return `${verdict.kind} error: no location`;
  const isFound = found.some((place) => isSame(document, first, place));
  const isKnown = places(verdict.errors).some((place) => isSame(document, place, found[0]));
  if (isFound || isKnown) return null;
  if (found.some((place) => isPartOfNode(document, verdict, place))) return null;
  if (LONE_RETURN.test(document)) return RETURNS;
  return `${describe(verdict)}: another location`;
}

/** Columns may count UTF-16 units, as graphql-js does, or characters: the specification names no unit. */
function isSame(document, reference, place) {
  if (reference.line !== place.line) return false;
  if (reference.column === place.column) return true;
  const line = document.split(/\r\n|[\n\r]/)[reference.line - 1] ?? "";
  return [...line.slice(0, reference.column - 1)].length + 1 === place.column;
}

const INTROSPECTION_FIELDS = new Set(introspectionTypes.flatMap((type) => Object.keys(type.getFields?.() ?? {})));

/** Maps each response key of a document to the names of its fields. */
function fieldNames(document) {
  const names = new Map();
  visit(document, {
    [Kind.FIELD]: ({ name, alias }) => {
      const key = (alias ?? name).value;
      names.set(key, (names.get(key) ?? new Set()).add(name.value));
    },
  });
  return names;
}

/** Returns how two values differ. Lists of an introspection have no order. */
function difference(expected, actual, names, key, isIntrospection = false) {
  if (expected === VOLATILE || expected === actual) return null;
  const isNamed = (name) => !isIntrospection || INTROSPECTION_FIELDS.has(name);
  const fields = key === undefined ? "" : ` (${[...(names.get(key) ?? [])].filter(isNamed).sort().join(", ")})`;
  const place = `${isIntrospection ? "introspection" : "data"}${fields}`;
  if (expected === null || actual === null || Array.isArray(expected) !== Array.isArray(actual)) {
    return `${place}: ${shape(actual)} instead of ${shape(expected)}`;
  }
  if (typeof expected !== "object" || typeof actual !== "object") return `${place}: another value`;
  if (!Array.isArray(expected)) return objectDifference(expected, actual, names, isIntrospection);
  if (expected.length !== actual.length) return `${place}: a list of another length`;
  const compare = (item, other) => difference(item, other, names, key, isIntrospection);
  const found = expected.map((item, index) => compare(item, actual[index])).find((difference) => difference !== null);
  return found && !(isIntrospection && haveEqualItems(expected, actual, compare)) ? found : null;
}

/**
 * Tells whether the items of two lists can be paired so that both of a pair are equal. An item with a volatile value may be
 * equal to several, so a pair is parted again where that lets another item have one.
 */
function haveEqualItems(expected, actual, compare) {
  const equals = expected.map((item) => actual.flatMap((other, at) => (compare(item, other) === null ? [at] : [])));
  const partners = new Map();
  const pair = (index, tried) =>
    equals[index].some((at) => {
      if (tried.has(at)) return false;
      tried.add(at);
      if (partners.has(at) && !pair(partners.get(at), tried)) return false;
      partners.set(at, index);
      return true;
    });
  return expected.every((_, index) => pair(index, new Set()));
}

function objectDifference(expected, actual, names, isIntrospection) {
  const [keys, others] = [Object.keys(expected), Object.keys(actual)];
  if (keys.some((key) => !others.includes(key))) return "data: a key is missing";
  if (keys.length !== others.length) return "data: a key too many";
  if (keys.some((key, index) => key !== others[index])) return "data: keys in another order";
  for (const key of keys) {
    const fields = names.get(key);
    const inside = isIntrospection || fields?.has("__schema") || fields?.has("__type");
    const found = difference(expected[key], actual[key], names, key, inside);
    if (found) return found;
  }
  return null;
}

function shape(value) {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : "a value";
}

/** Compares the errors of fields, by the null that they made. */
function compareErrors(document, expected, actual, names) {
  const groups = group(expected, names);
  const others = group(actual, names);
  for (const [place, errors] of groups) {
    const found = others.get(place);
    if (!found) return `errors: ${codeOf(errors[0])} is missing: ${general(errors[0].message)}`;
    for (const error of errors) {
      const difference = differenceOfErrors(document, place, error, found, names);
      if (difference === RETURNS) return RETURNS;
      if (difference) return `errors: ${codeOf(error)} ${difference}: ${general(error.message)}`;
    }
  }
  for (const [place, errors] of others) {
    if (!groups.has(place)) return `errors: ${errors[0].extensions.code} too many: ${general(errors[0].message)}`;
  }
  return null;
}

/** Groups the errors of a response by the path of the null that each of them made. */
function group({ data, errors = [] }, names) {
  const groups = new Map();
  for (const error of errors) {
    const { path } = error;
    let length = 0;
    for (let value = data; path && value !== null && length < path.length; length += 1) value = value?.[path[length]];
    const place = path && placeOf(path.slice(0, length), names);
    groups.set(place, [...(groups.get(place) ?? []), error]);
  }
  return groups;
}

/** Returns a path as a text. The lists of an introspection have no order. */
function placeOf(path, names) {
  const fields = names.get(path[0]);
  const isIntrospection = fields?.has("__schema") || fields?.has("__type");
  return JSON.stringify(isIntrospection ? path.map((step) => (typeof step === "number" ? 0 : step)) : path);
}

/** An error of graphql-js itself has no code. The server's name for wrong arguments is BAD_USER_INPUT. */
function codeOf(error) {
  return error.extensions?.code ?? "BAD_USER_INPUT";
}

/** Returns what is wrong with the errors that made the same null as an error of graphql-js. */
function differenceOfErrors(document, place, error, found, names) {
  const path = error.path && placeOf(error.path, names);
  const same = found.find((other) => (other.path && placeOf(other.path, names)) === path);
  // Where null was propagated, any error below may be reported: a service can stop to execute the siblings of one.
  if (!same) return path === place ? "with another path" : null;
  if (same.extensions.code !== codeOf(error)) return `is ${same.extensions.code}`;
  const [reference] = error.locations ?? [];
  if (!reference) return null;
  if (!same.locations?.[0]) return "without a location";
  if (isLoose(error) || isSame(document, reference, same.locations[0])) return null;
  return LONE_RETURN.test(document) ? RETURNS : "at another place";
}
