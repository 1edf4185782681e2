import type { AttemptCause, RunReason, TransitionCode } from "./event.ts";
import { retryDelay } from "./retry.ts";
import { drivenMs, isPassed, nodeAt, type PassedState, type RunState, type StepNode } from "./state.ts";
import type { Target } from "./workflow.ts";

/** What the engine knows and the journal does not. Times are milliseconds since 1970. */
export interface Situation {
  readonly now: number;
  /** Attempts that may be started now. */
  readonly slots: number;
  /** A person's signal: nothing more is started. */
  readonly signal: "SIGINT" | "SIGTERM" | null;
  /** `wf next`: no attempt beyond this many; absent: as many as it takes. */
  readonly attemptsLeft?: number;
  /** `--until`: this step and what leads to it, then a pause. */
  readonly until?: { readonly step: number; readonly within: ReadonlySet<number> };
  /** The truth of a step's `when`. */
  when(node: StepNode): { readonly is: boolean } | { readonly error: string };
}

export type StopReason = "TIMEOUT" | "CANCELED" | "RUN_TIMEOUT" | "SIGNAL";

/** What to do now, and why. */
export type Action =
  | {
      readonly do: "start";
      readonly index: number;
      readonly cause: AttemptCause;
      readonly whenError?: string;
    }
  | { readonly do: "skip"; readonly index: number; readonly because: string }
  | { readonly do: "stop"; readonly index: number; readonly because: StopReason }
  | {
      readonly do: "schedule_retry";
      readonly index: number;
      readonly attempt: number;
      readonly notBefore: number;
      readonly because: string;
    }
  | {
      readonly do: "transition";
      readonly from: string;
      readonly to: string;
      readonly because: { readonly code: TransitionCode; readonly message: string };
    }
  | { readonly do: "wait"; readonly reason: RunReason }
  | { readonly do: "end"; readonly status: "succeeded" | "failed" | "canceled"; readonly reason?: RunReason };

/**
 * What comes next in a run, from its journal alone: the same state in the same situation gives the same actions.
 * An empty list means that something running, or a time, has to come first (`nextTime`).
 */
export function decide(state: RunState, situation: Situation): Action[] {
  if (state.status !== "running") return [];
  const { now } = situation;
  const interruption = whatInterrupts(state, situation);
  if (interruption !== null) {
    if (state.running.size === 0) return [interruption.outcome];
    return [...state.running].map((index) => ({ do: "stop", index, because: interruption.because }));
  }
  const actions: Action[] = timeouts(state, now);
  const turn = state.workflow.shape === "sequence" ? decideSequence(state) : null;
  if (turn !== null) return [...actions, turn];
  for (const index of state.retrying) {
    const retry = scheduleRetry(nodeAt(state, index), now);
    if (retry !== null) actions.push(retry);
  }
  if (actions.some(({ do: what }) => what === "schedule_retry")) return actions;
  actions.push(...startable(state, situation));
  if (actions.length === 0 && state.running.size === 0) actions.push(...settle(state, situation));
  return actions;
}

/** The next time at which `decide` may say something else though nothing has happened; milliseconds since 1970. */
export function nextTime(state: RunState, now: number): number | null {
  let next = Number.POSITIVE_INFINITY;
  const consider = (time: number) => {
    if (time > now) next = Math.min(next, time);
  };
  for (const index of state.running) {
    const { state: at, step } = nodeAt(state, index);
    if (at.status === "running" && step.timeoutMs !== undefined) consider(at.startedAt + step.timeoutMs);
  }
  for (const index of state.retrying) {
    const { state: at } = nodeAt(state, index);
    if (at.status === "retrying" && at.notBefore !== null) consider(at.notBefore);
  }
  const limit = state.limits.run_timeout_ms;
  if (limit !== undefined) consider(now + limit - drivenMs(state, now));
  return Number.isFinite(next) ? next : null;
}

/** Where a sequence goes after the step at `index` has been passed. */
export function successor(
  state: RunState,
  index: number,
  how: PassedState["status"],
): { to: string; because: { code: TransitionCode; message: string } } {
  const { step } = nodeAt(state, index);
  const target = step.next ?? following(state, index);
  const to = target.to === "step" ? nodeAt(state, target.index).step.id : target.to;
  if (how === "skipped") return { to, because: { code: "SKIPPED", message: `${step.id} was skipped` } };
  if (how === "failed")
    return { to, because: { code: "ALLOWED_FAILURE", message: `${step.id} failed, and may` } };
  if (step.next) return { to, because: { code: "NEXT_KEY", message: `the step's next is ${to}` } };
  return target.to === "step"
    ? { to, because: { code: "NEXT_IN_FILE", message: "next step in the file" } }
    : { to, because: { code: "LAST_STEP", message: "last step in the file" } };
}

function following(state: RunState, index: number): Target {
  return index + 1 < state.steps.length ? { to: "step", index: index + 1 } : { to: "done" };
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
  return state.workflow.shape === "sequence"
    ? state.cursor === "done" || state.cursor === "fail"
    : state.passed === state.steps.length;
}

function timeouts(state: RunState, now: number): Action[] {
  const late: Action[] = [];
  for (const index of state.running) {
    const { state: at, step } = nodeAt(state, index);
    if (at.status !== "running" || step.timeoutMs === undefined) continue;
    if (now - at.startedAt >= step.timeoutMs) late.push({ do: "stop", index, because: "TIMEOUT" });
  }
  return late;
}

