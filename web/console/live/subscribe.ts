// The subscription to what changes in a memberbase, by SSE. Where the server refuses it there is none, and nobody is told:
// the pages work without.

import { createClient } from "graphql-sse";

import { ENDPOINT } from "../api/ask";
import { graphql } from "../gql";
import type { MemberbaseChangedSubscription } from "../gql/graphql";
import { token } from "../session";

const MemberbaseChanged = graphql(`
  subscription MemberbaseChanged($memberbaseId: ID!) {
    memberbaseChanged(memberbaseId: $memberbaseId) {
      created
      updated
      deleted
      missed
    }
  }
`);

export type Change = MemberbaseChangedSubscription["memberbaseChanged"];

const LOST: Change = { created: 0, updated: 0, deleted: 0, missed: true };
/** Before asking again a server that has ended the subscription. */
const PAUSE = 15_000;

/** Calls `tell` with every change until the function that it gives back is called. */
export function subscribeToChanges(memberbaseId: string, tell: (change: Change) => void): () => void {
  let status = 0;
  const client = createClient({
    url: ENDPOINT.href,
    headers: () => ({ Authorization: `Bearer ${token()}` }),
    credentials: "omit",
    fetchFn: async (input: RequestInfo | URL, init?: RequestInit) => {
      const response = await fetch(input, init);
      status = response.status;
      return response;
    },
    retryAttempts: 8,
    retry: async (retries) => {
      // The same question has the same answer, but for too many at once.
      if (status >= 400 && status < 500 && status !== 429) throw new Error("the server refuses the subscription");
      await new Promise((resolve) => setTimeout(resolve, Math.min(1_000 * 2 ** retries, 30_000) * (1 + Math.random())));
    },
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended = false;
  const run = (again: boolean) => {
    client.subscribe<MemberbaseChangedSubscription>(
      { query: MemberbaseChanged.toString(), variables: { memberbaseId } },
      {
        next: ({ data, errors }) => {
          if (errors) ended = true;
          else if (data?.memberbaseChanged) tell(data.memberbaseChanged);
        },
        error: () => {},
        complete: () => {
          if (!ended) timer = setTimeout(run, PAUSE, true);
        },
      },
      { connected: (reconnected) => (again || reconnected) && tell(LOST) },
    );
  };
  run(false);
  return () => {
    ended = true;
    clearTimeout(timer);
    client.dispose();
  };
}
