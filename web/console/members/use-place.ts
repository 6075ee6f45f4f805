import { useCallback, useMemo } from "react";

import { href, navigate, useRoute } from "../router";
import { type Place, parametersOf, placeFrom } from "./place";

/** The place that the address names, the address of another one, and the way there. */
export function usePlace() {
  const { path, search } = useRoute();
  const place = useMemo(() => placeFrom(search), [search]);
  const addressOf = useCallback(
    (change: Partial<Place>) => href(path, parametersOf({ ...place, ...change })),
    [path, place],
  );
  const go = useCallback(
    (change: Partial<Place>, options?: { replace?: boolean }) => navigate(addressOf(change), options),
    [addressOf],
  );
  return { place, addressOf, go };
}
