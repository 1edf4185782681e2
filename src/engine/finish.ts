import { statSync } from "node:fs";
import { join } from "node:path";
import { type StopReason, successor } from "../core/decide.ts";
import { formatDuration } from "../core/duration.ts";
import type { AttemptRecord, AttemptStatus, Failure } from "../core/event.ts";
import { mayRetry } from "../core/retry.ts";
import { nodeAt, type RunState, type StepNode } from "../core/state.ts";
import type { ProcessEnd } from "../process/adopt.ts";
import { type Collected, collectOutputs, collectUndeclared, declaresOutputs } from "../steps/outputs.ts";
import { ATTEMPT_FILES, attemptDir } from "../store/layout.ts";
import type { AttemptEnd, LiveAttempt } from "./attempts.ts";
import type { Session } from "./session.ts";

/** What is known of an attempt when its process is gone. */
export interface Ending {
  readonly status: AttemptStatus;
  readonly exitCode?: number;
  readonly signal?: string;
  readonly error?: Failure;
}

/** Judges how an attempt ended by its process alone; outputs come after. */
export function judge(live: LiveAttempt, node: StepNode, end: AttemptEnd): Ending {
  if ("neverBegan" in end) return { status: "not_run" };
  if (live.stop) return judgeStopped(live.stop.because, node, end);
  if ("error" in end) return { status: "failed", error: { code: "SPAWN_FAILED", message: end.error } };
  if ("died" in end) {
    // The engine that started it has died too, perhaps at the same instant: nobody knows.
    return live.adopted ? { status: "interrupted", error: INTERRUPTED } : { status: "failed", error: KILLED };
  }
  const { exitCode } = end;
  return exitCode === 0
    ? { status: "succeeded", exitCode }
    : { status: "failed", exitCode, error: exitFailure(exitCode) };
}

function judgeStopped(because: StopReason, node: StepNode, end: ProcessEnd): Ending {
  const exitCode = "exitCode" in end ? end.exitCode : undefined;
  // 128 + 9 is what a shell makes of SIGKILL; without any status the whole group was killed.
  const signal = exitCode === undefined || exitCode === 137 ? "SIGKILL" : "SIGTERM";
  const stopped = { ...(exitCode !== undefined && { exitCode }), signal };
  if (because !== "TIMEOUT") {
    return { status: "canceled", ...stopped, error: { code: "CANCELED", message: WHY_STOPPED[because] } };
  }
  const message = `it took longer than its timeout of ${formatDuration(node.step.timeoutMs ?? 0)}`;
  return {
    status: "timed_out",
    ...stopped,
    error: { code: "TIMEOUT", message, hint: "see stderr.log; or raise timeout" },
  };
}

const KILLED: Failure = {
  code: "KILLED",
  message: "its processes were killed from outside",
  hint: "the system may have been out of memory",
};

export const INTERRUPTED: Failure = {
  code: "INTERRUPTED",
  message: "the engine and the step both died; nobody knows whether the step had finished",
};

const WHY_STOPPED = {
  CANCELED: "stopped because the run was canceled",
  RUN_TIMEOUT: "stopped because the run took longer than its run_timeout",
  SIGNAL: "stopped by a signal to the engine",
} as const;

function exitFailure(status: number): Failure {
  const by = SIGNALS[status - 128];
  const meaning =
    status === 127
      ? " (a command was not found)"
      : status === 126
        ? " (a command can not be run)"
        : by
          ? ` (${by})`
          : "";
  return { code: "EXIT_STATUS", message: `exit status ${status}${meaning}`, hint: "see stderr.log" };
}

const SIGNALS: Readonly<Record<number, string>> = {
  1: "SIGHUP",
  2: "SIGINT",
  3: "SIGQUIT",
  4: "SIGILL",
  6: "SIGABRT",
  7: "SIGBUS",
  8: "SIGFPE",
  9: "SIGKILL",
  11: "SIGSEGV",
  13: "SIGPIPE",
  15: "SIGTERM",
};

const NO_OUTPUTS: Collected = { outputs: {}, security: [] };

/** The outputs of an attempt; a promise only where files have to be read or schemas to be checked. */
export function collect(session: Session, live: LiveAttempt, ending: Ending): Collected | Promise<Collected> {
  if (ending.status !== "succeeded") return NO_OUTPUTS;
  const { step } = nodeAt(session.state, live.index);
  const { runDir } = session.places;
  if (!declaresOutputs(step)) return collectUndeclared(runDir, step, live.attempt);
  return collectOutputs(runDir, session.state.runId, step, live.attempt, session.sync);
}

/** Records the end of an attempt with all that is known of it. */
export function recordEnd(
  session: Session,
  live: LiveAttempt,
  ending: Ending,
  collected: Collected = NO_OUTPUTS,
): void {
  const { state } = session;
  const node = nodeAt(state, live.index);
  if (node.state.status !== "running") throw new Error(`${live.step} is not running`);
  for (const what of collected.security) {
    session.record({ event: "security", step: live.step, attempt: live.attempt, what });
  }
  const status = collected.failure ? "failed" : ending.status;
  const error = collected.failure ?? ending.error;
  const next = whereTo(state, node, status, error);
  const record: AttemptRecord = {
    step: live.step,
    attempt: live.attempt,
    cause: node.state.cause,
    status,
    ...(ending.exitCode !== undefined && { exitCode: ending.exitCode }),
    ...(ending.signal !== undefined && { signal: ending.signal }),
    ...(error && { error }),
    outputs: status === "succeeded" ? collected.outputs : {},
    ...(next && { next }),
  };
  const dir = attemptDir(session.places.runDir, live.step, live.attempt);
  session.record({
    event: "attempt_ended",
    record,
    volatile: {
      startedAt: new Date(node.state.startedAt).toISOString(),
      endedAt: new Date(session.clock.now()).toISOString(),
      stdoutBytes: sizeOf(join(dir, ATTEMPT_FILES.stdout)),
      stderrBytes: sizeOf(join(dir, ATTEMPT_FILES.stderr)),
    },
  });
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** In a sequence: where the run goes after this attempt, and why. */
function whereTo(
  state: RunState,
  node: StepNode,
  status: AttemptStatus,
  error: Failure | undefined,
): AttemptRecord["next"] {
  if (state.workflow.shape !== "sequence") return undefined;
  const { step } = node;
  if (status === "succeeded") return described(state, node, "succeeded");
  if (status !== "failed" && status !== "timed_out") return undefined;
  const failures = node.failures + 1;
  if (mayRetry(step.retry, failures, error?.code ?? "")) {
    return { to: step.id, because: `retry ${failures} of ${step.retry.max}` };
  }
  if (step.allowFailure) return described(state, node, "failed");
  return { to: "fail", because: step.retry.max > 0 ? "it failed and no retry is left" : "it failed" };
}

function described(
  state: RunState,
  node: StepNode,
  how: "succeeded" | "failed",
): { to: string; because: string } {
  const { to, because } = successor(state, node.step.index, how);
  return { to, because: because.message };
}
