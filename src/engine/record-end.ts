import { statSync } from "node:fs";
import { join } from "node:path";
import type { AttemptRecord, AttemptStatus, Decision, Failure } from "../core/event.ts";
import { placeName } from "../core/ids.ts";
import { successor } from "../core/path.ts";
import { mayRetry } from "../core/retry.ts";
import { isFinally, nodeAt, placeOf, type RunState, type StepNode } from "../core/state.ts";
import type { Secrets } from "../secrets/secrets.ts";
import { ATTEMPT_FILES, attemptDir } from "../store/layout.ts";
import { type Harvest, NOTHING } from "./collect.ts";
import type { Ending } from "./judge.ts";
import type { Session } from "./session.ts";

/** Records the end of an attempt with all that is known of it. */
export function recordEnd(
  session: Session,
  { index, attempt }: { readonly index: number; readonly attempt: number },
  ending: Ending,
  collected: Harvest = NOTHING,
): void {
  const { state } = session;
  const { secrets } = session.places;
  const node = nodeAt(state, index);
  const name = { ...placeOf(node), attempt };
  const at = node.state;
  if (at.status !== "running" && at.status !== "waiting") throw new Error(`${placeName(name)} is not open`);
  for (const what of collected.security) {
    session.record({
      event: "security",
      ...name,
      what: secrets.maskText(what),
    });
  }
  const status = collected.failure ? "failed" : ending.status;
  const failure = collected.failure ?? ending.error;
  // What a step left has been scrubbed; nothing that is said about it may be the one thing that was not.
  const error = failure && secrets.maskFailure(failure);
  const decision = status === "succeeded" ? collected.decision : undefined;
  const parked = status === "failed" && collected.retryAt !== undefined && !node.item;
  const next =
    parked && state.workflow.shape === "sequence"
      ? { to: name.step, because: "when its client's limit ends" }
      : whereTo(state, node, status, error, decision ?? null);
  const record: AttemptRecord = {
    ...name,
    cause: at.cause,
    status,
    ...(ending.exitCode !== undefined && { exitCode: ending.exitCode }),
    ...(ending.signal !== undefined && { signal: ending.signal }),
    ...(error && { error }),
    outputs: status === "succeeded" ? maskedOutputs(collected.outputs, secrets) : {},
    ...(decision && { decision }),
    ...(next && { next }),
    ...(collected.answeredFrom && { answeredFrom: collected.answeredFrom }),
  };
  const dir = attemptDir(session.places.runDir, name);
  session.record({
    event: "attempt_ended",
    record,
    volatile: {
      startedAt: new Date(at.startedAt).toISOString(),
      endedAt: new Date(session.clock.now()).toISOString(),
      stdoutBytes: sizeOf(join(dir, ATTEMPT_FILES.stdout)),
      stderrBytes: sizeOf(join(dir, ATTEMPT_FILES.stderr)),
      ...(collected.usage && { usage: collected.usage }),
      ...(collected.retryAt !== undefined && { retryAt: new Date(collected.retryAt).toISOString() }),
      ...(collected.reusedFrom && { reusedFrom: collected.reusedFrom }),
    },
  });
}

function maskedOutputs(outputs: AttemptRecord["outputs"], secrets: Secrets): AttemptRecord["outputs"] {
  if (secrets.none) return outputs;
  const masked = Object.entries(outputs).map(([key, output]) => [
    secrets.maskText(key),
    "value" in output ? { value: secrets.maskValue(output.value) } : output,
  ]);
  return Object.fromEntries(masked) as AttemptRecord["outputs"];
}

/** Bytes; 0 if there is no such file. */
export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** In a sequence: where the run goes after this attempt, and why. */
function whereTo(
  state: RunState,
  node: StepNode,
  status: AttemptStatus,
  error: Failure | undefined,
  decision: Decision | null,
): AttemptRecord["next"] {
  if (state.workflow.shape !== "sequence" || node.item || isFinally(state, node.index)) return undefined;
  const { step } = node;
  if (status === "succeeded" && decision === "reject" && !step.gate?.onReject) {
    return { to: "fail", because: "it was rejected, and there is no on_reject" };
  }
  if (status === "succeeded") return described(state, node, "succeeded", decision);
  if (status !== "failed" && status !== "timed_out") return undefined;
  const failures = node.failures + 1;
  if (mayRetry(step.retry, failures, error?.code ?? "")) {
    return { to: step.id, because: `retry ${failures} of ${step.retry.max}` };
  }
  if (step.allowFailure) return described(state, node, "failed", null);
  return { to: "fail", because: step.retry.max > 0 ? "it failed and no retry is left" : "it failed" };
}

function described(
  state: RunState,
  node: StepNode,
  how: "succeeded" | "failed",
  decision: Decision | null,
): { to: string; because: string } {
  const { to, because } = successor(state, node.index, how, decision);
  return { to, because: because.message };
}
