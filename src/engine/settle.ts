import { mkdirSync, rmSync } from "node:fs";
import type { Failure } from "../core/event.ts";
import { placeName } from "../core/ids.ts";
import { nodeAt, placeOf } from "../core/state.ts";
import type { Executor, Found, JobEnd, KnownJob } from "../process/executor.ts";
import { attemptDir } from "../store/layout.ts";
import type { LiveAttempt } from "./attempts.ts";
import { collect } from "./collect.ts";
import { reopenGates } from "./gates.ts";
import { INTERRUPTED } from "./judge.ts";
import type { NestedRuns } from "./nested-runs.ts";
import type { Performer } from "./perform.ts";
import { recordEnd } from "./record-end.ts";
import type { Session } from "./session.ts";

interface Parts {
  readonly session: Session;
  readonly executor: Executor;
  readonly performer: Performer;
  readonly nested: NestedRuns;
}

type OnEnd = (live: LiveAttempt, end: JobEnd) => void;

/**
 * Every attempt that an earlier engine started and whose end is not in the journal: its result is taken, it is
 * adopted, or it counts as interrupted, or as not run.
 */
export async function settleOpenAttempts(parts: Parts, onEnd: OnEnd): Promise<void> {
  const { session, executor, nested } = parts;
  const { state, places } = session;
  reopenGates(session);
  const open: { readonly live: LiveAttempt; readonly job: KnownJob }[] = [];
  for (const index of [...state.running]) {
    const node = nodeAt(state, index);
    const { state: at } = node;
    if (at.status !== "running") continue;
    if (node.step.type === "workflow") {
      session.record({ event: "attempt_adopted", ...placeOf(node), attempt: at.attempt });
      nested.takeUp(index);
      continue;
    }
    const { attempt, process: reference } = at;
    if (reference === null) {
      // It was about to fail, or to be taken over, without a process; the next engine comes to the same.
      emptyFolder(attemptDir(places.runDir, { ...placeOf(node), attempt }));
      recordEnd(session, { index, attempt }, { status: "not_run" });
      continue;
    }
    const live = { index, ...placeOf(node), attempt, adopted: true };
    open.push({ live, job: { reference, attemptDir: attemptDir(places.runDir, live) } });
  }
  const found = await executor.find(open.map(({ job }) => job));
  for (const [i, { live, job }] of open.entries()) await settle(parts, live, job, found[i] as Found, onEnd);
}

function emptyFolder(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
}

async function settle(
  { session, executor, performer }: Parts,
  live: LiveAttempt,
  job: KnownJob,
  found: Found,
  onEnd: OnEnd,
): Promise<void> {
  const { attempt } = live;
  const place = placeOf(nodeAt(session.state, live.index));
  const adopted = () => session.record({ event: "attempt_adopted", ...place, attempt });
  const interrupted = async (error: Failure) => {
    const ending = { status: "interrupted", error } as const;
    recordEnd(session, live, ending, await collect(session, live, ending));
  };
  switch (found.found) {
    case "exited":
      await executor.endLeftovers(job);
      adopted();
      onEnd(live, { exitCode: found.exitCode });
      break;
    case "unanswered":
      session.note(`attempt ${attempt} of ${placeName(place)} counts as running: ${found.why}`);
      adopted();
      performer.adopt(live, job);
      break;
    case "alive":
      adopted();
      performer.adopt(live, job);
      break;
    case "never_began":
      onEnd(live, { neverBegan: true });
      break;
    case "lost":
      await executor.endLeftovers(job);
      await interrupted(INTERRUPTED);
      break;
    case "rebooted":
      await interrupted({ code: "INTERRUPTED", message: "the machine was restarted while it ran" });
      break;
    case "foreign":
      if (found.exitCode === null) await interrupted(UNVERIFIABLE);
      else {
        adopted();
        onEnd(live, { exitCode: found.exitCode });
      }
      break;
    default:
      found satisfies never;
  }
}

const UNVERIFIABLE: Failure = {
  code: "INTERRUPTED",
  message:
    "it was started on another host or in another container, and left no exit status; it can not be verified",
};
