// Random choices that a seed repeats.

/** Mulberry32: small, fast, and good enough to choose documents. */
export class Random {
  #state;

  constructor(seed) {
    this.#state = hash(seed);
  }

  /** Returns a number from 0 up to, and without, 1. */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Returns true with this probability. */
  chance(probability) {
    return this.next() < probability;
  }

  /** Returns a whole number from `low` to `high`, both included. */
  between(low, high) {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  pick(list) {
    return list[Math.floor(this.next() * list.length)];
  }

  shuffled(list) {
    const copy = [...list];
    for (let end = copy.length - 1; end > 0; end -= 1) {
      const other = this.between(0, end);
      [copy[end], copy[other]] = [copy[other], copy[end]];
    }
    return copy;
  }
}

/** FNV-1a. */
function hash(text) {
  let state = 0x811c9dc5;
  for (const character of String(text)) {
    state = Math.imul(state ^ character.codePointAt(0), 0x01000193);
  }
  return state;
}
