import { createContext, type ReactNode, useContext, useEffect, useMemo, useRef, useState } from "react";

import { queries, refresh } from "../api/queries";
import { type Change, subscribeToChanges } from "./subscribe";

export interface Changes {
  /** How many members were changed, and not by this page, since it was read. */
  count: number;
  /** There were more than that. */
  missed: boolean;
  /** Asks for everything anew. */
  show: () => void;
  /** The same after a change of one's own, once its event has come. */
  showSoon: () => void;
}

const NONE = { count: 0, missed: false };
const ChangesContext = createContext<Changes | null>(null);

/** Of the memberbase that the page is of. */
export function useChanges(): Changes {
  const changes = useContext(ChangesContext);
  if (!changes) throw new Error("there is no memberbase here");
  return changes;
}

/** Figures follow by themselves, but not faster than this. */
const THROTTLE = 5_000;
const OWN_EVENT = 1_000;

/**
 * Keeps the pages of a memberbase current: queries are asked again when something changes, but for those with
 * `meta: { steady: true }`, whose page tells `useChanges().count` and lets the reader decide.
 */
export function MemberbaseChanges({ memberbaseId, children }: { memberbaseId: string; children: ReactNode }) {
  const [told, setTold] = useState(NONE);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const own = useRef<ReturnType<typeof setTimeout>>(undefined);

  useEffect(() => {
    const tell = ({ created, updated, deleted, missed }: Change) => {
      setTold((told) => ({
        // One that missed some tells no number, and is at least one.
        count: told.count + Math.max(created + updated + deleted, missed ? 1 : 0),
        missed: told.missed || missed,
      }));
      timer.current ??= setTimeout(() => {
        timer.current = undefined;
        void queries.invalidateQueries({ queryKey: [memberbaseId], predicate: ({ meta }) => meta?.steady !== true });
      }, THROTTLE);
    };
    const stop = whileVisible(
      () => subscribeToChanges(memberbaseId, tell),
      // Nobody has looked at it in the meantime.
      () => void refresh(memberbaseId),
    );
    return () => {
      stop();
      clearTimeout(timer.current);
      clearTimeout(own.current);
      timer.current = undefined;
      setTold(NONE);
    };
  }, [memberbaseId]);

  const changes = useMemo(() => {
    const show = () => {
      setTold(NONE);
      void refresh(memberbaseId);
    };
    const showSoon = () => {
      clearTimeout(own.current);
      own.current = setTimeout(show, OWN_EVENT);
    };
    return { ...told, show, showSoon };
  }, [told, memberbaseId]);
  return <ChangesContext value={changes}>{children}</ChangesContext>;
}

/** A tab in the background holds no connection: browsers have few of them for a server, which all tabs share. */
function whileVisible(start: () => () => void, onReturn: () => void): () => void {
  let stop = document.hidden ? undefined : start();
  const change = () => {
    if (document.hidden) {
      stop?.();
      stop = undefined;
    } else if (!stop) {
      stop = start();
      onReturn();
    }
  };
  document.addEventListener("visibilitychange", change);
  return () => {
    document.removeEventListener("visibilitychange", change);
    stop?.();
  };
}
