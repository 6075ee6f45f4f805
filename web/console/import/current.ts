// The import of this tab, which continues while other pages of the console are open.

import { useSyncExternalStore } from "react";

import { refresh } from "../api/queries";
import * as session from "../session";
import { Work, type Order } from "./work";

export interface Current {
  work: Work;
  memberbase: { id: string; name: string };
}

let current: Current | null = null;
const listeners = new Set<() => void>();

function change(next: Current | null) {
  current = next;
  listeners.forEach((listener) => listener());
}

/** Asks for confirmation before the page is left, which would end the import. */
const confirmLeave = (event: BeforeUnloadEvent) => event.preventDefault();

export function begin(memberbase: Current["memberbase"], order: Order) {
  const work = new Work(order);
  const follow = () => {
    if (work.state.phase === "running") addEventListener("beforeunload", confirmLeave);
    else {
      removeEventListener("beforeunload", confirmLeave);
      void refresh(memberbase.id);
    }
  };
  follow();
  work.subscribe(follow);
  const signedIn = session.token();
  const unsubscribe = session.subscribe(() => {
    if (session.token() === signedIn) return;
    unsubscribe();
    work.kill();
    if (current?.work === work) change(null);
  });
  change({ work, memberbase });
}

/** Forgets an import that has ended. */
export const forget = () => change(null);

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export const useCurrent = () => useSyncExternalStore(subscribe, () => current);
