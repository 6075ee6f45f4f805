// Relay's store over plain fetch.
import { Environment, type FetchFunction, Network, RecordSource, Store } from "relay-runtime";

const { MEMBERBASE_URL = "http://127.0.0.1:8080", MEMBERBASE_TOKEN } = process.env;
if (!MEMBERBASE_TOKEN) throw new Error("MEMBERBASE_TOKEN is not set");

/** An error of the server's: branch on its code, and quote its trace id when asking about it. */
export class MemberbaseError extends Error {
  constructor(
    message: string,
    readonly code: string,
    readonly retryable: boolean,
    readonly traceId: string,
  ) {
    super(`${code}: ${message} (trace id ${traceId})`);
  }
}

const fetchGraphQL: FetchFunction = async ({ text: query }, variables) => {
  const response = await fetch(`${MEMBERBASE_URL}/graphql`, {
    method: "POST",
    headers: {
      accept: "application/graphql-response+json",
      authorization: `Bearer ${MEMBERBASE_TOKEN}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ query, variables }),
  });
  const answer = await response.json();
  const [error] = answer.errors ?? [];
  if (error) {
    const { code, retryable, traceId } = error.extensions;
    throw new MemberbaseError(error.message, code, retryable, traceId);
  }
  return answer;
};

export const environment = new Environment({
  network: Network.create(fetchGraphQL),
  store: new Store(new RecordSource()),
});
