import type { Action, Situation } from "./action.ts";
import { spentBudget } from "./budget.ts";
import { isPassed, nodeAt, type RunState, type StepNode } from "./state.ts";

export function startable(state: RunState, situation: Situation): Action[] {
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

/** Starts or skips a step that is due; null if its `when` needs nothing started and there is no place. */
export function startOf(node: StepNode, situation: Situation): Action[] | null {
  const { step, state: at } = node;
  const { index } = step;
  const when = at.status === "pending" && step.when ? situation.when(node) : { is: true };
  if ("is" in when && !when.is)
    return [{ do: "skip", index, because: `when is false: ${step.when?.source}` }];
  if (step.type !== "approval" && situation.slots <= 0) return null;
  const cause = at.status === "pending" ? at.cause : "retry";
  return [{ do: "start", index, cause, ...("error" in when && { whenError: when.error }) }];
}

/** What is due now: pending steps whose needs are met, and retries whose time has come. */
export function* inFileOrder(state: RunState, now: number): Generator<number> {
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

export function readyRetry(state: RunState, now: number): boolean {
  for (const index of inFileOrder(state, now)) if (state.retrying.has(index)) return true;
  return false;
}

export function isUntilReached(state: RunState, step: number): boolean {
  return isPassed(nodeAt(state, step).state);
}

export function keepsGoing(state: RunState): boolean {
  return (
    state.workflow.shape === "graph" && (state.options.keep_going ?? state.workflow.onFailure === "continue")
  );
}
