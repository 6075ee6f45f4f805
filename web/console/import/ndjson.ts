// Parses NDJSON: objects with `ref` and optionally `attributes` and `sourceUpdatedAt`. Values are sent as they are written,
// because JavaScript would round numbers such as 9007199254740993.

import type { Line } from "./lines";
import { attributed, fault, type Fault, type Row } from "./row";

/** The text of each value of an object, and the keys that it has twice. */
interface Members {
  values: Map<string, string>;
  twice: Set<string>;
}

/** The row of a line, or null where the file ends in the middle of it. */
export function rowOfJson({ line, text, ended }: Line): Row | null {
  const nobody = (message: string): Row => ({
    line,
    raw: text,
    ref: null,
    json: "",
    fault: fault("INVALID_VALUE", message),
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return ended ? nobody("it is not JSON") : null;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return nobody("expected an object");
  const { values, twice } = members(text);
  const { ref } = value as { ref?: unknown };
  if (ref === undefined) return nobody('"ref" is missing');
  // Half of a letter is no text.
  if (typeof ref !== "string" || /\p{Surrogate}/u.test(ref)) return nobody('"ref" is not a string');
  if (twice.has("ref")) return nobody('"ref" occurs twice');
  const row = { line, raw: text, ref };
  const bad = badness(values, twice);
  const start = `{"ref":${JSON.stringify(ref)}`;
  // The API finds this bad whatever the ref, and sees the member by it.
  if (bad) return attributed({ ...row, json: `${start},"sourceUpdatedAt":""}`, fault: bad });
  let json = start;
  for (const key of ["attributes", "sourceUpdatedAt"]) {
    const raw = values.get(key);
    if (raw !== undefined) json += `,"${key}":${raw}`;
  }
  return attributed({ ...row, json: `${json}}`, fault: null });
}

function badness(values: Map<string, string>, twice: Set<string>): Fault | null {
  for (const key of twice) return fault("INVALID_VALUE", `${JSON.stringify(key)} occurs twice`);
  for (const key of values.keys()) {
    if (!["ref", "attributes", "sourceUpdatedAt"].includes(key)) {
      return fault("INVALID_VALUE", `unknown field ${JSON.stringify(key)}`);
    }
  }
  const isA = (key: string, begin: string) => {
    const raw = values.get(key);
    return raw === undefined || raw === "null" || raw.startsWith(begin);
  };
  if (!isA("attributes", "{")) return fault("INVALID_VALUE", "expected an object from key to value", "attributes");
  if (!isA("sourceUpdatedAt", '"')) {
    return fault("INVALID_VALUE", "expected an RFC 3339 date-time, in a string", "sourceUpdatedAt");
  }
  return null;
}

/** Of the text of an object, which is known to be JSON. */
function members(text: string): Members {
  const values = new Map<string, string>();
  const twice = new Set<string>();
  let at = text.indexOf("{") + 1;
  for (;;) {
    const quote = text.indexOf('"', at);
    const end = quote < 0 ? -1 : endOfString(text, quote);
    if (end < 0) return { values, twice };
    const key = JSON.parse(text.slice(quote, end)) as string;
    const start = text.indexOf(":", end) + 1;
    at = endOfValue(text, start);
    if (values.has(key)) twice.add(key);
    values.set(key, text.slice(start, at).trim());
    at += 1;
  }
}

/** Behind the closing quote. */
function endOfString(text: string, quote: number): number {
  for (let at = quote + 1; ; at += 1) {
    at = text.indexOf('"', at);
    let before = at - 1;
    while (text[before] === "\\") before -= 1;
    if ((at - before) % 2 === 1) return at + 1;
  }
}

/** The comma or bracket behind a value. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; ; at += 1) {
    switch (text[at]) {
      case '"':
        at = endOfString(text, at) - 1;
        break;
      case "{":
      case "[":
        depth += 1;
        break;
      case "}":
      case "]":
        if (depth === 0) return at;
        depth -= 1;
        break;
      case ",":
        if (depth === 0) return at;
        break;
      default:
    }
  }
}
