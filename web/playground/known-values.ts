// Collects ids and cursors from responses, and fills them into the variables of the other tabs.

/** Stand in the variables of a tab until an id is known. */
export const PLACEHOLDER = { memberbase: "mb_…", member: "m_…" };

export interface KnownValues {
  memberbase?: string;
  member?: string;
  /** The cursor after which the next page begins; null after the last page. */
  after?: string | null | undefined;
}

const ID_PATTERN = { memberbase: /^mb_[0-9a-z]{26}$/, member: /^m_[0-9a-z]{26}$/ };

/**
 * Adds the values of a response. Ids from a mutation replace the known ones, because they name what was just created; ids from
 * a query only fill gaps, because a list does not show which item the person works on.
 */
export function addKnownValues(known: KnownValues, query: string, data: unknown): KnownValues {
  const seen: KnownValues = {};
  walk(data, seen);
  return /^\s*mutation\b/m.test(query) ? { ...known, ...seen } : { ...seen, ...known, ...cursorOf(seen) };
}

function cursorOf({ after }: KnownValues): KnownValues {
  return after === undefined ? {} : { after };
}

function walk(value: unknown, seen: KnownValues) {
  if (typeof value === "string") {
    if (ID_PATTERN.memberbase.test(value)) seen.memberbase ??= value;
    if (ID_PATTERN.member.test(value)) seen.member ??= value;
  } else if (Array.isArray(value)) {
    for (const item of value) walk(item, seen);
  } else if (value && typeof value === "object") {
    for (const [key, item] of Object.entries(value)) {
      // Ids of deleted or missing records are of no use in another tab.
      if (/^(deleted|notFound)/.test(key) || key === "errors") continue;
      if (key === "pageInfo" && seen.after === undefined) seen.after = nextCursor(item as Record<string, unknown>);
      else walk(item, seen);
    }
  }
}

function nextCursor(pageInfo: Record<string, unknown>): string | null | undefined {
  if (pageInfo.hasNextPage === false) return null;
  return typeof pageInfo.endCursor === "string" ? pageInfo.endCursor : undefined;
}

/** The values that were filled into a tab. Only these are replaced later, never text that a person typed. */
export type FilledValues = KnownValues;

/** Returns the variables with placeholders and earlier filled values replaced, and the values that are now filled in. */
export function fillVariables(
  variables: string,
  known: KnownValues,
  filled: FilledValues,
  isPaginated: boolean,
): [string, FilledValues] {
  let text = variables;
  const nowFilled: FilledValues = { ...filled };
  for (const kind of ["memberbase", "member"] as const) {
    const id = known[kind];
    if (!id) continue;
    for (const replaceable of [PLACEHOLDER[kind], filled[kind]]) {
      if (!replaceable || !text.includes(JSON.stringify(replaceable))) continue;
      text = text.replaceAll(JSON.stringify(replaceable), JSON.stringify(id));
      nowFilled[kind] = id;
    }
  }
  if (isPaginated && known.after !== undefined) {
    const afterVariable = /("after"\s*:\s*)(null|"[^"]*")/;
    const cursor = JSON.stringify(known.after);
    const current = afterVariable.exec(text)?.[2];
    if (current !== undefined && current === JSON.stringify(filled.after ?? null) && current !== cursor) {
      text = text.replace(afterVariable, (_, key: string) => key + cursor);
      nowFilled.after = known.after;
    }
  }
  return [text, nowFilled];
}
