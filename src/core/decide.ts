import type { AttemptCause, Decision, RunReason, StopReason, TransitionCode } from "./event.ts";
import { retryDelay } from "./retry.ts";
import {
  drivenMs,
  type Ending,
  isPassed,
  nodeAt,
  type PassedState,
  type RunState,
  type StepNode,
  type UsageTotal,
} from "./state.ts";
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
  /** Stay and wait for people and for limits to end, where else the run would be left `waiting`. */
  readonly stay?: boolean;
  /** Since when a running step has printed nothing; milliseconds since 1970. */
  quietSince?(index: number): number;
  /** The truth of a step's `when`. */
  when(node: StepNode): { readonly is: boolean } | { readonly error: string };
}

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
  /** `until`: when going on is of use; milliseconds since 1970. */
  | { readonly do: "wait"; readonly reason: RunReason; readonly until?: number }
  /** What comes to its end has `finally` steps, which come first. */
  | ({ readonly do: "finally" } & Ending)
  | ({ readonly do: "end" } & Ending);

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
  if (actions.some(({ do: what }) => what === "schedule_retry")) return actions;
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
    if (at.status === "running" && step.timeoutMs !== undefined) consider(at.startedAt + step.timeoutMs);
    if (at.status === "running" && step.idleTimeoutMs !== undefined && quietSince) {
      consider(Math.max(at.startedAt, quietSince(index)) + step.idleTimeoutMs);
    }
  }
  for (const index of state.retrying) {
    const { state: at } = nodeAt(state, index);
    if (at.status === "retrying" && at.notBefore !== null) consider(at.notBefore);
  }
  const limit = state.limits.run_timeout_ms;
  if (limit !== undefined) consider(now + limit - drivenMs(state, now));
  return Number.isFinite(next) ? next : null;
}

/** Where a sequence goes after the step at `index` has been passed, with the decision it made if it is a gate. */
export function successor(
  state: RunState,
  index: number,
  how: PassedState["status"],
  decision: Decision | null,
): { to: string; because: { code: TransitionCode; message: string } } {
  const { step } = nodeAt(state, index);
  const { gate } = step;
  // A skipped gate goes on as if it had approved.
  const chosen = how === "failed" ? undefined : decision === "reject" ? gate?.onReject : gate?.onApprove;
  const target = chosen ?? step.next ?? following(state, index);
  const to = target.to === "step" ? nodeAt(state, target.index).step.id : target.to;
  const because = (code: TransitionCode, message: string) => ({ to, because: { code, message } });
  if (how === "skipped") return because("SKIPPED", `${step.id} was skipped`);
  if (how === "failed") return because("ALLOWED_FAILURE", `${step.id} failed, and may`);
  if (decision === "reject") return because("REJECTED", `${step.id} rejected`);
  if (chosen) return because("APPROVED", `${step.id} approved`);
  if (step.next) return because("NEXT_KEY", `the step's next is ${to}`);
  return target.to === "step"
    ? because("NEXT_IN_FILE", "next step in the file")
    : because("LAST_STEP", "last step in the file");
}

function following(state: RunState, index: number): Target {
  return index + 1 < state.workflow.mainSteps ? { to: "step", index: index + 1 } : { to: "done" };
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
    if (step.timeoutMs !== undefined && now - at.startedAt >= step.timeoutMs) {
      late.push({ do: "stop", index, because: "TIMEOUT" });
    } else if (step.idleTimeoutMs !== undefined && now - quiet >= step.idleTimeoutMs) {
      late.push({ do: "stop", index, because: "IDLE_TIMEOUT" });
    }
  }
  return late;
}

/** A transition that is due, or one of the two ends. */
function atCursor(state: RunState): Action | null {
  if (state.cursor === "done") return { do: "end", status: "succeeded" };
  if (state.cursor === "fail") return { do: "end", status: "failed", reason: whySentToFail(state) };
  if (state.workflow.shape === "graph") return null;
  const node = nodeAt(state, state.cursor);
  if (!isPassed(node.state)) return null;
  return {
    do: "transition",
    from: node.step.id,
    ...successor(state, state.cursor, node.state.status, node.decision),
  };
}

