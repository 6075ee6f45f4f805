import { QueryClient, queryOptions } from "@tanstack/react-query";

import type { TypedDocumentString } from "../gql/graphql";
import { ask } from "./ask";
import { ApiError } from "./error";

/** What is of no memberbase: the list of them, the tokens. */
export const SERVER = "server";

/**
 * A query for `useQuery`. Its scope is the id of the memberbase that it reads in, or SERVER: `refresh(scope)` has all
 * queries of a scope asked again.
 */
export function asking<Data, Variables>(
  scope: string,
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
) {
  return queryOptions({
    queryKey: [scope, document.toString(), variables],
    queryFn: ({ signal }) => ask(document, variables, signal),
  });
}

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // Of this server alone, which may be on this machine: what the browser thinks of the network does not matter.
      networkMode: "always",
      staleTime: 15_000,
      refetchOnWindowFocus: false,
      retry: (count, error) => count < 2 && error instanceof ApiError && error.retryable,
    },
    mutations: { networkMode: "always" },
  },
});

export function refresh(scope: string) {
  return queries.invalidateQueries({ queryKey: [scope] });
}
