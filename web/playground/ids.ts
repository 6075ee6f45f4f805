// An id that one tab was answered with is at hand in the next: it is put into the variables that wait for one.

/** What stands in the variables until there is an id. */
export const PLACEHOLDER = { memberbase: "mb_…", member: "m_…" };

/** What the answers told so far. */
export interface Known {
  memberbase?: string;
  member?: string;
  /** The cursor that the next page begins after; null behind the last page. */
  after?: string | null | undefined;
}

const PREFIX = { memberbase: /^mb_[0-9a-z]{26}$/, member: /^m_[0-9a-z]{26}$/ };

/**
 * What is known after an answer. A mutation's ids replace what was known, for they are of what was just made; a query's
 * only fill what is missing, for a list of everything says nothing of what is being worked on.
 */
export function learn(known: Known, query: string, answer: unknown): Known {
  const seen: Known = {};
  walk(answer, seen);
  return /^\s*mutation\b/m.test(query) ? { ...known, ...seen } : { ...seen, ...known, ...after(seen) };
}

function after(seen: Known): Known {
  return seen.after === undefined ? {} : { after: seen.after };
}

function walk(value: unknown, seen: Known) {
  if (typeof value === "string") {
    if (PREFIX.memberbase.test(value)) seen.memberbase ??= value;
    if (PREFIX.member.test(value)) seen.member ??= value;
  } else if (Array.isArray(value)) {
    for (const item of value) walk(item, seen);
  } else if (value && typeof value === "object") {
    for (const [key, item] of Object.entries(value)) {
      // What is gone is not worked on.
      if (/^(deleted|notFound)/.test(key) || key === "errors") continue;
      if (key === "pageInfo" && seen.after === undefined) seen.after = cursor(item as Record<string, unknown>);
      else walk(item, seen);
    }
  }
}

function cursor(page: Record<string, unknown>): string | null | undefined {
  if (page.hasNextPage === false) return null;
  return typeof page.endCursor === "string" ? page.endCursor : undefined;
}

/** What was put into the variables of a tab: that alone is replaced later, never what a person typed. */
export type Filled = Known;

/** The variables with what is known where something waits for it, and what was filled in then. */
export function fill(variables: string, known: Known, filled: Filled, turnsPages: boolean): [string, Filled] {
  let text = variables;
  const now: Filled = { ...filled };
  for (const kind of ["memberbase", "member"] as const) {
    const id = known[kind];
    if (!id) continue;
    for (const waiting of [PLACEHOLDER[kind], filled[kind]]) {
      if (!waiting || !text.includes(JSON.stringify(waiting))) continue;
      text = text.replaceAll(JSON.stringify(waiting), JSON.stringify(id));
      now[kind] = id;
    }
  }
  if (turnsPages && known.after !== undefined) {
    const waiting = /("after"\s*:\s*)(null|"[^"]*")/;
    const cursor = JSON.stringify(known.after);
    const there = waiting.exec(text)?.[2];
    if (there !== undefined && there === JSON.stringify(filled.after ?? null) && there !== cursor) {
      text = text.replace(waiting, (_, key: string) => key + cursor);
      now.after = known.after;
    }
  }
  return [text, now];
}
