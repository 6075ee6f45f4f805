// Distributes rows to concurrent requests. Rows of one ref always take the same lane, and a lane sends one batch at a time, so
// rows of one member are stored in the order of the file.

import type { Row } from "./row";

export interface Batch {
  rows: Row[];
  /** Letters of their JSON. */
  size: number;
}

export interface Bounds {
  lanes: number;
  /** Rows of a batch. */
  rows: number;
  /** Letters of a batch's JSON. */
  size: number;
}

export class Lanes {
  readonly #send: (batch: Batch) => Promise<void>;
  readonly #bounds: Bounds;
  readonly #lanes: Lane[];

  constructor(bounds: Bounds, send: (batch: Batch) => Promise<void>) {
    this.#bounds = bounds;
    this.#send = send;
    this.#lanes = Array.from({ length: bounds.lanes }, () => ({ filling: { rows: [], size: 0 }, sent: Promise.resolve() }));
  }

  /** Adds a row. Where that fills a batch, the answer is to be waited for: there is one in flight of each lane, at most. */
  push(row: Row): Promise<void> | null {
    const lane = this.#lanes[hash(row.ref ?? "") % this.#lanes.length] as Lane;
    lane.filling.rows.push(row);
    lane.filling.size += row.json.length + 1;
    const isFull = lane.filling.rows.length >= this.#bounds.rows || lane.filling.size >= this.#bounds.size;
    return isFull ? this.#leave(lane) : null;
  }

  /** Sends what is left, and waits for all. */
  async end(): Promise<void> {
    await Promise.all(
      this.#lanes.map(async (lane) => {
        if (lane.filling.rows.length > 0) await this.#leave(lane);
        await lane.sent;
      }),
    );
  }

  async #leave(lane: Lane): Promise<void> {
    const full = lane.filling;
    lane.filling = { rows: [], size: 0 };
    await lane.sent;
    lane.sent = this.#send(full);
    // Whoever waits for the lane next hears of it.
    lane.sent.catch(() => undefined);
  }
}

interface Lane {
  filling: Batch;
  sent: Promise<void>;
}

/** FNV-1a. */
function hash(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
