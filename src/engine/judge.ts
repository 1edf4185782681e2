import { formatDuration } from "../core/duration.ts";
import type { AttemptStatus, Failure, StopReason } from "../core/event.ts";
import type { StepNode } from "../core/state.ts";
import type { JobEnd } from "../process/executor.ts";
import type { LiveAttempt } from "./attempts.ts";

/** What is known of an attempt when its process is gone. */
export interface Ending {
  readonly status: AttemptStatus;
  readonly exitCode?: number;
  readonly signal?: string;
  readonly error?: Failure;
}

/** Judges how an attempt ended by its process alone; outputs come after. */
export function judge(live: LiveAttempt, node: StepNode, end: JobEnd): Ending {
  if ("neverBegan" in end) return { status: "not_run" };
  // An earlier engine may have sent the signal, and died before it saw what came of it.
  const before = node.state.status === "running" ? node.state.stopping?.because : undefined;
  // What came to its end all the same has done its work, whatever that engine had in mind.
  const finished = "exitCode" in end && end.exitCode === 0;
  const because = live.stop?.because ?? (finished ? undefined : before);
  if (because) return judgeStopped(because, node, end);
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

function judgeStopped(because: StopReason, node: StepNode, end: JobEnd): Ending {
  const exitCode = "exitCode" in end ? end.exitCode : undefined;
  // 128 + 9 is what a shell makes of SIGKILL; without any status the whole group was killed.
  const signal = exitCode === undefined || exitCode === 137 ? "SIGKILL" : "SIGTERM";
  const stopped = { ...(exitCode !== undefined && { exitCode }), signal };
  if (because === "IDLE_TIMEOUT") {
    const message = `it printed nothing for ${formatDuration(node.step.idleTimeoutMs ?? 0)}, its idle_timeout`;
    return { status: "timed_out", ...stopped, error: { code: "IDLE_TIMEOUT", message } };
  }
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

export const WHY_STOPPED = {
  CANCELED: "stopped because the run was canceled",
  RUN_TIMEOUT: "stopped because the run took longer than its run_timeout",
  SIGNAL: "stopped by a signal to the engine",
  RUN_ENDED: "closed because the run ended without it",
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
