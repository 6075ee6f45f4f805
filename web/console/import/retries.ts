// Exponential backoff with jitter, so that many clients do not retry at the same time.

const FIRST = 500;
const MOST = 30_000;

export class Retries {
  readonly #limit: number;
  #since: number | null = null;
  #ceiling = FIRST;

  /** For so many milliseconds from the first failure on. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How long to wait before the next try, at least as long as the server asks for. Null once the time is over. */
  next(after: number, now = performance.now()): number | null {
    this.#since ??= now;
    const wait = after + this.#ceiling * Math.random();
    this.#ceiling = Math.min(2 * this.#ceiling, MOST);
    return now - this.#since + wait <= this.#limit ? wait : null;
  }
}
