import { itemsOf } from "./fold-fan.ts";
import { placeName } from "./ids.ts";
import { successor } from "./path.ts";
import type { PointerEntry } from "./record.ts";
import { byPlace, isPassed, nodeAt, nodeOf, placeOf, type RunState, type StepNode } from "./state.ts";

const MAX_ENTRIES = 100;

/**
 * Which steps are active; if none, the first that is due; in a run that failed, was canceled or was stopped, what
 * `resume` would start; nothing in one that succeeded. In file order, at most 100.
 */
export function pointerOf(state: RunState): PointerEntry[] {
  if (state.status === "succeeded") return [];
  const active: PointerEntry[] = [];
  const add = (node: StepNode, as: PointerEntry["state"]) => {
    const attempt = as === "due" ? node.attempts + 1 : node.attempts;
    active.push({ ...placeOf(node), attempt, state: as });
  };
  if (state.status === "failed" || state.status === "canceled" || state.status === "waiting") {
    for (const node of resumable(state)) {
      const { status } = node.state;
      add(node, status === "waiting" || status === "retrying" ? status : "due");
      if (active.length === MAX_ENTRIES) break;
    }
    // All that is left is what comes at every end.
    const last = state.workflow.mainSteps;
    if (active.length === 0 && last < state.steps.length) add(nodeAt(state, last), "due");
    return active;
  }
  const busy = [...state.running, ...state.retrying, ...state.waiting].map((index) => nodeAt(state, index));
  for (const node of busy.sort(byPlace).slice(0, MAX_ENTRIES)) {
    const { status } = node.state;
    if (status === "running" || status === "waiting" || status === "retrying") add(node, status);
  }
  const first = state.ending ? nextFinally(state) : state.due.next();
  const next = first >= 0 ? first : afterCursor(state);
  if (active.length === 0 && next !== null) add(firstDue(nodeAt(state, next)), "due");
  return active;
}

/** Of a step with `foreach`: the item. */
function firstDue(node: StepNode): StepNode {
  const number = node.state.status === "iterating" && node.fan ? node.fan.due.next() : -1;
  return node.fan?.nodes[number] ?? node;
}

/** The `finally` step that comes next, or -1. */
function nextFinally(state: RunState): number {
  const rest = state.steps.slice(state.workflow.mainSteps);
  return rest.find(({ state: { status } }) => status === "pending")?.step.index ?? -1;
}

/** Between the end of a step and the transition: the step that the sequence is about to go to. */
function afterCursor(state: RunState): number | null {
  if (state.workflow.shape !== "sequence" || typeof state.cursor !== "number" || state.ending) return null;
  const { state: at, decision } = nodeAt(state, state.cursor);
  if (!isPassed(at)) return null;
  return state.indexOf.get(successor(state, state.cursor, at.status, decision).to) ?? null;
}

/** What `resume` would start first: canceled, failed, due and retrying steps, in file order. */
function* resumable(state: RunState): Generator<StepNode> {
  const waiting = state.status === "waiting";
  const isOpen = ({ index, state: at }: StepNode) =>
    (state.failed.has(index) && !waiting) ||
    at.status === "canceled" ||
    at.status === "retrying" ||
    at.status === "waiting";
  for (const node of state.steps) {
    const frozen = node.fan !== null && node.fan.size > 0 && !isPassed(node.state) ? node.fan : null;
    if (frozen && node.state.status !== "pending") {
      for (const item of itemsOf(frozen)) if (isOpen(item) || item.state.status === "pending") yield item;
    } else if (isOpen(node) || state.due.has(node.index)) yield node;
  }
  if (state.cursor === "fail" && state.cameFrom !== null) yield nodeAt(state, state.cameFrom);
}

/** The next expected action, in one sentence without anything volatile in it. */
export function describeNext(state: RunState): string {
  const [first, ...others] = pointerOf(state);
  const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
  switch (state.status) {
    case "succeeded":
      return "nothing: the run succeeded";
    case "failed":
    case "canceled":
    case "waiting":
      if (first?.state === "waiting") return whoDecides(state, first, more);
      return first
        ? `wf resume starts attempt ${first.attempt} of ${placeName(first)}${more}`
        : "wf resume goes on";
    case "queued":
    case "running":
      if (!first) return "end the run";
      if (first.state === "running")
        return `wait for attempt ${first.attempt} of ${placeName(first)} to end${more}`;
      if (first.state === "waiting") return whoDecides(state, first, more);
      if (first.state === "retrying")
        return `retry ${placeName(first)} after attempt ${first.attempt}${more}`;
      return `start attempt ${first.attempt} of ${placeName(first)}${more}`;
    default:
      return state.status satisfies never;
  }
}

/** A person, or the nested run. */
function whoDecides(state: RunState, first: PointerEntry, more: string): string {
  const { state: at } = nodeOf(state, first.step, first.item);
  const nested = at.status === "waiting" ? at.nested : undefined;
  const name = placeName(first);
  if (nested && nested.reason.code !== "APPROVAL") return `wf resume goes on with ${name}${more}`;
  return `wf approve or wf reject decides ${nested ? `in ${name}` : name}${more}`;
}