function whySentToFail(state: RunState): RunReason {
  const from = state.cameFrom === null ? undefined : nodeAt(state, state.cameFrom);
  const key =
    from?.decision === "reject" ? "on_reject" : from?.decision === "approve" ? "on_approve" : "next";
  return {
    code: key === "on_reject" ? "REJECTED" : "NEXT_FAIL",
    message: `the workflow ends here as failed: the step's ${key} is fail`,
    ...(from && { step: from.step.id, attempt: from.attempts }),
  };
}

function scheduleRetry({ step, state: at, failures }: StepNode, now: number): Action | null {
  if (at.status !== "retrying" || at.notBefore !== null) return null;
  return {
    do: "schedule_retry",
    index: step.index,
    attempt: at.attempt,
    notBefore: Math.max(now + retryDelay(step.retry, failures), at.retryAt ?? 0),
    because: `retry ${failures} of ${step.retry.max}: ${at.failure.message}`,
  };
}

/** Starts or skips a step that is due; null if its `when` needs nothing started and there is no place. */
function startOf(node: StepNode, situation: Situation): Action[] | null {
  const { step, state: at } = node;
  const { index } = step;
  const when = at.status === "pending" && step.when ? situation.when(node) : { is: true };
  if ("is" in when && !when.is)
    return [{ do: "skip", index, because: `when is false: ${step.when?.source}` }];
  if (step.type !== "approval" && situation.slots <= 0) return null;
  const cause = at.status === "pending" ? at.cause : "retry";
  return [{ do: "start", index, cause, ...("error" in when && { whenError: when.error }) }];
}

function startable(state: RunState, situation: Situation): Action[] {
  const { now, until, attemptsLeft = Number.POSITIVE_INFINITY } = situation;
  if (state.failed.size > 0 && !keepsGoing(state)) return [];
  if (spentBudget(state) !== null) return [];
  let slots = situation.slots;
  let attempts = Math.min(attemptsLeft, state.limits.max_total_iterations - state.iterations);
  const actions: Action[] = [];
  for (const index of inFileOrder(state, now)) {
    if (until && (!until.within.has(index) || isUntilReached(state, until.step))) continue;
    if (slots <= 0 && state.running.size > 0) break;
    const started = startOf(nodeAt(state, index), { ...situation, slots: Math.min(slots, attempts) });
    if (started === null) break;
    for (const action of started) {
      if (action.do === "start" && attempts <= 0) return actions;
      if (action.do === "start") attempts -= 1;
      // An open gate holds no place.
      if (action.do === "start" && nodeAt(state, index).step.type !== "approval") slots -= 1;
      actions.push(action);
    }
  }
  return actions;
}

/** A limit on what agents use that has been crossed: the run's, or that of a step that would run again. */
export function spentBudget(state: RunState): RunReason | null {
  const { limits, usage } = state;
  const over = (used: UsageTotal, max: { max_tokens?: number; max_cost_usd?: number }): string | null => {
    if (max.max_tokens !== undefined && used.tokens >= max.max_tokens) {
      return `${used.tokens} tokens were used, and max_tokens is ${max.max_tokens}`;
    }
    if (max.max_cost_usd !== undefined && used.costUsd >= max.max_cost_usd) {
      return `${used.costUsd.toFixed(4)} USD were spent, and max_cost_usd is ${max.max_cost_usd}`;
    }
    return null;
  };
  const ofRun = over(usage, limits);
  if (ofRun !== null) return { code: "BUDGET", message: ofRun, hint: "raise it with wf resume --limit" };
  for (const node of agentsThatCome(state)) {
    const ofStep = over(node.usage, stepBudget(state, node));
    if (ofStep === null) continue;
    const { id } = node.step;
    const hint = `raise it with wf resume --limit ${id}.max_tokens=… or ${id}.max_cost_usd=…`;
    return { code: "BUDGET", message: `${id}: ${ofStep}`, step: id, attempt: node.attempts, hint };
  }
  return null;
}

