// Generates requests from the schema. Most are valid; `mutate.js` makes others of them.
import {
  getNamedType,
  GraphQLNonNull,
  isAbstractType,
  isLeafType,
  isListType,
  isNonNullType,
  parse,
  visit,
} from "graphql";
import { literal, Values } from "./values.js";

const ALIASES = ["a", "b", "c", "id", "nodes", "__x", "__proto__", "constructor", "on", "query", "true", "A1_"];
const PAGES = [[], [], ["first"], ["last"], ["first", "after"], ["last", "before"]];
const MAX_DEPTH = 7;

/** Returns a request for this schema and data: `{ document, variables, operationName }`, with variables as JSON text. */
export function generate(schema, data, random) {
  return new Generator(schema, data, random).request();
}

class Generator {
  #schema;
  #random;
  #values;
  #variables = new Map();
  #fragments = new Map();
  #keys = new Map();
  #loose;
  #dryRun;
  #budget;

  constructor(schema, data, random) {
    this.#schema = schema;
    this.#random = random;
    this.#values = new Values(random, data);
    // Loose documents may use one response key for different fields of one scope, which is an error if it is used.
    this.#loose = random.chance(0.1);
    this.#dryRun = random.chance(0.6);
    this.#budget = random.pick([5, 15, 40]);
  }

