import type { Action, Situation } from "./action.ts";
import { spentBudget } from "./budget.ts";
import { isUntilReached, keepsGoing, readyRetry } from "./due.ts";
import type { RunReason } from "./event.ts";
import { nodeAt, type RunState, type StepNode } from "./state.ts";

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
    if (state.iterations >= limit && (state.due.size > 0 || readyRetry(state, now))) {
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
    if (wait !== null) return situation.stay ? [] : [wait];
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
