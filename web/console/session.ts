// The token, kept for this tab of the browser. The playground in the same tab shares it.

import { useSyncExternalStore } from "react";

import { token as stored } from "../tab-storage";

interface Session {
  token: string;
  /** Whether the server has turned down the last token. */
  refused: boolean;
}

let current: Session = { token: stored.read(), refused: false };
const listeners = new Set<() => void>();

function change(next: Session) {
  current = next;
  stored.write(next.token);
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
