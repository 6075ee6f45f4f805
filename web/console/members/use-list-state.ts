import { useCallback, useMemo } from "react";

import { href, navigate, useRoute } from "../router";
import { type ListState, toSearchParams, listStateFrom } from "./list-state";

/** Returns the list state in the address, a function that returns the address of a changed state, and one that opens it. */
export function useListState() {
  const { path, search } = useRoute();
  const state = useMemo(() => listStateFrom(search), [search]);
  const addressOf = useCallback(
    (change: Partial<ListState>) => href(path, toSearchParams({ ...state, ...change })),
    [path, state],
  );
  const update = useCallback(
    (change: Partial<ListState>, options?: { replace?: boolean }) => navigate(addressOf(change), options),
    [addressOf],
  );
  return { state, addressOf, update };
}
