interface Properties {
  code: string;
  path?: (string | number)[] | undefined;
  traceId?: string | undefined;
  retryable?: boolean;
  extensions?: Record<string, unknown>;
  cause?: unknown;
}

/** An error of the API, or a request that got no response. docs/errors.md lists the codes. */
export class ApiError extends Error {
  readonly code: string;
  readonly path: (string | number)[];
  readonly traceId: string | undefined;
  readonly retryable: boolean;
  /** The extensions of the GraphQL error, for example failures and failureCount. */
  readonly extensions: Record<string, unknown>;

  constructor(message: string, { code, path, traceId, retryable, extensions, cause }: Properties) {
    super(message, { cause });
    this.name = "ApiError";
    this.code = code;
    this.path = path ?? [];
    this.traceId = traceId;
    this.retryable = retryable ?? false;
    this.extensions = extensions ?? {};
  }
}

/** Returns whether the same request may succeed later. */
export function isRetryable(error: unknown): boolean {
  return error instanceof ApiError && error.retryable;
}

export function unreachable(cause: unknown) {
  return new ApiError("the server can't be reached", { code: "UNREACHABLE", retryable: true, cause });
}

export function notFound(what: string) {
  return new ApiError(`${what} does not exist, or your token has no access to it`, { code: "NOT_FOUND" });
}

/** Returns the message as a sentence. The server's messages begin in lower case and have no full stop. */
export function toSentence(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const text = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}
