// Converts CSV cells to JSON by the type of their attribute. `\N` means no value; a value that consists of backslashes and an N
// is escaped with one more backslash.

export type AttributeType = "STRING" | "NUMBER" | "BOOLEAN" | "DATE" | "STRING_LIST";

const ESCAPED = /^\\+N$/;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** The text of a cell; null where it says that there is no value. */
export function read(cell: string): string | null {
  // Few cells begin with a backslash, and all cells come by here.
  if (cell.charCodeAt(0) !== 0x5c || !ESCAPED.test(cell)) return cell;
  return cell.length === 2 ? null : cell.slice(1);
}

/**
 * The JSON of an attribute's cell. What does not fit the type is written as a string: the API judges it, as it judges every
 * value, and so its row fails there.
 */
export function toJson(type: AttributeType, cell: string): string {
  const text = read(cell);
  if (text === null) return "null";
  if (type === "STRING") return JSON.stringify(text);
  if (text === "") return "null";
  if (type === "NUMBER" && NUMBER.test(text)) return text;
  if (type === "BOOLEAN") return boolean(text) ?? JSON.stringify(text);
  if (type === "STRING_LIST" && isList(text)) return text;
  return JSON.stringify(text);
}

/** Whether a cell is of the type, as far as that shows without the API: a date is only looked at. */
export function fits(type: AttributeType, cell: string): boolean {
  const text = read(cell);
  if (text === null || text === "" || type === "STRING") return true;
  if (type === "NUMBER") return NUMBER.test(text);
  if (type === "BOOLEAN") return boolean(text) !== null;
  if (type === "DATE") return DATE.test(text);
  return isList(text) && (JSON.parse(text) as unknown[]).every((item) => typeof item === "string");
}

const DATE = /^\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2}))?$/;

/** The type that all of these cells fit, the narrowest first. */
export function guessType(cells: readonly string[]): AttributeType {
  const told = cells.filter((cell) => read(cell));
  if (told.length === 0) return "STRING";
  const all = (type: AttributeType) => told.every((cell) => fits(type, cell));
  // 0 and 1 are as likely a count.
  if (told.every((cell) => /^(true|false|t|f)$/i.test(cell))) return "BOOLEAN";
  // What begins with a zero or is very long is a number by its looks only: a postcode, a phone, a card.
  if (all("NUMBER") && told.every((cell) => cell.length < 16)) return "NUMBER";
  if (all("DATE")) return "DATE";
  return all("STRING_LIST") ? "STRING_LIST" : "STRING";
}

/** As JSON, spreadsheets and databases write them. */
function boolean(text: string): "true" | "false" | null {
  switch (text.toLowerCase()) {
    case "true":
    case "t":
    case "1":
      return "true";
    case "false":
    case "f":
    case "0":
      return "false";
    default:
      return null;
  }
}

function isList(text: string): boolean {
  if (!text.startsWith("[") || /\s$/.test(text)) return false;
  try {
    return Array.isArray(JSON.parse(text));
  } catch {
    return false;
  }
}