/** A transition that is due, or one of the two ends. */
function decideSequence(state: RunState): Action | null {
  if (state.cursor === "done") return { do: "end", status: "succeeded" };
  if (state.cursor === "fail") {
    const step = state.cameFrom === null ? undefined : nodeAt(state, state.cameFrom);
    const reason: RunReason = {
      code: "NEXT_FAIL",
      message: "the workflow ends here as failed: the step's next is fail",
      ...(step && { step: step.step.id, attempt: step.attempts }),
    };
    return { do: "end", status: "failed", reason };
  }
  const node = nodeAt(state, state.cursor);
  if (!isPassed(node.state)) return null;
  return { do: "transition", from: node.step.id, ...successor(state, state.cursor, node.state.status) };
}

function scheduleRetry({ step, state: at, failures }: StepNode, now: number): Action | null {
  if (at.status !== "retrying" || at.notBefore !== null) return null;
  return {
    do: "schedule_retry",
    index: step.index,
    attempt: at.attempt,
    notBefore: now + retryDelay(step.retry, failures),
    because: `retry ${failures} of ${step.retry.max}: ${at.failure.message}`,
  };
}

const TRUE = { is: true };

function startable(state: RunState, situation: Situation): Action[] {
  const { now, until } = situation;
  if (state.failed.size > 0 && !keepsGoing(state)) return [];
  const iterations = state.limits.max_total_iterations - state.iterations;
  let slots = Math.min(situation.slots, situation.attemptsLeft ?? Number.POSITIVE_INFINITY, iterations);
  const actions: Action[] = [];
  for (const index of inFileOrder(state, now)) {
    if (until && (!until.within.has(index) || isUntilReached(state, until.step))) continue;
    if (slots <= 0 && state.running.size > 0) break;
    const node = nodeAt(state, index);
    const when = node.state.status === "pending" && node.step.when ? situation.when(node) : TRUE;
    if ("is" in when && !when.is) {
      actions.push({ do: "skip", index, because: `when is false: ${node.step.when?.source}` });
      continue;
    }
    if (slots <= 0) break;
    slots -= 1;
    const cause = node.state.status === "pending" ? node.state.cause : "retry";
    actions.push({ do: "start", index, cause, ...("error" in when && { whenError: when.error }) });
  }
  return actions;
}

/** What is due now: pending steps whose needs are met, and retries whose time has come. */
function* inFileOrder(state: RunState, now: number): Generator<number> {
  const retries = [...state.retrying].filter((index) => {
    const { state: at } = nodeAt(state, index);
    return at.status === "retrying" && at.notBefore !== null && at.notBefore <= now;
  });
  let retry = retries.shift();
  for (let due = state.due.next(); due >= 0 || retry !== undefined; ) {
    if (retry !== undefined && (due < 0 || retry < due)) {
      yield retry;
      retry = retries.shift();
    } else {
      yield due;
      due = state.due.next(due + 1);
    }
  }
}

/** Nothing runs and nothing was started: why, and what that makes of the run. */
function settle(state: RunState, situation: Situation): Action[] {
  const { until } = situation;
  const givesUp = state.failed.size > 0 && !keepsGoing(state);
  if (situation.attemptsLeft === 0 && !givesUp && (state.due.size > 0 || state.retrying.size > 0)) {
    return [
      {
        do: "wait",
        reason: { code: "PAUSED", message: "paused after one attempt", hint: "wf next or wf resume" },
      },
    ];
  }
  if (until && isUntilReached(state, until.step) && hasMore(state) && !givesUp) {
    const { id } = nodeAt(state, until.step).step;
    return [
      { do: "wait", reason: { code: "PAUSED", message: `paused after ${id}`, hint: "wf resume goes on" } },
    ];
  }
  const limit = state.limits.max_total_iterations;
  if (!givesUp && state.iterations >= limit && (state.due.size > 0 || readyRetry(state, situation.now))) {
    const reason: RunReason = {
      code: "ITERATION_LIMIT",
      message: `${limit} attempts have been started, and max_total_iterations allows no more`,
      hint: "if that is no endless loop: wf resume RUN --limit max_total_iterations=…",
    };
    return [{ do: "end", status: "failed", reason }];
  }
  if (
    state.rootCause !== null &&
    (givesUp || state.retrying.size === 0) &&
    (givesUp || nothingDue(state, until))
  ) {
    return [{ do: "end", status: "failed", reason: whyFailed(nodeAt(state, state.rootCause)) }];
  }
  if (state.passed === state.steps.length && state.workflow.shape === "graph")
    return [{ do: "end", status: "succeeded" }];
  return [];
}

function hasMore(state: RunState): boolean {
  return state.workflow.shape === "sequence" || state.passed < state.steps.length;
}

function nothingDue(state: RunState, until: Situation["until"]): boolean {
  if (!until) return state.due.size === 0;
  for (const index of state.due) if (until.within.has(index)) return false;
  return true;
}

function readyRetry(state: RunState, now: number): boolean {
  for (const index of inFileOrder(state, now)) if (state.retrying.has(index)) return true;
  return false;
}

function isUntilReached(state: RunState, step: number): boolean {
  return isPassed(nodeAt(state, step).state);
}

function keepsGoing(state: RunState): boolean {
  return (
    state.workflow.shape === "graph" && (state.options.keep_going ?? state.workflow.onFailure === "continue")
  );
}

/** The reason of a run that failed because of a step: the step's own, with its place. */
export function whyFailed(node: StepNode): RunReason {
  if (node.state.status !== "failed") throw new Error(`${node.step.id} did not fail`);
  const { attempt, failure } = node.state;
  return {
    code: failure.code,
    message: `${node.step.id} failed on attempt ${attempt}: ${failure.message}`,
    step: node.step.id,
    attempt,
    ...(failure.hint !== undefined && { hint: failure.hint }),
  };
}
