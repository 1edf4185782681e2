import type { Patterns } from "./patterns.ts";

export const MASK = "***";

const MASK_BYTES = Buffer.from(MASK);
const NOTHING = Buffer.alloc(0);

/**
 * Replaces every byte that belongs to an occurrence of a pattern, whatever the chunks are that the bytes come in:
 * occurrences that overlap or touch become one `***`. Held back is never more than what may be the beginning of a
 * pattern, and only until a byte comes that decides it. Time is linear in the bytes.
 */
export class Masker {
  readonly #patterns: Patterns;
  #state = 0;
  /** Bytes read, and bytes that have been passed on or replaced. */
  #read = 0;
  #passed = 0;
  /** Where the last `***` ends that was passed on. */
  #maskedTo = -1;
  /** Found and not yet passed on: from and to, in order, apart from each other. */
  readonly #found: [number, number][] = [];
  /** How many occurrences were seen; those that overlap may count as one. */
  occurrences = 0;

  constructor(patterns: Patterns) {
    this.#patterns = patterns;
  }

  /** The next bytes in, those that are decided out; they may share their memory. */
  push(chunk: Uint8Array): Uint8Array {
    const patterns = this.#patterns;
    const { depth, ending } = patterns;
    const held = patterns.bytesOf(this.#state);
    const base = this.#read;
    let state = this.#state;
    for (let i = 0; i < chunk.length; i++) {
      state = patterns.next(state, chunk[i] as number);
      if (state === 0) continue;
      const length = ending[state] as number;
      if (length > 0) this.#note(base + i + 1 - length, base + i + 1);
    }
    this.#state = state;
    this.#read = base + chunk.length;
    const decided = this.#read - (depth[state] as number);
    if (this.#found.length === 0 && this.#passed === base && decided === this.#read) {
      this.#passed = decided;
      return chunk;
    }
    return this.#release(decided, held, chunk, base);
  }

  /** What was held back: nothing follows. The next `push` begins anew. */
  end(): Uint8Array {
    const held = this.#patterns.bytesOf(this.#state);
    const rest = this.#release(this.#read + 1, held, NOTHING, this.#read);
    this.#state = 0;
    this.#maskedTo = -1;
    this.#passed = this.#read;
    return rest;
  }

  #note(from: number, to: number): void {
    this.occurrences += 1;
    let start = from;
    for (let last = this.#found.at(-1); last !== undefined && last[1] >= start; last = this.#found.at(-1)) {
      start = Math.min(start, last[0]);
      this.#found.pop();
    }
    this.#found.push([start, to]);
  }

  /** @param held the bytes right before `chunk`, which begins at `base` */
  #release(decided: number, held: Uint8Array, chunk: Uint8Array, base: number): Uint8Array {
    const pieces: Uint8Array[] = [];
    const pass = (to: number) => {
      const end = Math.min(to, this.#read);
      if (end <= this.#passed) return;
      const heldFrom = base - held.length;
      if (this.#passed < base) pieces.push(held.subarray(this.#passed - heldFrom, end - heldFrom));
      if (end > base) pieces.push(chunk.subarray(Math.max(0, this.#passed - base), end - base));
      this.#passed = end;
    };
    let done = 0;
    for (const [from, to] of this.#found) {
      if (from >= decided) break;
      pass(from);
      if (from > this.#maskedTo) pieces.push(MASK_BYTES);
      this.#maskedTo = to;
      this.#passed = Math.max(this.#passed, to);
      done += 1;
    }
    this.#found.splice(0, done);
    pass(decided);
    return pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces);
  }
}

export function maskBytes(patterns: Patterns, bytes: Uint8Array): Uint8Array {
  const masker = new Masker(patterns);
  return Buffer.concat([masker.push(bytes), masker.end()]);
}
