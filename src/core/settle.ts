import type { Action, Situation } from "./action.ts";
import { spentBudget } from "./budget.ts";
import { isUntilReached, needsIteration } from "./due.ts";
import type { RunReason } from "./event.ts";
import { placeName } from "./ids.ts";
import { byPlace, keepsGoing, nodeAt, placeOf, type RunState, type StepNode } from "./state.ts";

/** Nothing runs and nothing was started: why, and what that makes of the run. */
export function settle(state: RunState, situation: Situation): Action[] {
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
    if (state.iterations >= limit && needsIteration(state, now)) {
      const reason: RunReason = {
        code: "ITERATION_LIMIT",
        message: `${limit} attempts have been started, and max_total_iterations allows no more`,
        hint: "if that is no endless loop: wf resume RUN --limit max_total_iterations=…",
      };
      return [{ do: "end", status: "failed", reason }];
    }
    // All that is missing is a process to run it.
    if (!nothingDue(state, until)) return [];
    const wait = whatIsAwaited(state, situation);
    if (wait !== null) return situation.stay && isStayedFor(wait.reason) ? [] : [wait];
    if (state.retrying.size > 0) return [];
  }
  if (state.rootCause !== null && (givesUp || nothingDue(state, until))) {
    return [{ do: "end", status: "failed", reason: whyFailed(nodeAt(state, state.rootCause)) }];
  }
  const all = state.passed === state.workflow.mainSteps && state.workflow.shape === "graph";
  return all ? [{ do: "end", status: "succeeded" }] : [];
}

export const PAUSED: Action = {
  do: "wait",
  reason: { code: "PAUSED", message: "paused after one attempt", hint: "wf next or wf resume goes on" },
};

/** A person and a limit's end come by themselves; of nested runs, a pause or a spent limit do not. */
function isStayedFor({ code }: RunReason): boolean {
  return code === "APPROVAL" || code === "RATE_LIMIT";
}

/** A person, a time that a client named, or what a nested run waits for: nothing the engine has to stay for. */
export function whatIsAwaited(
  state: RunState,
  { now }: Situation,
): (Action & { readonly do: "wait" }) | null {
  const parked = [...state.retrying].map((index) => nodeAt(state, index));
  const times = parked.map(({ state: at }) =>
    at.status === "retrying" && at.retryAt !== null ? Math.max(at.retryAt, at.notBefore ?? 0) : 0,
  );
  if (times.some((time) => time <= now)) return null;
  const waiting = [...state.waiting].map((index) => nodeAt(state, index)).sort(byPlace);
  for (const node of waiting) {
    const until = untilOf(node);
    if (until === null) return { do: "wait", reason: whyWaiting(node) };
    times.push(until);
  }
  const [first] = parked.length > 0 ? parked : waiting;
  if (!first) return null;
  return { do: "wait", reason: whyWaiting(first), until: Math.min(...times) };
}

function untilOf({ state: at }: StepNode): number | null {
  return at.status === "waiting" ? (at.nested?.until ?? null) : null;
}

function whyWaiting(node: StepNode): RunReason {
  const place = placeOf(node);
  const name = placeName(place);
  const at = { ...place, attempt: node.attempts };
  if (node.state.status === "waiting" && node.state.nested) {
    const { code, message, hint } = node.state.nested.reason;
    return { code, message: `${name}: ${message}`, ...at, ...(hint !== undefined && { hint }) };
  }
  if (node.state.status === "waiting") {
    const hint = "wf approve or wf reject decides";
    return { code: "APPROVAL", message: `${name} waits for a decision`, ...at, hint };
  }
  const message = `${name} has to wait until its client's limit ends`;
  return { code: "RATE_LIMIT", message, ...at, hint: "wf resume --due goes on when it is time" };
}

function hasMore(state: RunState): boolean {
  return state.workflow.shape === "sequence" || state.passed < state.workflow.mainSteps;
}

function nothingDue(state: RunState, until: Situation["until"]): boolean {
  if (!until) return state.due.size === 0;
  for (const index of state.due) if (until.within.has(index)) return false;
  return true;
}

/** The reason of a run that failed because of a step: the step's own, with its place. */
export function whyFailed(node: StepNode): RunReason {
  const place = placeOf(node);
  const name = placeName(place);
  if (node.state.status !== "failed") throw new Error(`${name} did not fail`);
  const { attempt, failure } = node.state;
  return {
    code: failure.code,
    message: `${name} failed on attempt ${attempt}: ${failure.message}`,
    ...place,
    attempt,
    ...(failure.hint !== undefined && { hint: failure.hint }),
  };
}
