// One way to the server, for GraphiQL's operations and its question for the schema.

import type { FetcherParams } from "@graphiql/toolkit";
import type { ExecutionResult } from "graphql";

const ENDPOINT = new URL("graphql", document.baseURI);

export type Verdict = "welcome" | "refused";

export async function ask(token: string, parameters: FetcherParams, judge: (verdict: Verdict) => void) {
  const { query, variables } = parameters;
  const name = parameters.operationName;
  // GraphiQL is a moment late to see that another tab has another operation.
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
  judge(response.status === 401 ? "refused" : "welcome");
  return (await response.json()) as ExecutionResult;
}
