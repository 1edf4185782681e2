import type { Action, Situation } from "./action.ts";
import { spentBudget } from "./budget.ts";
import { MAX_REUSE_LOOKAHEAD } from "./limits.ts";
import { byPlace, isPassed, keepsGoing, nodeAt, type RunState, type StepNode } from "./state.ts";
import type { Step } from "./workflow.ts";

export function startable(state: RunState, situation: Situation): Action[] {
  const { now, until, attemptsLeft = Number.POSITIVE_INFINITY } = situation;
  if (state.failed.size > 0 && !keepsGoing(state)) return [];
  if (spentBudget(state) !== null) return [];
  let slots = situation.slots;
  let attempts = attemptsLeft;
  let iterations = state.limits.max_total_iterations - state.iterations;
  const pools = new Pools(state);
  const placeless = new Placeless(situation);
  let isFull = false;
  const actions: Action[] = [];
  for (const node of inFileOrder(state, now)) {
    if (until && (!until.within.has(node.step.index) || isUntilReached(state, until.step))) continue;
    isFull ||= slots <= 0 && state.running.size > 0;
    if (isFull && placeless.isOver) break;
    const hasRoom = pools.haveRoom(node.step);
    const needsNone = (isFull || slots <= 0 || !hasRoom) && placeless.has(node);
    if (!needsNone && (isFull || !hasRoom)) continue;
    const places = needsNone ? 1 : slots;
    const started = startOf(node, { ...situation, slots: Math.min(places, attempts) });
    if (started === null) {
      isFull = true;
      continue;
    }
    for (const action of started) {
      const counts = action.do === "foreach" || (action.do === "start" && !node.item);
      if (counts && iterations <= 0) return actions;
      if (counts) iterations -= 1;
      if (action.do === "start") {
        if (attempts <= 0) return actions;
        attempts -= 1;
        if (needsNone) {
          actions.push(action);
          continue;
        }
        pools.take(node.step);
        // An open gate holds no place.
        if (node.step.type !== "approval") slots -= 1;
      }
      actions.push(action);
    }
  }
  return actions;
}

/** Starts or skips what is due; null if its `when` needs nothing started and there is no place. */
export function startOf(node: StepNode, situation: Situation): Action[] | null {
  const { step, index, state: at } = node;
  if (step.foreach && !node.item && at.status === "pending") {
    return [{ do: "foreach", index, cause: at.cause }];
  }
  const when = at.status === "pending" && step.when ? situation.when(node) : { is: true };
  if ("is" in when && !when.is)
    return [{ do: "skip", index, because: `when is false: ${step.when?.source}` }];
  if (step.type !== "approval" && situation.slots <= 0) return null;
  const cause = at.status === "pending" ? at.cause : "retry";
  return [{ do: "start", index, cause, ...("error" in when && { whenError: when.error }) }];
}

/** What is due now: pending steps and items whose needs are met, and retries whose time has come. */
export function* inFileOrder(state: RunState, now: number): Generator<StepNode> {
  const retries = [...state.retrying]
    .map((index) => nodeAt(state, index))
    .filter(({ state: at }) => at.status === "retrying" && at.notBefore !== null && at.notBefore <= now)
    .sort(byPlace);
  let at = 0;
  for (const node of dueNodes(state)) {
    for (let retry = retries[at]; retry && byPlace(retry, node) < 0; retry = retries[at]) {
      yield retry;
      at += 1;
    }
    yield node;
  }
  yield* retries.slice(at);
}

function* dueNodes(state: RunState): Generator<StepNode> {
  for (const index of state.due) {
    const node = nodeAt(state, index);
    if (node.state.status !== "iterating" || !node.fan) yield node;
    else for (const number of node.fan.due) yield node.fan.nodes[number] as StepNode;
  }
}

export function readyRetry(state: RunState, now: number): boolean {
  for (const index of state.retrying) {
    const { state: at } = nodeAt(state, index);
    if (at.status === "retrying" && at.notBefore !== null && at.notBefore <= now) return true;
  }
  return false;
}

/** Whether something is due that counts as an iteration; the items of a `foreach` that has started do not. */
export function needsIteration(state: RunState, now: number): boolean {
  for (const node of inFileOrder(state, now)) if (!node.item) return true;
  return false;
}

/** Steps that can be started though there is no place; of many that are due only the first are asked. */
class Placeless {
  readonly #situation: Situation;
  #left: number;

  constructor(situation: Situation) {
    this.#situation = situation;
    this.#left = situation.needsNoPlace ? MAX_REUSE_LOOKAHEAD : 0;
  }

  get isOver(): boolean {
    return this.#left <= 0;
  }

  has(node: StepNode): boolean {
    if (this.isOver) return false;
    this.#left -= 1;
    return this.#situation.needsNoPlace?.(node) ?? false;
  }
}

/** The places in the workflow's pools, as far as they are free. */
class Pools {
  readonly #left: Map<string, number>;

  constructor(state: RunState) {
    this.#left = new Map(Object.entries(state.workflow.pools));
    if (this.#left.size === 0) return;
    for (const index of state.running) this.take(nodeAt(state, index).step);
  }

  haveRoom({ pools }: Step): boolean {
    return Object.entries(pools).every(([name, places]) => (this.#left.get(name) ?? 0) >= places);
  }

  take({ pools }: Step): void {
    for (const [name, places] of Object.entries(pools)) {
      this.#left.set(name, (this.#left.get(name) ?? 0) - places);
    }
  }
}

export function isUntilReached(state: RunState, step: number): boolean {
  return isPassed(nodeAt(state, step).state);
}
