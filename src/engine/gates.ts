import { mkdirSync, rmSync } from "node:fs";
import type { AttemptCause, StopReason } from "../core/event.ts";
import { nodeAt, type StepNode } from "../core/state.ts";
import type { ApprovalStep } from "../core/workflow.ts";
import { openGate, prepareGate, readGate } from "../steps/approval.ts";
import { PreparationError } from "../steps/prepare.ts";
import { removeTemps } from "../store/atomic-file.ts";
import { attemptDir } from "../store/layout.ts";
import type { Answering } from "./answers.ts";
import { failAtOnce } from "./fail-at-once.ts";
import { WHY_STOPPED } from "./judge.ts";
import { recordEnd } from "./record-end.ts";
import type { Session } from "./session.ts";

/** Starts the attempt of an approval: its gate opens, and the rest is a person's, or is asked for as it was recorded. */
export function startGate(
  session: Session,
  node: StepNode,
  step: ApprovalStep,
  cause: AttemptCause,
  answering: Answering,
): void {
  const { state, places } = session;
  const attempt = node.attempts + 1;
  const dir = attemptDir(places.runDir, { step: step.id, attempt });
  try {
    const gate = prepareGate({ state, places, node, step, attempt, dir });
    const found = answering.find(node);
    const answer = found && "record" in found ? found : null;
    const volatile = answer
      ? { volatile: { answeredFrom: answer.from } }
      : found && "because" in found
        ? { volatile: { notAnswered: found.because } }
        : {};
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
    session.record({ event: "attempt_started", step: step.id, attempt, cause, ...volatile });
    session.afterCommit(() => {
      openGate(dir, gate, session.sync);
      if (answer) answering.decide(node, attempt, answer);
    });
  } catch (error) {
    if (!(error instanceof PreparationError)) throw error;
    failAtOnce(session, node, attempt, cause, error.failure);
  }
}

/** Gates whose engine died between the start of the attempt and the gate's file. */
export function reopenGates({ state, places, sync }: Session): void {
  for (const index of state.waiting) {
    const node = nodeAt(state, index);
    const { step, attempts: attempt } = node;
    const dir = attemptDir(places.runDir, { step: step.id, attempt });
    if (step.type !== "approval") continue;
    mkdirSync(dir, { recursive: true });
    removeTemps(dir);
    if (readGate(dir) !== null) continue;
    openGate(dir, prepareGate({ state, places, node, step, attempt, dir }), sync);
  }
}

/** Nobody has to decide it any more. */
export function closeGate(session: Session, index: number, because: StopReason): void {
  const { attempts: attempt } = nodeAt(session.state, index);
  const message = because === "CANCELED" ? WHY_STOPPED.CANCELED : WHY_STOPPED.RUN_ENDED;
  const error = { code: "CANCELED", message };
  recordEnd(session, { index, attempt }, { status: "canceled", error });
}
