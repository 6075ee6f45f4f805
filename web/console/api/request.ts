// Sends a typed document to the server. Returns its data or throws an ApiError.

import type { TypedDocumentString } from "../gql/graphql";
import * as session from "../session";
import { ApiError, unreachable } from "./error";

export const ENDPOINT = new URL("graphql", document.baseURI);

interface GraphqlResponse<Data> {
  data?: Data | null;
  errors?: ResponseError[];
}

interface ResponseError {
  message: string;
  path?: (string | number)[];
  extensions?: Record<string, unknown>;
}

/** Throws the first error of the response, even if the response also has data. */
export async function request<Data, Variables>(
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
  signal?: AbortSignal,
): Promise<Data> {
  const token = session.token();
  const response = await send(token, JSON.stringify({ query: document.toString(), variables }), signal);
  const traceId = response.headers.get("X-Trace-Id") ?? undefined;
  if (response.status === 401) session.rejectToken(token);
  const { data, errors } = await read<Data>(response, traceId);
  const [error] = errors ?? [];
  if (error) throw toApiError(error, traceId);
  if (!data) throw new ApiError("the response has no data", { code: "BAD_ANSWER", traceId });
  return data;
}

async function send(token: string, body: string, signal: AbortSignal | undefined) {
  try {
    return await fetch(ENDPOINT, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        Accept: "application/graphql-response+json, application/json;q=0.9",
        Authorization: `Bearer ${token}`,
      },
      body,
      credentials: "omit",
      cache: "no-store",
      signal: signal ?? null,
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw unreachable(cause);
  }
}

async function read<Data>(response: Response, traceId: string | undefined): Promise<GraphqlResponse<Data>> {
  let text: string;
  try {
    text = await response.text();
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw unreachable(cause);
  }
  try {
    return JSON.parse(text) as GraphqlResponse<Data>;
  } catch (cause) {
    // Proxies respond with their own error pages.
    const message = `the response is not GraphQL: HTTP status ${response.status}`;
    throw new ApiError(message, { code: "BAD_ANSWER", traceId, retryable: response.status >= 500, cause });
  }
}

function toApiError({ message, path, extensions = {} }: ResponseError, traceId: string | undefined) {
  const { code, retryable, traceId: own } = extensions;
  return new ApiError(message, {
    code: typeof code === "string" ? code : "UNKNOWN",
    path,
    traceId: typeof own === "string" ? own : traceId,
    retryable: retryable === true,
    extensions,
  });
}
