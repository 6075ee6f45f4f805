// Sends GraphiQL's operations, including its introspection query, to the server.

import type { FetcherParams } from "@graphiql/toolkit";
import type { ExecutionResult } from "graphql";

const ENDPOINT = new URL("graphql", document.baseURI);

export type TokenStatus = "accepted" | "rejected";

export async function request(token: string, parameters: FetcherParams, onTokenStatus: (status: TokenStatus) => void) {
  const { query, variables } = parameters;
  const name = parameters.operationName;
  // After a switch of tabs, GraphiQL briefly sends the operation name of the previous tab.
  const operationName = name && new RegExp(`\\b${name}\\b`).test(query) ? name : undefined;
  const response = await fetch(ENDPOINT, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Accept: "application/graphql-response+json, application/json;q=0.9",
      Authorization: `Bearer ${token}`,
    },
    body: JSON.stringify({ query, variables, operationName }),
    credentials: "omit",
    cache: "no-store",
  });
  onTokenStatus(response.status === 401 ? "rejected" : "accepted");
  return (await response.json()) as ExecutionResult;
}
