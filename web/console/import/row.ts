/** Why a row is bad, as the API tells it. */
export interface Fault {
  code: string;
  message: string;
  path: readonly string[];
}

export interface Row {
  /** The line that it begins in, from 1. */
  line: number;
  raw: string;
  /** Whom it is about; null if it can't be attributed to a member. */
  ref: string | null;
  /** A `MemberInput`; empty if there is no ref. */
  json: string;
  /** Why it is bad, where that shows without the API. `json` then is what the API finds bad, too. */
  fault: Fault | null;
}

export function fault(code: string, message: string, ...path: string[]): Fault {
  return { code, message, path };
}

/** The code of a row whose ref can't exist. Which member it was meant for is not known. */
export const INVALID_REF = "INVALID_REF";

const MAX_REF_BYTES = 1024;

/** A row as it is, or without its ref if that can't exist. */
export function attributed(row: Row): Row {
  const message = row.ref === null ? null : refFault(row.ref);
  return message === null ? row : { ...row, ref: null, json: "", fault: fault(INVALID_REF, message, "ref") };
}

/** Why a text can't be a ref; the server has the same rule. */
function refFault(ref: string): string | null {
  if (ref === "") return "ref is empty; a ref has 1 to 1024 bytes";
  // A letter of JavaScript has three bytes at most.
  const bytes = 3 * ref.length > MAX_REF_BYTES ? new TextEncoder().encode(ref).length : 0;
  if (bytes > MAX_REF_BYTES) return `ref has ${bytes} bytes; a ref has 1 to 1024`;
  return ref.includes("\0") ? "ref holds a NUL character" : null;
}
