// What the page remembers, it remembers for this tab of the browser: sessionStorage, or nothing where that is refused.

const TOKEN = "memberbase.token";
const GRAPHIQL = "graphiql:";

function open(): Storage | null {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
}
const session = open();

export const token = {
  read: () => session?.getItem(TOKEN) ?? "",
  write: (value: string) => (value ? session?.setItem(TOKEN, value) : session?.removeItem(TOKEN)),
};

function graphiqlKeys() {
  return session ? Object.keys(session).filter((key) => key.startsWith(GRAPHIQL)) : [];
}

/** For GraphiQL, which would take localStorage. */
export const storage = {
  getItem: (key: string) => session?.getItem(key) ?? null,
  setItem: (key: string, value: string) => session?.setItem(key, value),
  removeItem: (key: string) => session?.removeItem(key),
  /** Not the token, which GraphiQL knows nothing of. */
  clear: () => graphiqlKeys().forEach((key) => session?.removeItem(key)),
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
