import { setTimeout as wait } from "node:timers/promises";
import { liveness } from "./liveness.ts";
import type { RunTail, TailedLine } from "./run-tail.ts";

const POLL_MS = 100;

/** Why following ended. */
export type FollowEnd = "ended" | "waiting" | "nobody drives it" | "stopped";

export interface Follower {
  /** A line of the journal, or of that of a nested run. */
  event(tailed: TailedLine): void;
  /** Called at each look, after the events. */
  look?(): void;
}

/** Looks at a run until it has ended, waits, or is driven by nobody. Reads only. */
export async function follow(tail: RunTail, follower: Follower, stop: AbortSignal): Promise<FollowEnd> {
  const { runDir } = tail.where;
  for (;;) {
    // Before the journal is read: an engine that goes away after this look has written all its lines by the next.
    const driven = liveness(runDir).state !== "nobody";
    for (const tailed of tail.take()) follower.event(tailed);
    follower.look?.();
    if (tail.standing !== "active") return tail.standing;
    if (!driven) return "nobody drives it";
    if (stop.aborted) return "stopped";
    await wait(POLL_MS, undefined, { signal: stop }).catch(() => {});
  }
}
