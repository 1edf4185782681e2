import type { Action, Situation } from "./action.ts";
import { startable, startOf } from "./due.ts";
import type { RunReason, StopReason } from "./event.ts";
import { atCursor } from "./path.ts";
import { retryDelay } from "./retry.ts";
import { PAUSED, settle, whatIsAwaited, whyFailed } from "./settle.ts";
import { drivenMs, type Ending, isPassed, nodeAt, type RunState, type StepNode } from "./state.ts";

/**
 * What comes next in a run, from its journal alone: the same state in the same situation gives the same actions.
 * An empty list means that something running, or a time, has to come first (`nextTime`).
 */
export function decide(state: RunState, situation: Situation): Action[] {
  if (state.status !== "running") return [];
  return decideMain(state, situation).map((action) => {
    const hasFinally = state.workflow.mainSteps < state.steps.length;
    return action.do === "end" && state.ending === null && hasFinally ? { ...action, do: "finally" } : action;
  });
}

function decideMain(state: RunState, situation: Situation): Action[] {
  const { now } = situation;
  const interruption = whatInterrupts(state, situation);
  if (interruption !== null) {
    const { because, outcome } = interruption;
    if (state.running.size > 0) return [...state.running].map((index) => ({ do: "stop", index, because }));
    return outcome.do === "end" ? endNow(state, outcome) : [outcome];
  }
  const actions: Action[] = timeouts(state, situation);
  for (const index of state.retrying) {
    const retry = scheduleRetry(nodeAt(state, index), now);
    if (retry !== null) actions.push(retry);
  }
  for (const index of state.waiting) {
    const { state: at } = nodeAt(state, index);
    const until = at.status === "waiting" ? (at.nested?.until ?? null) : null;
    if (until !== null && until <= now) actions.push({ do: "resume", index });
  }
  if (actions.some(({ do: what }) => what === "schedule_retry" || what === "resume")) return actions;
  if (state.ending !== null) return [...actions, ...decideFinally(state, state.ending, situation)];
  const turn = atCursor(state);
  if (turn !== null) return [...actions, ...(turn.do === "end" ? endNow(state, turn) : [turn])];
  actions.push(...startable(state, situation));
  if (actions.length === 0 && state.running.size === 0) {
    for (const action of settle(state, situation)) {
      actions.push(...(action.do === "end" ? endNow(state, action) : [action]));
    }
  }
  return actions;
}

/** An end comes after what still runs has ended, and after open gates have been closed. */
function endNow(state: RunState, end: Action & { do: "end" }): Action[] {
  if (state.running.size > 0) return [];
  if (state.waiting.size === 0) return [end];
  const because = end.status === "canceled" ? "CANCELED" : "RUN_ENDED";
  return [...state.waiting].map((index) => ({ do: "stop", index, because }));
}

/** The `finally` steps, one after the other; a failure of theirs fails the run, and stops none of them. */
function decideFinally(state: RunState, ending: Ending, situation: Situation): Action[] {
  let failed: StepNode | null = null;
  for (const node of state.steps.slice(state.workflow.mainSteps)) {
    const { status } = node.state;
    if (status === "failed" && !isPassed(node.state)) failed ??= node;
    if (status === "succeeded" || status === "skipped" || status === "failed" || status === "canceled")
      continue;
    if (status === "waiting") {
      const wait = whatIsAwaited(state, situation);
      return wait === null ? [] : [wait];
    }
    if (status !== "pending" && status !== "retrying") return [];
    if (status === "retrying" && (node.state.notBefore ?? 0) > situation.now) return [];
    if (situation.attemptsLeft !== undefined && situation.attemptsLeft <= 0) return [PAUSED];
    return startOf(node, situation) ?? [];
  }
  if (ending.status !== "succeeded" || failed === null) return [{ do: "end", ...ending }];
  return [{ do: "end", status: "failed", reason: whyFailed(failed) }];
}

