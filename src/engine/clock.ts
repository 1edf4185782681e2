/**
 * Wall time that never goes back within an engine: the wall clock once, and a monotonic one from there.
 * Milliseconds since 1970.
 */
export class Clock {
  readonly #anchor = Date.now() - performance.now();

  now(): number {
    return Math.round(this.#anchor + performance.now());
  }
}
