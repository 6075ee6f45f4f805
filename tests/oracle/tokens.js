// A document as a list of tokens, which can be changed one by one and written in many ways.
import { Lexer, Source, TokenKind } from "graphql";

const BLANKS = [
  " ",
  "  ",
  "\n",
  "\r\n",
  "\r",
  "\t",
  ",",
  " , ",
  "\uFEFF",
  '# a \u{1F600} "comment {\n',
  "\n\n#\r\n",
  ",,",
];
const WORD = /^[\w.+-]/;

/** Splits a valid document: each token is `{ text }`, and the value of a string is in `string`. */
export function split(document) {
  const lexer = new Lexer(new Source(document));
  const tokens = [];
  for (let token = lexer.advance(); token.kind !== TokenKind.EOF; token = lexer.advance()) {
    const isString = token.kind === TokenKind.STRING || token.kind === TokenKind.BLOCK_STRING;
    const text = document.slice(token.start, token.end);
    tokens.push(isString ? { text, string: token.value } : { text });
  }
  return tokens;
}

/**
 * Returns the pieces of a document: each has the text of a token, with what is ignored before it. Strings get other forms
 * of the same value, and blanks are put where the grammar ignores them.
 */
export function scatter(tokens, random) {
  const pieces = tokens.map((token, index) => {
    const text = token.string !== undefined && random.chance(0.3) ? writeString(token.string, random) : token.text;
    const before = index > 0 ? tokens[index - 1].text : "";
    const touches = (WORD.test(text) && /\w$/.test(before)) || (before.endsWith('"') && text.startsWith('"'));
    if (random.chance(0.06)) return { blank: random.pick(BLANKS), text };
    return { blank: touches || random.chance(0.6) ? " " : "", text };
  });
  if (random.chance(0.1)) pieces.push({ blank: random.pick(BLANKS), text: "" });
  return pieces;
}

/** Returns the pieces of a document as people write it. */
export function plain(tokens) {
  return tokens.map((token, index) => {
    const before = index > 0 ? tokens[index - 1].text : "";
    const tight = index === 0 || /^[!:,)\]]/.test(token.text) || /(^|[^.])[$@([]$|^\.\.\.$/.test(before);
    return { blank: tight && !(before === "..." && token.text === "on") ? "" : " ", text: token.text };
  });
}

/** Returns the document that consists of these pieces. */
export function join(pieces) {
  return pieces.map(({ blank, text }) => blank + text).join("");
}

function writeString(value, random) {
  if (random.chance(0.25)) return writeBlock(value, random);
  return `"${[...value].map((character) => writeCharacter(character, random)).join("")}"`;
}

function writeCharacter(character, random) {
  const code = character.codePointAt(0);
  if (random.chance(0.05)) return `\\u{${random.pick(["", "0", "00"])}${code.toString(16).toUpperCase()}}`;
  const isPlain = code >= 0x20 && character !== '"' && character !== "\\";
  if (isPlain && random.chance(0.9)) return character;
  const short = {
    '"': '\\"',
    "\\": "\\\\",
    "/": "\\/",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\b": "\\b",
    "\f": "\\f",
  };
  if (short[character] && random.chance(0.7)) return short[character];
  // The two halves of a character beyond U+FFFF are a surrogate pair.
  return Array.from(character.split(""), (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
}

/** Writes a block string of the value with an indent, which its reader removes, and sometimes with lines of blanks. */
function writeBlock(value, random) {
  const indent = random.pick(["", "  ", "\t", "    "]);
  const blank = random.pick(["", " ", "\t", "      "]);
  const lines = value.replaceAll('"""', '\\"""').split("\n");
  const middle = lines.map((line) => (line === "" ? blank : indent + line)).join(random.pick(["\n", "\n", "\r\n"]));
  const end = /["\\]$/.test(value) || random.chance(0.5) ? `\n${indent}` : "";
  return random.chance(0.2) && lines.length === 1 && !/^"/.test(value)
    ? `"""${middle.trim()}${end}"""`
    : `"""\n${middle}${end}"""`;
}
