import type { Failure } from "../core/event.ts";
import { nodeAt } from "../core/state.ts";
import { inspect } from "../process/adopt.ts";
import { endLeftovers } from "../process/stop.ts";
import { attemptDir } from "../store/layout.ts";
import type { AttemptEnd, LiveAttempt } from "./attempts.ts";
import { collect } from "./collect.ts";
import { reopenGates } from "./gates.ts";
import { INTERRUPTED } from "./judge.ts";
import type { Performer } from "./perform.ts";
import { recordEnd } from "./record-end.ts";
import type { Session } from "./session.ts";

/**
 * Every attempt that an earlier engine started and whose end is not in the journal: its result is taken, it is
 * adopted, or it counts as interrupted, or as not run.
 */
export async function settleOpenAttempts(
  session: Session,
  performer: Performer,
  onEnd: (live: LiveAttempt, end: AttemptEnd) => void,
): Promise<void> {
  const { state, places } = session;
  reopenGates(session);
  for (const index of [...state.running]) {
    const { step, state: at } = nodeAt(state, index);
    if (at.status !== "running") continue;
    const { attempt, process: identity } = at;
    if (identity === null) {
      // It was about to fail before a process was needed; the next engine comes to the same.
      recordEnd(session, { index, step: step.id, attempt }, { status: "not_run" });
      continue;
    }
    const live: LiveAttempt = { index, step: step.id, attempt, identity, adopted: true };
    const adopted = () => session.record({ event: "attempt_adopted", step: step.id, attempt });
    const interrupted = async (error: Failure) => {
      const ending = { status: "interrupted", error } as const;
      recordEnd(session, live, ending, await collect(session, live, ending));
    };
    const found = inspect(attemptDir(places.runDir, step.id, attempt), identity);
    switch (found.found) {
      case "exited":
        await endLeftovers(identity);
        adopted();
        onEnd(live, { exitCode: found.exitCode });
        break;
      case "alive":
        adopted();
        performer.adopt(live);
        break;
      case "never_began":
        onEnd(live, { neverBegan: true });
        break;
      case "lost":
        await endLeftovers(identity);
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
}

const UNVERIFIABLE: Failure = {
  code: "INTERRUPTED",
  message:
    "it was started on another host or in another container, and left no exit status; it can not be verified",
};