function* agentsThatCome(state: RunState): Generator<StepNode> {
  if (state.usage.tokens === 0 && state.usage.costUsd === 0) return;
  for (const set of [state.due, state.retrying]) {
    for (const index of set) {
      const node = nodeAt(state, index);
      if (node.step.type === "agent_task" || node.step.type === "agent_review") yield node;
    }
  }
}

/** A step's own limits, raised ones first. */
export function stepBudget(
  state: RunState,
  { step }: StepNode,
): { max_tokens?: number; max_cost_usd?: number } {
  if (step.type !== "agent_task" && step.type !== "agent_review") return {};
  const { maxTokens, maxCostUsd } = step.budget;
  return {
    ...(maxTokens !== undefined && { max_tokens: maxTokens }),
    ...(maxCostUsd !== undefined && { max_cost_usd: maxCostUsd }),
    ...state.limits.steps?.[step.id],
  };
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

const PAUSED: Action = {
  do: "wait",
  reason: { code: "PAUSED", message: "paused after one attempt", hint: "wf next or wf resume goes on" },
};

/** Nothing runs and nothing was started: why, and what that makes of the run. */
function settle(state: RunState, situation: Situation): Action[] {
  const { until, now } = situation;
  const givesUp = state.failed.size > 0 && !keepsGoing(state);
  const left = state.due.size + state.retrying.size + state.waiting.size;
  if (!givesUp) {
    if (situation.attemptsLeft === 0 && left > 0) return [PAUSED];
    if (until && isUntilReached(state, until.step) && hasMore(state)) {
      const { id } = nodeAt(state, until.step).step;
      return [
        { do: "wait", reason: { code: "PAUSED", message: `paused after ${id}`, hint: "wf resume goes on" } },
      ];
    }
    const budget = state.due.size + state.retrying.size > 0 ? spentBudget(state) : null;
    if (budget !== null) return [{ do: "wait", reason: budget }];
    const limit = state.limits.max_total_iterations;
    if (state.iterations >= limit && (state.due.size > 0 || readyRetry(state, now))) {
      const reason: RunReason = {
        code: "ITERATION_LIMIT",
        message: `${limit} attempts have been started, and max_total_iterations allows no more`,
        hint: "if that is no endless loop: wf resume RUN --limit max_total_iterations=…",
      };
      return [{ do: "end", status: "failed", reason }];
    }
    const wait = whatIsAwaited(state, situation);
    if (wait !== null) return situation.stay ? [] : [wait];
    if (state.retrying.size > 0) return [];
  }
  if (state.rootCause !== null && (givesUp || nothingDue(state, until))) {
    return [{ do: "end", status: "failed", reason: whyFailed(nodeAt(state, state.rootCause)) }];
  }
  const all = state.passed === state.workflow.mainSteps && state.workflow.shape === "graph";
  return all ? [{ do: "end", status: "succeeded" }] : [];
}

/** A person, or a time that a client named: nothing the engine has to stay for. */
function whatIsAwaited(state: RunState, { now }: Situation): Action | null {
  const parked = [...state.retrying].map((index) => nodeAt(state, index));
  const times = parked.map(({ state: at }) =>
    at.status === "retrying" && at.retryAt !== null ? Math.max(at.retryAt, at.notBefore ?? 0) : 0,
  );
  if (times.some((time) => time <= now)) return null;
  const gate = state.waiting.next();
  if (gate >= 0) {
    const { step, attempts } = nodeAt(state, gate);
    const message = `${step.id} waits for a decision`;
    const hint = "wf approve or wf reject decides";
    return { do: "wait", reason: { code: "APPROVAL", message, step: step.id, attempt: attempts, hint } };
  }
  const [first] = parked;
  if (!first) return null;
  const reason: RunReason = {
    code: "RATE_LIMIT",
    message: `${first.step.id} has to wait until its client's limit ends`,
    step: first.step.id,
    attempt: first.attempts,
    hint: "wf resume --due goes on when it is time",
  };
  return { do: "wait", reason, until: Math.min(...times) };
}

function hasMore(state: RunState): boolean {
  return state.workflow.shape === "sequence" || state.passed < state.workflow.mainSteps;
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
