// The import of this tab, which continues while other pages of the console are open.

import { useSyncExternalStore } from "react";

import { refresh } from "../api/queries";
import * as session from "../session";
import { Work, type Order } from "./work";

export interface Current {
  work: Work;
  memberbase: { id: string; name: string };
  fileName: string;
}

let current: Current | null = null;
const listeners = new Set<() => void>();

function change(next: Current | null) {
  current = next;
  listeners.forEach((listener) => listener());
}

/** Whoever leaves the page is asked first: what runs in it ends with it. */
const hold = (event: BeforeUnloadEvent) => event.preventDefault();

export function begin(memberbase: Current["memberbase"], fileName: string, order: Order) {
  const work = new Work(order);
  addEventListener("beforeunload", hold);
  const signedIn = session.token();
  const leave = session.subscribe(() => {
    if (session.token() === signedIn) return;
    work.kill();
    done();
    change(null);
  });
  const ends = work.subscribe(() => {
    if (work.state.phase !== "ended") return;
    done();
    void refresh(memberbase.id);
  });
  const done = () => {
    removeEventListener("beforeunload", hold);
    leave();
    ends();
  };
  change({ work, memberbase, fileName });
}

/** Forgets one that has ended. */
export const forget = () => change(null);

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export const useCurrent = () => useSyncExternalStore(subscribe, () => current);
