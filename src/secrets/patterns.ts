/**
 * An Aho–Corasick automaton over bytes. A state is a beginning of some pattern; 0 is the empty one. The states of one
 * pattern mostly follow each other, so that an edge needs one byte and not a table.
 */
export class Patterns {
  /** The edge into each state; meaningful where the state before is its parent. */
  readonly #byte: Uint8Array;
  /** 1: the state after this one is its child. */
  readonly #chained: Uint8Array;
  /** 1: it has children elsewhere too, in `#others`. */
  readonly #branched: Uint8Array;
  readonly #others = new Map<number, number>();
  readonly #root = new Int32Array(256);
  readonly #fail: Int32Array;
  /** How many bytes a state stands for. */
  readonly depth: Int32Array;
  /** The longest pattern that ends in a state, in bytes; 0: none. */
  readonly ending: Int32Array;
  readonly #patternOf: Int32Array;
  readonly #patterns: readonly Uint8Array[];

  constructor(patterns: readonly Uint8Array[]) {
    this.#patterns = patterns.filter(({ length }) => length > 0);
    const size = this.#patterns.reduce((sum, { length }) => sum + length, 1);
    this.#byte = new Uint8Array(size);
    this.#chained = new Uint8Array(size);
    this.#branched = new Uint8Array(size);
    this.#fail = new Int32Array(size);
    this.depth = new Int32Array(size);
    this.ending = new Int32Array(size);
    this.#patternOf = new Int32Array(size);
    let states = 1;
    for (const [index, pattern] of this.#patterns.entries()) states = this.#add(pattern, index, states);
    this.#link();
  }

  /** The state after one more byte. */
  next(from: number, byte: number): number {
    for (let state = from; state !== 0; state = this.#fail[state] as number) {
      const child = this.#child(state, byte);
      if (child !== 0) return child;
    }
    return this.#root[byte] as number;
  }

  /** The bytes that a state stands for: the last ones read. */
  bytesOf(state: number): Uint8Array {
    const pattern = this.#patterns[this.#patternOf[state] as number];
    return pattern?.subarray(0, this.depth[state]) ?? new Uint8Array(0);
  }

  #child(state: number, byte: number): number {
    if (state === 0) return this.#root[byte] as number;
    if (this.#chained[state] === 1 && this.#byte[state + 1] === byte) return state + 1;
    return this.#branched[state] === 1 ? (this.#others.get(state * 256 + byte) ?? 0) : 0;
  }

  #add(pattern: Uint8Array, index: number, from: number): number {
    let states = from;
    let state = 0;
    for (const byte of pattern) {
      const known = this.#child(state, byte);
      if (known !== 0) {
        state = known;
        continue;
      }
      const child = states++;
      this.#byte[child] = byte;
      this.depth[child] = (this.depth[state] as number) + 1;
      this.#patternOf[child] = index;
      if (state === 0) this.#root[byte] = child;
      else if (child === state + 1) this.#chained[state] = 1;
      else {
        this.#branched[state] = 1;
        this.#others.set(state * 256 + byte, child);
      }
      state = child;
    }
    this.ending[state] = pattern.length;
    return states;
  }

  /** Breadth first, since a state's link is found by those of shorter ones. */
  #link(): void {
    const elsewhere = new Map<number, [number, number][]>();
    for (const [key, child] of this.#others) {
      const state = Math.floor(key / 256);
      const list = elsewhere.get(state) ?? [];
      list.push([key % 256, child]);
      elsewhere.set(state, list);
    }
    let level = [...this.#root].filter((child) => child !== 0);
    while (level.length > 0) {
      const deeper: number[] = [];
      for (const state of level) {
        const fail = this.#fail[state] as number;
        if (this.ending[state] === 0) this.ending[state] = this.ending[fail] as number;
        const follow = (byte: number, child: number) => {
          this.#fail[child] = this.next(fail, byte);
          deeper.push(child);
        };
        if (this.#chained[state] === 1) follow(this.#byte[state + 1] as number, state + 1);
        for (const [byte, child] of elsewhere.get(state) ?? []) follow(byte, child);
      }
      level = deeper;
    }
  }
}
