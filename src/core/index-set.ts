/**
 * A set of indexes, growing as needed, that yields its members in ascending order: a bit per step, and above it a bit per word
 * that is not empty, so that a graph of 100,000 steps is not scanned to find the first due one.
 */
export class IndexSet {
  #words: Uint32Array;
  #summary: Uint32Array;
  #size = 0;

  constructor(capacity = 0) {
    this.#words = new Uint32Array((capacity >>> 5) + 1);
    this.#summary = new Uint32Array((this.#words.length >>> 5) + 1);
  }

  get size(): number {
    return this.#size;
  }

  has(index: number): boolean {
    return ((this.#words[index >>> 5] ?? 0) & (1 << (index & 31))) !== 0;
  }

  add(index: number): void {
    if (this.has(index)) return;
    if (index >>> 5 >= this.#words.length) this.#grow(index);
    const word = index >>> 5;
    this.#words[word] = (this.#words[word] ?? 0) | (1 << (index & 31));
    this.#summary[word >>> 5] = (this.#summary[word >>> 5] ?? 0) | (1 << (word & 31));
    this.#size += 1;
  }

  delete(index: number): void {
    if (!this.has(index)) return;
    const word = index >>> 5;
    const left = (this.#words[word] ?? 0) & ~(1 << (index & 31));
    this.#words[word] = left;
    if (left === 0) this.#summary[word >>> 5] = (this.#summary[word >>> 5] ?? 0) & ~(1 << (word & 31));
    this.#size -= 1;
  }

  /** To twice the size at least: a set that grows by one each time would be copied each time. */
  #grow(index: number): void {
    const words = new Uint32Array(Math.max((index >>> 5) + 1, this.#words.length * 2));
    words.set(this.#words);
    const summary = new Uint32Array((words.length >>> 5) + 1);
    summary.set(this.#summary);
    this.#words = words;
    this.#summary = summary;
  }

  clear(): void {
    this.#words.fill(0);
    this.#summary.fill(0);
    this.#size = 0;
  }

  /** The smallest member at or above `from`, or -1. */
  next(from = 0): number {
    const first = from >>> 5;
    if (first >= this.#words.length) return -1;
    const here = (this.#words[first] ?? 0) & (-1 << (from & 31));
    if (here !== 0) return (first << 5) + lowestBit(here);
    const word = nextWord(this.#summary, first + 1);
    return word < 0 ? -1 : (word << 5) + lowestBit(this.#words[word] ?? 0);
  }

  *[Symbol.iterator](): Generator<number> {
    for (let i = this.next(); i >= 0; i = this.next(i + 1)) yield i;
  }
}

function nextWord(summary: Uint32Array, from: number): number {
  let at = from >>> 5;
  let bits = (summary[at] ?? 0) & (-1 << (from & 31));
  while (bits === 0) {
    at += 1;
    if (at >= summary.length) return -1;
    bits = summary[at] ?? 0;
  }
  return (at << 5) + lowestBit(bits);
}

function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}
