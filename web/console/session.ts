// The API token of this browser tab, shared with the playground in the same tab.

import { useSyncExternalStore } from "react";

import { token as stored } from "../tab-storage";

interface Session {
  token: string;
  /** Whether the server rejected the last token. */
  rejected: boolean;
}

let current: Session = { token: stored.read(), rejected: false };
const listeners = new Set<() => void>();

function change(next: Session) {
  current = next;
  stored.write(next.token);
  listeners.forEach((listener) => listener());
}

export const token = () => current.token;
export const signIn = (secret: string) => change({ token: secret, rejected: false });
export const signOut = () => change({ token: "", rejected: false });

/** Signs out after a 401. Takes the token of the failed request, because the person may have signed in again since. */
export function rejectToken(rejected: string) {
  if (rejected && rejected === current.token) change({ token: "", rejected: true });
}

export function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export function useSession(): Session {
  return useSyncExternalStore(subscribe, () => current);
}
