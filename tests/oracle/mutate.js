// Makes other documents and variables of a valid request, most of them wrong in one place.
import { isInputType } from "graphql";
import { DIRECTIVES, JSON_VALUES, NUMBERS, PUNCTUATION, STRINGS, WORDS } from "./vocabulary.js";

export class Mutator {
  #random;
  #names;
  #types;
  #inputs;

  constructor(schema, random) {
    this.#random = random;
    const types = Object.values(schema.getTypeMap());
    const fields = types.flatMap((type) => Object.values(type.getFields?.() ?? {}));
    const values = types.flatMap((type) => type.getValues?.() ?? []);
    this.#types = types.map(({ name }) => name);
    this.#inputs = types.filter(isInputType).map(({ name }) => name);
    this.#names = [...fields, ...values, ...fields.flatMap(({ args }) => args ?? [])].map(({ name }) => name);
  }

  /** Changes a list of tokens in one or a few places. */
  document(tokens) {
    let changed = tokens;
    const count = this.#random.chance(0.7) ? 1 : this.#random.between(2, 4);
    for (let done = 0; done < count && changed.length > 0; done += 1) changed = this.#change(changed);
    return changed;
  }

  #change(tokens) {
    const changes = [
      this.#delete,
      this.#delete,
      this.#insert,
      this.#duplicate,
      this.#swap,
      this.#rename,
      this.#rename,
      this.#rename,
      this.#retype,
      this.#reliteral,
      this.#reliteral,
      this.#reliteral,
      this.#dropArgument,
      this.#dropArgument,
      this.#direct,
      this.#direct,
      this.#declare,
      this.#addDefinition,
      this.#cycle,
      this.#glue,
    ];
    return this.#random.pick(changes).call(this, tokens) ?? this.#delete(tokens);
  }

  #anywhere(tokens) {
    return this.#random.between(0, tokens.length - 1);
  }

  /** Returns the index of one of the tokens that fit, or undefined. */
  #find(tokens, fits) {
    const found = tokens.flatMap((token, index) => (fits(token, index) ? [index] : []));
    return found.length > 0 ? this.#random.pick(found) : undefined;
  }

  #delete(tokens) {
    return tokens.toSpliced(this.#anywhere(tokens), this.#random.chance(0.8) ? 1 : this.#random.between(1, 4));
  }

  #insert(tokens) {
    const random = this.#random;
    const pools = [PUNCTUATION, PUNCTUATION, WORDS, NUMBERS, STRINGS, this.#names, tokens.map(({ text }) => text)];
    return tokens.toSpliced(this.#anywhere(tokens), 0, { text: random.pick(random.pick(pools)) });
  }

  #duplicate(tokens) {
    const start = this.#anywhere(tokens);
    const copy = tokens.slice(start, start + this.#random.between(1, 6));
    return tokens.toSpliced(start, 0, ...copy);
  }

  #swap(tokens) {
    const first = this.#anywhere(tokens);
    const second = this.#random.chance(0.5) ? Math.min(first + 1, tokens.length - 1) : this.#anywhere(tokens);
    return tokens.with(first, tokens[second]).with(second, tokens[first]);
  }

  #rename(tokens) {
    const random = this.#random;
    const index = this.#find(tokens, isName);
    if (index === undefined) return undefined;
    const here = tokens.filter(isName).map(({ text }) => text);
    return tokens.with(index, { text: random.pick(random.pick([here, this.#names, this.#types, WORDS])) });
  }

  /** Changes the type of a variable or of a fragment's condition. */
  #retype(tokens) {
    const random = this.#random;
    const index = this.#find(tokens, ({ text }) => this.#types.includes(text));
    if (index === undefined) return undefined;
    const name = random.pick([tokens[index].text, random.pick(this.#types), random.pick(this.#inputs)]);
    const shapes = [[name], [name, "!"], ["[", name, "]"], ["[", name, "!", "]", "!"], [name, "!", "!"], ["[", name]];
    return tokens.toSpliced(index, 1, ...random.pick(shapes).map((text) => ({ text })));
  }

  #reliteral(tokens) {
    const random = this.#random;
    const index = this.#find(
      tokens,
      ({ text, string }, at) =>
        string !== undefined || /^[-\d]/.test(text) || (at > 1 && isName(tokens[at]) && tokens[at - 1].text === ":"),
    );
    if (index === undefined) return undefined;
    const others = [
      "true",
      "null",
      "NOPE",
      "ASC",
      "[]",
      "{}",
      "$v0",
      "$none",
      "[null]",
      '{id: "x", ref: null}',
      "{id: $v0}",
    ];
    return tokens.with(index, { text: random.pick(random.pick([NUMBERS, NUMBERS, STRINGS, others])) });
  }

  /** Removes `name : value` where the value is one token. */
  #dropArgument(tokens) {
    const index = this.#find(tokens, ({ text }, at) => text === ":" && at > 0 && isName(tokens[at - 1]));
    if (index === undefined) return undefined;
    return tokens.toSpliced(index - 1, 3);
  }

  #direct(tokens) {
    const index = this.#find(tokens, ({ text }) => isName({ text }) || text === ")" || text === "}" || text === "...");
    return index === undefined ? undefined : tokens.toSpliced(index + 1, 0, { text: this.#random.pick(DIRECTIVES) });
  }

  /** Declares one more variable, which may be unused, of an unknown type, or the second of its name. */
  #declare(tokens) {
    const random = this.#random;
    const index = this.#find(tokens, ({ text }) => text === "$");
    if (index === undefined) return undefined;
    const type = random.pick(random.pick([this.#types, this.#inputs, ["Nope"]]));
    const name = random.pick(["$unused", tokens[index].text + tokens[index + 1]?.text]);
    const rest = random.pick(["", "!", " = null", " = 1", ' = "x"', " = {}", " = $v0", " @nope", " @skip(if: true)"]);
    return tokens.toSpliced(index, 0, { text: `${name}: ${type}${rest}` });
  }

  #addDefinition(tokens) {
    const type = this.#random.pick([...this.#types, "Query", "Nope"]);
    const added = this.#random.pick([
      `fragment Unused on ${type} { __typename }`,
      "fragment F0 on Query { __typename }",
      "fragment on on Query { a }",
      "query Q0 { __typename }",
      "{ __typename }",
      "query () { __typename }",
      "type A { a: Int }",
      "extend type Query { a: Int }",
      "fragment C1 on Query { ...C2 } fragment C2 on Query { ...C1 }",
      "schema { query: Query }",
      "subscription S { __typename }",
      "query Only",
      "query {}",
      "directive @a on FIELD",
      "fragment F9 { id }",
      "fragment F9($a: Int) on Query { __typename }",
    ]);
    return this.#random.chance(0.5) ? [{ text: added }, ...tokens] : [...tokens, { text: added }];
  }

  /** Lets a spread name another fragment, so that fragments may spread themselves. */
  #cycle(tokens) {
    const isFragment = ({ text }) => /^F\d+$/.test(text);
    const index = this.#find(tokens, (token, at) => isFragment(token) && tokens[at - 1]?.text === "...");
    return index === undefined ? undefined : tokens.with(index, this.#random.pick(tokens.filter(isFragment)));
  }

  /** Makes one token of two neighbours. */
  #glue(tokens) {
    if (tokens.length < 2) return undefined;
    const index = this.#random.between(0, tokens.length - 2);
    return tokens.toSpliced(index, 2, { text: tokens[index].text + tokens[index + 1].text });
  }

  /** Changes one of the variables, as JSON text. */
  variables(text) {
    const random = this.#random;
    const entries = Object.entries(JSON.parse(text)).map(([name, value]) => [name, JSON.stringify(value)]);
    const at = random.between(0, entries.length);
    if (at === entries.length) entries.push(["extra", random.pick(JSON_VALUES)]);
    else if (random.chance(0.2)) entries.splice(at, 1);
    else entries[at][1] = this.#value(entries[at][1]);
    return `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(",")}}`;
  }

  /** Changes a value, or something inside of it. */
  #value(text) {
    const random = this.#random;
    const value = JSON.parse(text);
    if (value === null || typeof value !== "object" || random.chance(0.3)) return random.pick(JSON_VALUES);
    const entries = Object.entries(value).map(([name, item]) => [name, JSON.stringify(item)]);
    const at = random.between(0, entries.length);
    if (at === entries.length) entries.push([random.pick(this.#names), random.pick(JSON_VALUES)]);
    else if (random.chance(0.3)) entries.splice(at, 1);
    else entries[at][1] = this.#value(entries[at][1]);
    if (Array.isArray(value)) return `[${entries.map(([, item]) => item).join(",")}]`;
    return `{${entries.map(([name, item]) => `${JSON.stringify(name)}:${item}`).join(",")}}`;
  }
}

function isName({ text }) {
  return /^[A-Za-z_]\w*$/.test(text);
}
