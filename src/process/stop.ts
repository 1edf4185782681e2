import { setTimeout as delay } from "node:timers/promises";
import { isSafePid, readProcess } from "../system/identity.ts";
import { cookieBearers, groupExists, groupMembers, signalGroup, signalProcess } from "./process-table.ts";

/** What a finished script left behind in its group gets between SIGTERM and SIGKILL, milliseconds. */
export const LEFTOVER_GRACE_MS = 2000;
const POLL_MS = 10;
/** A look at every process of the machine; so not with each poll. */
const SCAN_EVERY_MS = 100;

/** A step's tree: the leader of its process group, and the cookie of those that left the group. */
export interface Tree {
  readonly pid: number;
  readonly startTime: string;
  /** Empty: the group alone counts. */
  readonly cookie: string;
}

export interface Stopper {
  /** When nothing of the tree is left. */
  readonly done: Promise<void>;
  /** The grace period is over. */
  killNow(): void;
}

/**
 * SIGTERM to the group; after the grace period SIGKILL to the group and to every process that bears the cookie,
 * again until none is left. Bearers outside of the group are asked (SIGTERM) once the group is gone: before, a
 * nested engine in it is stopping them in its own way.
 */
export function stopTree(tree: Tree, options: { readonly graceMs: number }): Stopper {
  const stop = new AbortController();
  return { done: endTree(tree, options.graceMs, stop.signal), killNow: () => stop.abort() };
}

/** Ends what a script that has finished, or was lost, left behind. */
export function endLeftovers(tree: Tree): Promise<void> {
  return endTree(tree, LEFTOVER_GRACE_MS, new AbortController().signal);
}

async function endTree(tree: Tree, graceMs: number, killNow: AbortSignal): Promise<void> {
  const { pid, cookie } = tree;
  if (ownsGroup(tree)) signalGroup(pid, "SIGTERM");
  const deadline = performance.now() + graceMs;
  const asked = new Set<number>();
  let nextScan = 0;
  for (;;) {
    const now = performance.now();
    const kill = now >= deadline || killNow.aborted;
    const group = ownsGroup(tree);
    if (group && kill) signalGroup(pid, "SIGKILL");
    if (!group || kill || now >= nextScan) {
      nextScan = now + SCAN_EVERY_MS;
      // A group of nothing but zombies that nobody collects counts as gone.
      const members = group ? groupMembers(pid) : [];
      const bearers = members.length === 0 || kill ? cookieBearers(cookie) : [];
      if (members.length === 0 && bearers.length === 0) return;
      for (const bearer of bearers) {
        if (kill) signalProcess(bearer, "SIGKILL");
        else if (!asked.has(bearer)) signalProcess(bearer, "SIGTERM");
        asked.add(bearer);
      }
    }
    await delay(POLL_MS, undefined, { signal: killNow.aborted ? undefined : killNow }).catch(() => undefined);
  }
}

/** False also if the pid was given to another process since, which proves the group gone. */
function ownsGroup({ pid, startTime }: Tree): boolean {
  if (!isSafePid(pid) || !groupExists(pid)) return false;
  const leader = readProcess(pid);
  return leader === null || leader.startTime === startTime;
}
