// Subscribes to the changes of a memberbase over SSE. If the server rejects the subscription, no error is shown, because the
// pages work without it.

import { createClient } from "graphql-sse";

import { ENDPOINT } from "../api/request";
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

const MISSED_CHANGES: Change = { created: 0, updated: 0, deleted: 0, missed: true };
/** Delay before subscribing again after the server ended the subscription. */
const RESUBSCRIBE_DELAY_MS = 15_000;

/** Calls `onChange` with every change. Returns a function that ends the subscription. */
export function subscribeToChanges(memberbaseId: string, onChange: (change: Change) => void): () => void {
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
      // Other client errors would be the same after a retry.
      if (status >= 400 && status < 500 && status !== 429) throw new Error("the server rejects the subscription");
      await new Promise((resolve) => setTimeout(resolve, Math.min(1_000 * 2 ** retries, 30_000) * (1 + Math.random())));
    },
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended = false;
  const run = (isResubscribed: boolean) => {
    client.subscribe<MemberbaseChangedSubscription>(
      { query: MemberbaseChanged.toString(), variables: { memberbaseId } },
      {
        next: ({ data, errors }) => {
          if (errors) ended = true;
          else if (data?.memberbaseChanged) onChange(data.memberbaseChanged);
        },
        error: () => {},
        complete: () => {
          if (!ended) timer = setTimeout(run, RESUBSCRIBE_DELAY_MS, true);
        },
      },
      { connected: (reconnected) => (isResubscribed || reconnected) && onChange(MISSED_CHANGES) },
    );
  };
  run(false);
  return () => {
    ended = true;
    clearTimeout(timer);
    client.dispose();
  };
}
