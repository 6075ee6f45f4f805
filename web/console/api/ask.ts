// The one way to the server: a typed document in, its data or an ApiError out.

import type { TypedDocumentString } from "../gql/graphql";
import * as session from "../session";
import { ApiError, unreachable } from "./error";
import { post } from "./post";

export const ENDPOINT = new URL("graphql", document.baseURI);

interface Answer<Data> {
  data?: Data | null;
  errors?: AnsweredError[];
}

interface AnsweredError {
  message: string;
  path?: (string | number)[];
  extensions?: Record<string, unknown>;
}

/** Any error of the answer is thrown, also where there is data beside it. */
export async function ask<Data, Variables>(
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
  signal?: AbortSignal,
): Promise<Data> {
  const token = session.token();
  const response = await send(token, JSON.stringify({ query: document.toString(), variables }), signal);
  const traceId = response.headers.get("X-Trace-Id") ?? undefined;
  if (response.status === 401) session.refuse(token);
  const answer = await read<Data>(response, traceId);
  const [error] = answer.errors ?? [];
  if (error) throw fromAnswer(error, traceId);
  if (!answer.data) throw new ApiError("the answer has no data", { code: "BAD_ANSWER", traceId });
  return answer.data;
}

async function send(token: string, body: string, signal: AbortSignal | undefined) {
  try {
    return await fetch(ENDPOINT, post(token, body, signal ?? null));
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw unreachable(cause);
  }
}

async function read<Data>(response: Response, traceId: string | undefined): Promise<Answer<Data>> {
  let text: string;
  try {
    text = await response.text();
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw unreachable(cause);
  }
  try {
    return JSON.parse(text) as Answer<Data>;
  } catch (cause) {
    // A proxy in between has words of its own.
    const message = `the answer is no GraphQL: HTTP status ${response.status}`;
    throw new ApiError(message, { code: "BAD_ANSWER", traceId, retryable: response.status >= 500, cause });
  }
}

function fromAnswer({ message, path, extensions = {} }: AnsweredError, traceId: string | undefined) {
  const { code, retryable, traceId: own } = extensions;
  return new ApiError(message, {
    code: typeof code === "string" ? code : "UNKNOWN",
    path,
    traceId: typeof own === "string" ? own : traceId,
    retryable: retryable === true,
    extensions,
  });
}
