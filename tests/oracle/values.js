// Input values that fit a type: JSON for variables, and the same written as a literal of a document.
import { getNamedType, isEnumType, isInputObjectType, isListType, isNonNullType } from "graphql";

const WORDS = [
  "",
  "a",
  "gold",
  "tier",
  "age",
  "tags",
  "zażółć",
  "\u{1F600}",
  'quote " backslash \\',
  "two\nlines",
  "#",
  "$x",
];
const TIMES = ["2024-01-01T00:00:00Z", "2024-02-29T23:59:59.123456+02:00", "1999-12-31T00:00:00.5Z"];
const ID_FIELDS = {
  memberbaseId: "Memberbase",
  syncId: "Sync",
  memberId: "Member",
  memberIds: "Member",
  apiTokenId: "ApiToken",
  clipIds: "Clip",
  stampCollectionIds: "StampCollection",
  transactionIds: "Transaction",
};
const MAX_DEPTH = 3;

export class Values {
  #random;
  #data;

  constructor(random, data) {
    this.#random = random;
    this.#data = data;
  }

  /**
   * Returns a value for an argument or a field of this name; null only where it is allowed, and rarely. The owner is the
   * type of the field that has the argument, or the input object: it determines what ids and cursors mean.
   */
  json(type, name, owner, depth = 0) {
    if (isNonNullType(type)) return this.#notNull(type.ofType, name, owner, depth);
    return this.#random.chance(0.03) ? null : this.#notNull(type, name, owner, depth);
  }

  #notNull(type, name, owner, depth) {
    const random = this.#random;
    if (isListType(type)) return this.#list(type.ofType, name, owner, depth);
    if (isEnumType(type)) return random.pick(type.getValues()).name;
    if (isInputObjectType(type)) return this.#object(type, type.name === "IDFilter" ? owner : type.name, depth);
    return this.#scalar(getNamedType(type).name, name, owner);
  }

  #list(type, name, owner, depth) {
    if (this.#random.chance(0.1) && !isListType(type)) return this.json(type, name, owner, depth);
    const length = this.#random.between(0, depth >= MAX_DEPTH ? 0 : 3);
    return Array.from({ length }, () => this.json(type, name, owner, depth + 1));
  }

  #object(type, owner, depth) {
    const random = this.#random;
    const fields = Object.values(type.getFields());
    if (type.isOneOf) {
      const field = random.pick(fields);
      return { [field.name]: this.json(field.type, field.name, owner, depth + 1) ?? "x" };
    }
    const object = {};
    const chance = depth >= MAX_DEPTH ? 0 : 2 / (fields.length + 1);
    // A filter needs a condition; the last field is not another filter of its kind.
    const one =
      type.name.endsWith("Filter") && random.chance(0.9) ? random.pick([fields.at(-1), fields.at(-2)]) : undefined;
    for (const field of random.shuffled(fields)) {
      const required = isNonNullType(field.type) && field.defaultValue === undefined;
      if (field.name === "dryRun") object.dryRun = true;
      else if (required || field === one || random.chance(chance)) {
        object[field.name] = this.json(field.type, field.name, owner, depth + 1);
      }
    }
    return object;
  }

  #scalar(scalar, name, owner) {
    const random = this.#random;
    switch (scalar) {
      case "ID":
        return this.#id(name, owner);
      case "Int":
        return random.chance(0.05) ? random.pick([-1, 0, 2 ** 31 - 1]) : random.between(1, 3);
      case "Float":
        return random.pick([0, 1, 2.5, 100, 1e2, 0.1]);
      case "Boolean":
        return random.chance(0.5);
      case "Count":
      case "MinorUnits":
        return random.pick([0, 1, 5, Number.MAX_SAFE_INTEGER]);
      case "DateTime":
        return random.pick(TIMES);
      case "AttributeValue":
        return random.pick(["gold", 41.5, true, "2024-02-29", ["a"], ["a", "b"], 0, ""]);
      case "Attributes":
        return random.pick([{}, { tier: "silver" }, { age: 7, active: null }, { tags: ["x"], joined: "2020-01-01" }]);
      default:
        return this.#string(name, owner);
    }
  }

  #id(name, owner) {
    const { ids, unknown } = this.#data;
    if (this.#random.chance(0.05)) return this.#random.pick(unknown);
    if (this.#random.chance(0.03)) return this.#random.pick(["", "x", 7, 0]);
    const owned = owner?.replace(/(By|Filter)$/, "");
    const kind = ID_FIELDS[name] ?? (ids[owned] ? owned : this.#random.pick(Object.keys(ids)));
    return this.#random.pick(ids[kind]);
  }

  #string(name, owner) {
    const { refs, names, cursors } = this.#data;
    if (["after", "before"].includes(name)) return this.#cursor(cursors[owner] ?? []);
    if (["ref", "refs", "memberRef"].includes(name)) return this.#random.pick(refs);
    if (name === "name" && this.#random.chance(0.3)) return this.#random.pick(["Member", "Node", "MemberBy", "Access"]);
    if (name === "key") return this.#random.pick(["tier", "age", "active", "joined", "tags", "nope"]);
    if (name === "pattern") return this.#random.pick(["a", "^.+$", "[", "\\d{2}"]);
    return this.#random.pick([...WORDS, ...names, ...refs]);
  }

  #cursor(known) {
    if (known.length > 0 && this.#random.chance(0.9)) return this.#random.pick(known);
    return this.#random.pick(["x", ...Object.values(this.#data.cursors).flat()]);
  }
}

/** Writes JSON as a literal for a type; strings are in their plain form, which `tokens.js` varies. */
export function literal(value, type) {
  const bare = isNonNullType(type) ? type.ofType : type;
  if (Array.isArray(value)) {
    const item = bare && isListType(bare) ? bare.ofType : undefined;
    return `[${value.map((element) => literal(element, item)).join(", ")}]`;
  }
  if (value !== null && typeof value === "object") {
    const fields = bare && isInputObjectType(bare) ? bare.getFields() : {};
    const written = Object.entries(value).map(([name, field]) => `${name}: ${literal(field, fields[name]?.type)}`);
    return `{${written.join(", ")}}`;
  }
  const named = bare && getNamedType(bare);
  if (typeof value === "string" && named && isEnumType(named)) return value;
  return JSON.stringify(value);
}
