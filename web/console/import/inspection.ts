import { queryOptions, keepPreviousData } from "@tanstack/react-query";

import { inspect } from "./endpoint";
import type { Choices } from "./parameters";

/** Returns the options of `useQuery` for what a file is. */
export function inspectionOf(memberbaseId: string, file: File, choices: Choices) {
  return queryOptions({
    queryKey: [memberbaseId, "inspection", file.name, file.size, file.lastModified, choices],
    queryFn: ({ signal }) => inspect(memberbaseId, file, choices, signal),
    placeholderData: keepPreviousData,
    // Depends on the attributes only, whose change on this page refetches it.
    meta: { manualReload: true },
  });
}
