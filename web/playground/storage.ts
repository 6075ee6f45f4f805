// Keeps the playground's state in this browser tab.

import { tabStorage as session } from "../tab-storage";
import type { FilledValues, KnownValues } from "./known-values";

const AUTOFILL = "memberbase.autofill";
const GRAPHIQL = "graphiql:";

export { token } from "../tab-storage";

/** The values known from responses, and those that were filled into each tab. */
export const autofill = {
  read: (): Autofill => JSON.parse(session.getItem(AUTOFILL) ?? '{"known":{},"filled":{}}'),
  write: (change: Partial<Autofill>) => session.setItem(AUTOFILL, JSON.stringify({ ...autofill.read(), ...change })),
};

interface Autofill {
  known: KnownValues;
  filled: Record<string, FilledValues>;
}

function graphiqlKeys() {
  return Object.keys(session).filter((key) => key.startsWith(GRAPHIQL));
}

/** The storage given to GraphiQL, which uses localStorage by default. */
export const storage = {
  getItem: (key: string) => session.getItem(key),
  setItem: (key: string, value: string) => session.setItem(key, value),
  removeItem: (key: string) => session.removeItem(key),
  /** Removes GraphiQL's own keys and keeps the token. */
  clear: () => graphiqlKeys().forEach((key) => session.removeItem(key)),
  get length() {
    return graphiqlKeys().length;
  },
};

/** Seeds the first tab: GraphiQL shows the variables of the first default tab only if they are in its storage. */
export function seedFirstTab(first: { query: string; variables: string }) {
  if (storage.length > 0) return;
  storage.setItem(`${GRAPHIQL}query`, first.query);
  storage.setItem(`${GRAPHIQL}variables`, first.variables);
}
