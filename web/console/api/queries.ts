import { QueryClient, queryOptions } from "@tanstack/react-query";

import type { TypedDocumentString } from "../gql/graphql";
import { request } from "./request";
import { isRetryable } from "./error";

/** The scope of queries outside a memberbase: the list of memberbases, and API tokens. */
export const SERVER_SCOPE = "server";

/**
 * Returns the options of `useQuery` for a document. The scope is the id of the memberbase that the query reads, or
 * SERVER_SCOPE. `refresh(scope)` refetches all queries of a scope.
 */
export function queryFor<Data, Variables>(
  scope: string,
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
) {
  return queryOptions({
    queryKey: [scope, document.toString(), variables],
    queryFn: ({ signal }) => request(document, variables, signal),
  });
}

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // The server may run on this machine, so the browser's online state does not matter.
      networkMode: "always",
      staleTime: 15_000,
      refetchOnWindowFocus: false,
      retry: (count, error) => count < 2 && isRetryable(error),
    },
    mutations: { networkMode: "always" },
  },
});

export function refresh(scope: string) {
  return queries.invalidateQueries({ queryKey: [scope] });
}
