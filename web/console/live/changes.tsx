import { createContext, type ReactNode, useContext, useEffect, useMemo, useRef, useState } from "react";

import { queries, refresh } from "../api/queries";
import { type Change, subscribeToChanges } from "./subscribe";

export interface Changes {
  /** Number of members changed since the rows were loaded. */
  count: number;
  /** Whether events were missed, so that `count` is a lower bound. */
  missed: boolean;
  /** Resets the count and refetches the memberbase's queries. */
  reload: () => void;
  /** Does the same after a delay, so that the event of the page's own change is not counted. */
  reloadSoon: () => void;
}

const NO_CHANGES = { count: 0, missed: false };
const ChangesContext = createContext<Changes | null>(null);

/** Returns the changes to the memberbase of the current page. */
export function useChanges(): Changes {
  const changes = useContext(ChangesContext);
  if (!changes) throw new Error("useChanges needs MemberbaseChanges above it");
  return changes;
}

/** Minimum interval between automatic refetches. */
const REFETCH_INTERVAL_MS = 5_000;
const OWN_EVENT_DELAY_MS = 1_000;

/**
 * Keeps the pages of a memberbase current by refetching its queries after a change. Queries with
 * `meta: { manualReload: true }` are excluded: their page shows `useChanges().count` and a button to reload.
 */
export function MemberbaseChanges({ memberbaseId, children }: { memberbaseId: string; children: ReactNode }) {
  const [pending, setPending] = useState(NO_CHANGES);
  const refetchTimer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const reloadTimer = useRef<ReturnType<typeof setTimeout>>(undefined);

  useEffect(() => {
    const record = ({ created, updated, deleted, missed }: Change) => {
      setPending((pending) => ({
        // An event with `missed` may have counts of 0, but stands for at least one change.
        count: pending.count + Math.max(created + updated + deleted, missed ? 1 : 0),
        missed: pending.missed || missed,
      }));
      refetchTimer.current ??= setTimeout(() => {
        refetchTimer.current = undefined;
        void queries.invalidateQueries({ queryKey: [memberbaseId], predicate: ({ meta }) => meta?.manualReload !== true });
      }, REFETCH_INTERVAL_MS);
    };
    const stop = whileVisible(
      () => subscribeToChanges(memberbaseId, record),
      // The tab was hidden, so refetching does not move rows under the reader.
      () => void refresh(memberbaseId),
    );
    return () => {
      stop();
      clearTimeout(refetchTimer.current);
      clearTimeout(reloadTimer.current);
      refetchTimer.current = undefined;
      setPending(NO_CHANGES);
    };
  }, [memberbaseId]);

  const changes = useMemo(() => {
    const reload = () => {
      setPending(NO_CHANGES);
      void refresh(memberbaseId);
    };
    const reloadSoon = () => {
      clearTimeout(reloadTimer.current);
      reloadTimer.current = setTimeout(reload, OWN_EVENT_DELAY_MS);
    };
    return { ...pending, reload, reloadSoon };
  }, [pending, memberbaseId]);
  return <ChangesContext value={changes}>{children}</ChangesContext>;
}

/** Closes the connection while the tab is hidden: browsers limit connections per server, across all tabs. */
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
