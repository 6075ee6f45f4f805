// The client of `/import`.

import { ApiError, unreachable } from "../api/error";
import * as session from "../session";
import { ndjsonEvents, serverSentEvents, type Failed, type ImportEvent, type Summary } from "./events";
import { inspectionParameters, type Choices, type Inspection, type Parameters } from "./parameters";

const ENDPOINT = new URL("import", document.baseURI);

/** The parameter that names an import, so that its events can be read beside the upload, and the import continued. */
const IMPORT_PARAMETER = "import";

/** Number of bytes at the beginning of a file that the server inspects. */
const INSPECTED_BYTES = 256 << 10;

/** Pause before the events of an import are requested again. */
const POLL_INTERVAL_MS = 500;

/** Returns what the file is, and what its first rows become. */
export async function inspect(memberbaseId: string, file: File, choices: Choices, signal: AbortSignal): Promise<Inspection> {
  const parameters: Parameters = [["memberbase", memberbaseId], ["inspect", "true"], ...inspectionParameters(choices)];
  const response = await post(parameters, file.slice(0, INSPECTED_BYTES), file, signal);
  if (!response.ok) throw await rejection(response);
  return (await response.json()) as Inspection;
}

/** Sends the file, and yields the events of the response, which begins when the whole file was sent. */
export async function* upload(
  importId: string,
  file: File,
  parameters: Parameters,
  signal: AbortSignal,
): AsyncGenerator<ImportEvent> {
  const response = await post([...parameters, [IMPORT_PARAMETER, importId]], file, file, signal);
  if (!isNdjson(response)) throw await rejection(response);
  try {
    yield* ndjsonEvents(response.body!);
  } catch (cause) {
    throw signal.aborted ? cause : unreachable(cause);
  }
}

/**
 * Yields the events of an import that another request sends: its progress, and after its end all rejected rows and the
 * result. Browsers read no response before they have sent the whole request. Ends only by the signal.
 */
export async function* watch(importId: string, signal: AbortSignal): AsyncGenerator<ImportEvent> {
  const url = new URL(`${ENDPOINT.pathname}/${importId}`, ENDPOINT);
  while (!signal.aborted) {
    try {
      const response = await send(url, { headers: { Accept: "text/event-stream" }, signal });
      if (response.ok) yield* serverSentEvents(response.body!);
    } catch {
      // The connection was lost, or the signal ends it.
    }
    // The server does not know the import yet, or the stream has ended.
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
  }
}

/** Returns whether an import has no further events. */
export function isLast(event: ImportEvent): event is Summary | Failed {
  return event.event === "summary" || event.event === "failed";
}

async function post(parameters: Parameters, body: Blob, file: File, signal: AbortSignal): Promise<Response> {
  const url = new URL(`?${new URLSearchParams(parameters)}`, ENDPOINT);
  // The browser's guess by the file's name could contradict the parameters.
  const headers = { "Content-Type": "application/octet-stream" };
  try {
    return await send(url, { method: "POST", headers, body, signal });
  } catch (cause) {
    if (signal.aborted) throw cause;
    await assertReadable(file);
    throw unreachable(cause);
  }
}

async function send(url: URL, init: RequestInit): Promise<Response> {
  const token = session.token();
  const headers = { ...init.headers, Authorization: `Bearer ${token}` };
  const response = await fetch(url, { ...init, headers, credentials: "omit", cache: "no-store" });
  if (response.status === 401) session.rejectToken(token);
  return response;
}

/** Throws if the file was changed or deleted since it was chosen; `fetch` reports that as a network error. */
async function assertReadable(file: File) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch (cause) {
    const message = "the file was changed, moved or deleted since you chose it: choose it again";
    throw new ApiError(message, { code: "UNREADABLE_FILE", cause });
  }
}

function isNdjson(response: Response): boolean {
  return response.headers.get("Content-Type")?.startsWith("application/x-ndjson") ?? false;
}

/** Returns the error of a response without a result: of the server, or of a proxy in front of it. */
async function rejection(response: Response): Promise<ApiError> {
  const { status } = response;
  if (isNdjson(response)) {
    for await (const event of ndjsonEvents(response.body!)) {
      if (event.event === "failed") return failure(event);
    }
  }
  const reason =
    status === 413 ? "a proxy in front of the server rejects files of this size" : "the response is not that of an import";
  return new ApiError(`${reason}: HTTP status ${status}`, { code: "BAD_ANSWER", retryable: status >= 500 });
}

export function failure({ code, message, retryable, traceId }: Failed): ApiError {
  return new ApiError(message, { code, retryable, traceId: traceId || undefined });
}
