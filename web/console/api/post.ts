/** Returns the fetch options of an operation, for pages and the import worker. `body` is JSON. */
export function post(token: string, body: string, signal: AbortSignal | null): RequestInit {
  return {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Accept: "application/graphql-response+json, application/json;q=0.9",
      Authorization: `Bearer ${token}`,
    },
    body,
    credentials: "omit",
    cache: "no-store",
    signal,
  };
}
