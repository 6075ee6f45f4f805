// GraphQL over HTTP needs no more than fetch.
import assert from "node:assert/strict";
import { type DocumentNode, print } from "graphql";
import type { TadaDocumentNode } from "gql.tada";

const { MEMBERBASE_URL = "http://127.0.0.1:8080", MEMBERBASE_TOKEN } = process.env;
assert(MEMBERBASE_TOKEN, "MEMBERBASE_TOKEN is not set");

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

type Answer<Data> = {
  data?: Data | null;
  errors?: { message: string; extensions: { code: string; retryable: boolean; traceId: string } }[];
};

/** Sends an operation. Fails with the first error where the answer holds any. */
export async function request<Data, Variables>(
  document: TadaDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const response = await fetch(`${MEMBERBASE_URL}/graphql`, {
    method: "POST",
    headers: {
      accept: "application/graphql-response+json",
      authorization: `Bearer ${MEMBERBASE_TOKEN}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ query: print(document as DocumentNode), variables }),
  });
  const { data, errors } = (await response.json()) as Answer<Data>;
  const [error] = errors ?? [];
  if (error) {
    const { code, retryable, traceId } = error.extensions;
    throw new MemberbaseError(error.message, code, retryable, traceId);
  }
  assert(data);
  return data;
}
