// What mutations insert: tokens at the edges of the grammar, and values at the edges of their types.

export const NUMBERS = `
  -0 0 -1 1.0 1.5 -0.0 1e2 1E-2 1e400 -1e400 3000000000 2147483647 2147483648 -2147483648 -2147483649
  9007199254740991 9007199254740993 9223372036854775807 9223372036854775808 123456789012345678901234567890 00 01
  0x1 1. .5 1e 1e+ - +1 1_000 1a 0.5e3
`
  .trim()
  .split(/\s+/);
export const STRINGS = [
  '""',
  '"\\uD83D\\uDE00"',
  '"\\u{1F600}"',
  '"\\uD83D"',
  '"\\uDE00\\uD83D"',
  '"\\u{110000}"',
  '"\\u{D83D}"',
  '"\\u{}"',
  '"\\u12"',
  '"\\x41"',
  '"\\u{000000041}"',
  '"\u{1F600}"',
  '"\u0007"',
  '"\u0000"',
  '"\u007f"',
  '"open',
  '"""open',
  '"""a \\""" b"""',
  '"""\n    a\n  \n    b\n"""',
  '"""\\u0041"""',
  '""""""',
  '"""\n  a\r\n    b\r  c"""',
  '"a\nb"',
  '"\\/"',
];
export const PUNCTUATION = "{ } ( ) [ ] : = ! | & @ $ ... .. . ? - ;".split(" ");
export const WORDS = `
  on query mutation subscription fragment true false null schema type extend input __typename __schema __type
  __nope nope _ __ é Query Node Int String
`
  .trim()
  .split(/\s+/);
export const DIRECTIVES = [
  "@nope",
  "@skip",
  "@include",
  "@skip(if: true)",
  "@include(if: false)",
  "@include(iff: true)",
  "@skip(if: null)",
  "@include(if: $none)",
  '@skip(if: "true")',
  "@include(if: 1)",
  "@deprecated",
  '@specifiedBy(url: "x")',
  "@oneOf",
  "@include(if: true) @include(if: true)",
  "@skip(if: true, if: true)",
  "@skip()",
  "@ skip(if: false)",
  "@defer",
];
export const JSON_VALUES = [
  "null",
  "true",
  "0",
  "-0",
  "1",
  "1.0",
  "1.5",
  "1e2",
  "1e400",
  "-1",
  "3000000000",
  "9007199254740993",
  "9223372036854775808",
  '""',
  '"x"',
  '"\\ud83d\\ude00"',
  '"ASC"',
  "[]",
  "[null]",
  "[[]]",
  "{}",
  '{"x":1}',
  '{"id":"x"}',
  '{"id":"x","ref":null}',
  '{"id":null}',
  '["x"]',
  '"2024-01-01T00:00:00Z"',
  '"2024-13-01T00:00:00Z"',
];