  request() {
    const random = this.#random;
    const count = random.chance(0.1) ? random.between(2, 3) : 1;
    const operations = Array.from({ length: count }, (_, index) => this.#operation(index, count));
    const bodies = operations.map(({ keyword, body }) => `${keyword} ${body}`);
    const fragments = [...this.#fragments.values()].map(
      ({ name, type, body }) => `fragment ${name} on ${type} ${body}`,
    );
    const used = usedVariables(bodies, fragments);
    const texts = operations.map((operation, index) => this.#write(operation, used[index]));
    const definitions = random.chance(0.3) ? random.shuffled([...texts, ...fragments]) : [...texts, ...fragments];
    const chosen = random.pick(operations).name ?? null;
    return {
      document: definitions.map((definition) => this.#described(definition)).join("\n"),
      variables: this.#variableValues(),
      operationName: count === 1 && random.chance(0.7) ? null : chosen,
    };
  }

  #operation(index, count) {
    const random = this.#random;
    const keyword = random.chance(0.85) ? "query" : random.chance(0.85) ? "mutation" : "subscription";
    const type = this.#schema.getRootType(keyword);
    const name = count > 1 || random.chance(0.4) ? `Q${index}` : undefined;
    return { keyword, name, body: this.#selectionSet(type, 0, keyword === "subscription") };
  }

  #write({ keyword, name, body }, used) {
    const declared = [...this.#variables.values()].filter((variable) => used.has(variable.name));
    const list = declared
      .map((variable) => this.#described(`$${variable.name}: ${variable.type}${variable.written}`))
      .join(", ");
    if (keyword === "query" && !name && !list && this.#random.chance(0.7)) return body;
    return `${keyword} ${name ?? ""}${list && `(${list})`} ${body}`;
  }

  /** Descriptions of operations, fragments and variables are of the edition of September 2025; a bare body has none. */
  #described(definition) {
    if (definition.startsWith("{") || !this.#random.chance(0.03)) return definition;
    return `${this.#random.pick(['"what it is for"', '"""\n  block\n"""'])} ${definition}`;
  }

  #selectionSet(type, depth, single = false) {
    // An interface has few fields: its objects are what matters.
    const longest = isAbstractType(type) ? 6 : 4;
    const length = single ? 1 : this.#random.between(1, depth > MAX_DEPTH ? 1 : longest);
    const outer = this.#keys;
    if (this.#loose) this.#keys = new Map();
    const selections = Array.from({ length }, () => this.#selection(type, depth, single));
    if (this.#loose) this.#keys = outer;
    return `{ ${selections.join(" ")} }`;
  }

  #selection(type, depth, single) {
    const random = this.#random;
    if (!single && depth < MAX_DEPTH && random.chance(isAbstractType(type) ? 0.5 : 0.12))
      return this.#inlineFragment(type, depth);
    if (!single && depth < MAX_DEPTH && random.chance(0.1)) return this.#spread(type);
    return this.#field(type, depth, single);
  }

  #inlineFragment(type, depth) {
    const condition = this.#random.chance(0.2) ? undefined : this.#condition(type);
    const body = this.#selectionSet(condition ?? type, depth + 1);
    return `... ${condition ? `on ${condition} ` : ""}${this.#directives()}${body}`;
  }

  /** A type that objects of this type can have: itself, an interface of it, or one of its objects. */
  #condition(type) {
    if (isAbstractType(type)) return this.#random.pick([type, ...this.#schema.getPossibleTypes(type)]);
    return this.#random.pick([type, type, ...type.getInterfaces()]);
  }

  #spread(type) {
    const random = this.#random;
    const known = [...this.#fragments.values()].filter((fragment) => fragment.body && fragment.of === type);
    let fragment = known.length > 0 && random.chance(0.6) ? random.pick(known) : undefined;
    if (!fragment) {
      const condition = this.#condition(type);
      fragment = { name: `F${this.#fragments.size}`, type: condition, of: type };
      this.#fragments.set(fragment.name, fragment);
      fragment.body = this.#selectionSet(condition, 4);
    }
    return `...${fragment.name}${this.#directives()}`;
  }

  #field(type, depth, single) {
    const random = this.#random;
    if (!single && random.chance(0.08)) return this.#key("__typename", "String!");
    const field = this.#chooseField(type, depth);
    if (!field) return this.#key("__typename", "String!");
    this.#budget -= 1;
    const key = this.#key(`${field.name}${this.#arguments(field)}`, field.type);
    const body = isLeafType(getNamedType(field.type))
      ? ""
      : ` ${this.#selectionSet(getNamedType(field.type), depth + 1)}`;
    return `${key}${single ? "" : this.#directives()}${body}`;
  }

  #chooseField(type, depth) {
    if (type === this.#schema.getQueryType() && this.#random.chance(0.1)) return this.#introspection();
    const isDryRun = type === this.#schema.getMutationType() && this.#dryRun;
    const fields = Object.values(type.getFields()).filter((field) => !isDryRun || hasDryRun(field));
    const leaves = fields.filter((field) => isLeafType(getNamedType(field.type)));
    const small = depth > MAX_DEPTH || this.#budget < 0;
    if (small && leaves.length === 0 && depth > 0) return undefined;
    return this.#random.pick(small && leaves.length > 0 ? leaves : fields);
  }

  #introspection() {
    const string = this.#schema.getType("String");
    const named = { name: "__type", type: this.#schema.getType("__Type") };
    named.args = [{ name: "name", type: string }];
    named.required = true;
    return this.#random.pick([named, { name: "__schema", type: this.#schema.getType("__Schema"), args: [] }]);
  }

  /** Puts an alias before a field where it needs one, and sometimes where it needs none. */
  #key(call, type) {
    const [name] = /^\w+/.exec(call);
    const meaning = `${call}: ${type}`;
    const wanted = this.#random.chance(0.15) ? this.#random.pick(ALIASES) : name;
    for (let key = wanted, count = 1; ; key = `${name}${count}`, count += 1) {
      const used = this.#keys.get(key);
      if (used === undefined || used === meaning || (this.#loose && this.#random.chance(0.3))) {
        this.#keys.set(key, meaning);
        return key === name && this.#random.chance(0.97) ? call : `${key}: ${call}`;
      }
    }
  }

  #arguments(field) {
    const random = this.#random;
    const owner = getNamedType(field.type).name;
    const paging = random.chance(0.95) ? random.pick(PAGES) : ["first", "last", "after", "before"];
    const passed = [];
    for (const argument of random.chance(0.2) ? random.shuffled(field.args) : field.args) {
      const required = field.required || (isNonNullType(argument.type) && argument.defaultValue === undefined);
      const isPaging = ["first", "last", "after", "before"].includes(argument.name);
      if (!required && !(isPaging ? paging.includes(argument.name) : random.chance(0.3))) continue;
      passed.push(`${argument.name}: ${this.#argument(argument, owner)}`);
    }
    return passed.length > 0 ? `(${passed.join(", ")})` : "";
  }

  #argument({ name, type, defaultValue }, owner) {
    if (this.#random.chance(0.3)) return this.#variable(name, type, owner, defaultValue !== undefined);
    return this.#literal(type, this.#values.json(type, name, owner), owner);
  }

  /** Writes a literal, in which some of the lists' items and objects' fields are variables. */
  #literal(type, value, owner) {
    const bare = isNonNullType(type) ? type.ofType : type;
    if (value === null || typeof value !== "object" || this.#random.chance(0.5)) return literal(value, type);
    if (Array.isArray(value) && isListType(bare)) {
      return `[${value.map((item) => this.#part("item", bare.ofType, item, owner, false)).join(", ")}]`;
    }
    if (bare.name === "Attributes") return this.#attributes(value);
    const fields = bare.getFields?.();
    if (!fields || bare.isOneOf) return literal(value, type);
    const written = Object.entries(value).map(([name, item]) => {
      const { type: fieldType, defaultValue } = fields[name];
      return `${name}: ${this.#part(name, fieldType, item, bare.name, defaultValue !== undefined)}`;
    });
    return `{${written.join(", ")}}`;
  }

  /** Inside a scalar, no type is expected of a variable. */
  #attributes(value) {
    const type = new GraphQLNonNull(this.#schema.getType("AttributeValue"));
    const written = Object.entries(value).map(
      ([key, item]) => `${key}: ${this.#part(key, type, item, "Attributes", false)}`,
    );
    return `{${written.join(", ")}}`;
  }

  #part(name, type, value, owner, hasDefault) {
    if (name !== "dryRun" && this.#random.chance(0.2)) return this.#variable(name, type, owner, hasDefault);
    return this.#literal(type, value, owner);
  }

  /** Declares a variable for a position of this type, or uses one that fits. */
  #variable(argument, type, owner, hasDefault) {
    const random = this.#random;
    const known = [...this.#variables.values()].filter(
      (variable) => `${variable.position}` === `${type}` && (variable.owner === owner || random.chance(0.1)),
    );
    if (known.length > 0 && random.chance(0.3)) return `$${random.pick(known).name}`;
    let declared = type;
    let written = "";
    if (isNonNullType(type) && (hasDefault || random.chance(0.2))) declared = type.ofType;
    const needsDefault = declared !== type && !hasDefault;
    if (needsDefault || random.chance(0.25)) {
      const value = this.#values.json(type, argument, owner);
      if (value !== null || !isNonNullType(type)) written = ` = ${literal(value, type)}`;
    }
    const name = random.chance(0.05) ? random.pick(["on", "null", "query", "_"]) : `v${this.#variables.size}`;
    if (this.#variables.has(name)) return `$${name}`;
    this.#variables.set(name, { name, argument, owner, position: type, type: declared, written });
    return `$${name}`;
  }

  #directives() {
    const random = this.#random;
    const names = random.shuffled(["skip", "include"]).filter(() => random.chance(0.05));
    return `${names.map((name) => ` @${name}(if: ${this.#flag()})`).join("")} `;
  }

  #flag() {
    const type = this.#schema.getDirective("skip").args[0].type;
    return this.#random.chance(0.5) ? this.#variable("if", type, "@if", false) : String(this.#random.chance(0.5));
  }

  #variableValues() {
    const values = {};
    for (const { name, argument, owner, type, written } of this.#variables.values()) {
      const optional = written !== "" || !isNonNullType(type);
      if (optional && this.#random.chance(0.3)) continue;
      values[name] = isNonNullType(type) || this.#random.chance(0.9) ? this.#values.json(type, argument, owner) : null;
    }
    return JSON.stringify(values);
  }
}

function hasDryRun({ args }) {
  return "dryRun" in getNamedType(args[0].type).getFields();
}

/** For each operation, the variables that it and the fragments that it spreads use. */
function usedVariables(operations, fragments) {
  const { definitions } = parse([...operations, ...fragments].join("\n"));
  const uses = definitions.map((definition) => {
    const found = { variables: new Set(), spreads: new Set() };
    visit(definition, {
      Variable: ({ name }) => void found.variables.add(name.value),
      FragmentSpread: ({ name }) => void found.spreads.add(name.value),
    });
    return found;
  });
  const byName = new Map(definitions.map((definition, index) => [definition.name?.value, uses[index]]));
  return operations.map((_, index) => {
    const all = new Set();
    const seen = new Set();
    const follow = ({ variables, spreads }) => {
      for (const name of variables) all.add(name);
      for (const name of spreads) {
        if (seen.has(name)) continue;
        seen.add(name);
        follow(byName.get(name));
      }
    };
    follow(uses[index]);
    return all;
  });
}
