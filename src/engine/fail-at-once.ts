import { mkdirSync, rmSync } from "node:fs";
import type { AttemptCause, Failure } from "../core/event.ts";
import { placeOf, type StepNode } from "../core/state.ts";
import { attemptDir } from "../store/layout.ts";
import { recordEnd } from "./record-end.ts";
import type { Session } from "./session.ts";

/** An attempt that fails before a process is needed: it has a number, a record and a reason like any other. */
export function failAtOnce(
  session: Session,
  node: StepNode,
  attempt: number,
  cause: AttemptCause,
  error: Failure,
): void {
  const place = placeOf(node);
  const dir = attemptDir(session.places.runDir, { ...place, attempt });
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  session.record({ event: "attempt_started", ...place, attempt, cause });
  recordEnd(session, { index: node.index, attempt }, { status: "failed", error });
}
