import { setTimeout as delay } from "node:timers/promises";
import { groupExists, groupMembers } from "./process-table.ts";
import { endLeftovers, type Stopper } from "./stop.ts";

interface Leader {
  readonly pid: number;
  readonly startTime: string;
  /** Given if the leader is not the one that reports, and has ended when it does: what is still in its group is left behind. */
  readonly recorder?: unknown;
}

interface Watched extends Leader {
  readonly stopper: () => Stopper | undefined;
  readonly onGone: () => void;
  looks: number;
}

/** A wrapper that has reported itself is in its group until it is collected, usually for some 100 µs. */
const QUICK_LOOKS = 60;
const QUICK_PAUSE_MS = 0.01;
const SLOW_PAUSE_MS = 5;
/** Longer than any wrapper takes to end that was not stopped (SIGSTOP) while it did, milliseconds. */
const LEADER_MS = 2000;

const never = new Int32Array(new SharedArrayBuffer(4));
let watched: Watched[] = [];

/**
 * Calls back once nothing of the group is left; what a finished script left behind in it is ended, unless somebody
 * is stopping the tree anyway.
 */
export function watchGroup(
  leader: Leader,
  onGone: () => void,
  stopper: () => Stopper | undefined = () => undefined,
): void {
  if (watched.length === 0) setImmediate(lookQuickly);
  const { pid, startTime, recorder } = leader;
  watched.push({ pid, startTime, recorder, stopper, onGone, looks: 0 });
}

/**
 * Looks again and again, with the thread asleep in between: a loop that kept its processor busy would keep it from
 * the very process that is to end, for a millisecond and more, and a timer can not wait less than one.
 */
function lookQuickly(): void {
  const now = watched;
  watched = [];
  const gone = now.filter((group) => {
    if (!groupExists(group.pid)) return true;
    if (++group.looks < QUICK_LOOKS) watched.push(group);
    else void endSlowly(group);
    return false;
  });
  if (watched.length > 0) {
    if (gone.length === 0) Atomics.wait(never, 0, 0, QUICK_PAUSE_MS);
    setImmediate(lookQuickly);
  }
  for (const group of gone) group.onGone();
}

async function endSlowly(group: Watched): Promise<void> {
  await groupGone(group);
  group.onGone();
}

async function groupGone({ pid, startTime, recorder, stopper }: Watched): Promise<void> {
  const since = performance.now();
  while (groupExists(pid)) {
    const stopping = stopper();
    if (stopping !== undefined) return stopping.done;
    const members = groupMembers(pid);
    // Zombies that nobody collects.
    if (members.length === 0) return;
    const late = recorder !== undefined || performance.now() - since > LEADER_MS;
    if (late || members.some((member) => member !== pid)) return endLeftovers({ pid, startTime, cookie: "" });
    await delay(SLOW_PAUSE_MS);
  }
}
