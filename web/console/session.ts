// The token, kept for this tab of the browser: in sessionStorage, or where that is refused as long as the page is there.
// The playground in the same tab shares it.

import { useSyncExternalStore } from "react";

const KEY = "memberbase.token";

function open(): Pick<Storage, "getItem" | "setItem" | "removeItem"> {
  try {
    return window.sessionStorage;
  } catch {
    const memory = new Map<string, string>();
    return {
      getItem: (key) => memory.get(key) ?? null,
      setItem: (key, value) => void memory.set(key, value),
      removeItem: (key) => void memory.delete(key),
    };
  }
}
const storage = open();

interface Session {
  token: string;
  /** Whether the server has turned down the last token. */
  refused: boolean;
}

let current: Session = { token: storage.getItem(KEY) ?? "", refused: false };
const listeners = new Set<() => void>();

function change(next: Session) {
  current = next;
  if (next.token) storage.setItem(KEY, next.token);
  else storage.removeItem(KEY);
  listeners.forEach((listener) => listener());
}

export const token = () => current.token;
export const signIn = (secret: string) => change({ token: secret, refused: false });
export const signOut = () => change({ token: "", refused: false });

/** Called with the token that a refused request carried: by then there may be another. */
export function refuse(refused: string) {
  if (refused && refused === current.token) change({ token: "", refused: true });
}

export function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export function useSession(): Session {
  return useSyncExternalStore(subscribe, () => current);
}
