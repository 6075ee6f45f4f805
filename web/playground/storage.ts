// What the page remembers, it remembers for this tab of the browser.

import { tabStorage as session } from "../tab-storage";
import type { Filled, Known } from "./ids";

const AT_HAND = "memberbase.at-hand";
const GRAPHIQL = "graphiql:";

export { token } from "../tab-storage";

/** The ids at hand, and which of them stand in which tab. */
export const atHand = {
  read: (): AtHand => JSON.parse(session.getItem(AT_HAND) ?? '{"known":{},"filled":{}}'),
  write: (change: Partial<AtHand>) => session.setItem(AT_HAND, JSON.stringify({ ...atHand.read(), ...change })),
};

interface AtHand {
  known: Known;
  filled: Record<string, Filled>;
}

function graphiqlKeys() {
  return Object.keys(session).filter((key) => key.startsWith(GRAPHIQL));
}

/** For GraphiQL, which would take localStorage. */
export const storage = {
  getItem: (key: string) => session.getItem(key),
  setItem: (key: string, value: string) => session.setItem(key, value),
  removeItem: (key: string) => session.removeItem(key),
  /** Not the token, which GraphiQL knows nothing of. */
  clear: () => graphiqlKeys().forEach((key) => session.removeItem(key)),
  get length() {
    return graphiqlKeys().length;
  },
};

/** GraphiQL shows the variables of the first default tab only where they are in its storage. */
export function begin(first: { query: string; variables: string }) {
  if (storage.length > 0) return;
  storage.setItem(`${GRAPHIQL}query`, first.query);
  storage.setItem(`${GRAPHIQL}variables`, first.variables);
}
