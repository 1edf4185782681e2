import { setTimeout as pause } from "node:timers/promises";

/** No test waits for luck: only for a fact, for at most this long, which is far more than it can take. */
export const PATIENCE_MS = 60_000;

/** The first value that is not false, null or undefined. */
export async function until<T>(
  ask: () => T | false | null | undefined,
  what: string,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const end = performance.now() + patienceMs;
  for (;;) {
    const answer = ask();
    if (answer !== false && answer !== null && answer !== undefined) return answer;
    if (performance.now() > end) throw new Error(`waited ${patienceMs} ms in vain for ${what}`);
    await pause(5);
  }
}
