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
  /** Whom it is about; null where it does not say. */
  ref: string | null;
  /** A `MemberInput`; empty where it is about nobody. */
  json: string;
  /** Why it is bad, where that shows without the API. `json` then is what the API finds bad, too. */
  fault: Fault | null;
}

export function fault(code: string, message: string, ...path: string[]): Fault {
  return { code, message, path };
}