/** The next time at which `decide` may say something else though nothing has happened; milliseconds since 1970. */
export function nextTime(
  state: RunState,
  now: number,
  quietSince?: (index: number) => number,
): number | null {
  let next = Number.POSITIVE_INFINITY;
  const consider = (time: number) => {
    if (time > now) next = Math.min(next, time);
  };
  for (const index of state.running) {
    const { state: at, step } = nodeAt(state, index);
    if (at.status === "running" && step.timeoutMs !== undefined) {
      consider(at.startedAt + (at.pausedMs ?? 0) + step.timeoutMs);
    }
    if (at.status === "running" && step.idleTimeoutMs !== undefined && quietSince) {
      consider(Math.max(at.startedAt, quietSince(index)) + step.idleTimeoutMs);
    }
  }
  for (const index of state.retrying) {
    const { state: at } = nodeAt(state, index);
    if (at.status === "retrying" && at.notBefore !== null) consider(at.notBefore);
  }
  for (const index of state.waiting) {
    const { state: at } = nodeAt(state, index);
    if (at.status === "waiting" && at.nested && at.nested.until !== null) consider(at.nested.until);
  }
  const limit = state.limits.run_timeout_ms;
  if (limit !== undefined) consider(now + limit - drivenMs(state, now));
  return Number.isFinite(next) ? next : null;
}

/** A cancel request, a spent time or a signal comes before everything else. */
function whatInterrupts(
  state: RunState,
  { now, signal }: Situation,
): { because: StopReason; outcome: Action } | null {
  if (state.cancel !== null) {
    const reason: RunReason = { code: "CANCELED", message: state.cancel.because };
    return { because: "CANCELED", outcome: { do: "end", status: "canceled", reason } };
  }
  const limit = state.limits.run_timeout_ms;
  if (limit !== undefined && drivenMs(state, now) >= limit && !isOver(state)) {
    const reason: RunReason = {
      code: "RUN_TIMEOUT",
      message: `the run took longer than its run_timeout of ${limit} ms`,
      hint: "raise it with wf resume RUN --limit run_timeout=…",
    };
    return { because: "RUN_TIMEOUT", outcome: { do: "end", status: "failed", reason } };
  }
  if (signal !== null) {
    const reason: RunReason = {
      code: "SIGNAL",
      message: `stopped by ${signal}`,
      hint: "wf resume runs the stopped steps again",
    };
    return { because: "SIGNAL", outcome: { do: "wait", reason } };
  }
  return null;
}

/** Nothing is left to do but to say how it ended. */
function isOver(state: RunState): boolean {
  if (state.ending !== null || typeof state.cursor !== "number") return true;
  return state.workflow.shape === "graph" && state.passed === state.workflow.mainSteps;
}

function timeouts(state: RunState, { now, quietSince }: Situation): Action[] {
  const late: Action[] = [];
  for (const index of state.running) {
    const { state: at, step } = nodeAt(state, index);
    if (at.status !== "running") continue;
    const quiet =
      quietSince && step.idleTimeoutMs !== undefined ? Math.max(at.startedAt, quietSince(index)) : now;
    if (step.timeoutMs !== undefined && now - at.startedAt - (at.pausedMs ?? 0) >= step.timeoutMs) {
      late.push({ do: "stop", index, because: "TIMEOUT" });
    } else if (step.idleTimeoutMs !== undefined && now - quiet >= step.idleTimeoutMs) {
      late.push({ do: "stop", index, because: "IDLE_TIMEOUT" });
    }
  }
  return late;
}

function scheduleRetry({ step, index, state: at, failures, answered }: StepNode, now: number): Action | null {
  if (at.status !== "retrying" || at.notBefore !== null) return null;
  // What a fixture said to have failed need not be given time.
  const delay = answered ? 0 : retryDelay(step.retry, failures);
  return {
    do: "schedule_retry",
    index,
    attempt: at.attempt,
    notBefore: Math.max(now + delay, at.retryAt ?? 0),
    because:
      at.retryAt === null
        ? `retry ${failures} of ${step.retry.max}: ${at.failure.message}`
        : `when the limit ends: ${at.failure.message}`,
  };
}
