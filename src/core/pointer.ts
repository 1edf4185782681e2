import { successor } from "./path.ts";
import type { PointerEntry } from "./record.ts";
import { isPassed, nodeAt, type RunState } from "./state.ts";

const MAX_ENTRIES = 100;

/**
 * Which steps are active; if none, the first that is due; in a run that failed, was canceled or was stopped, what
 * `resume` would start; nothing in one that succeeded. In file order, at most 100.
 */
export function pointerOf(state: RunState): PointerEntry[] {
  if (state.status === "succeeded") return [];
  const active: PointerEntry[] = [];
  const add = (index: number, as: PointerEntry["state"]) => {
    const { step, attempts } = nodeAt(state, index);
    active.push({ step: step.id, attempt: as === "due" ? attempts + 1 : attempts, state: as });
  };
  if (state.status === "failed" || state.status === "canceled" || state.status === "waiting") {
    for (const index of resumable(state)) {
      add(index, state.waiting.has(index) ? "waiting" : state.retrying.has(index) ? "retrying" : "due");
      if (active.length === MAX_ENTRIES) break;
    }
    // All that is left is what comes at every end.
    const last = state.workflow.mainSteps;
    if (active.length === 0 && last < state.steps.length) add(last, "due");
    return active;
  }
  const busy = state.running.size + state.retrying.size + state.waiting.size;
  for (const node of state.steps) {
    if (active.length === busy || active.length === MAX_ENTRIES) break;
    const { index } = node.step;
    if (state.running.has(index)) add(index, "running");
    else if (state.waiting.has(index)) add(index, "waiting");
    else if (state.retrying.has(index)) add(index, "retrying");
  }
  const first = state.ending ? nextFinally(state) : state.due.next();
  const next = first >= 0 ? first : afterCursor(state);
  if (active.length === 0 && next !== null) add(next, "due");
  return active;
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
function* resumable(state: RunState): Generator<number> {
  const waiting = state.status === "waiting";
  for (const node of state.steps) {
    const { index } = node.step;
    const failed = state.failed.has(index) && !waiting;
    const open = state.due.has(index) || state.retrying.has(index) || state.waiting.has(index);
    if (failed || node.state.status === "canceled" || open) yield index;
  }
  if (state.cursor === "fail" && state.cameFrom !== null) yield state.cameFrom;
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
      if (first?.state === "waiting") return `wf approve or wf reject decides ${first.step}${more}`;
      return first
        ? `wf resume starts attempt ${first.attempt} of ${first.step}${more}`
        : "wf resume goes on";
    case "queued":
    case "running":
      if (!first) return "end the run";
      if (first.state === "running")
        return `wait for attempt ${first.attempt} of ${first.step} to end${more}`;
      if (first.state === "waiting") return `wf approve or wf reject decides ${first.step}${more}`;
      if (first.state === "retrying") return `retry ${first.step} after attempt ${first.attempt}${more}`;
      return `start attempt ${first.attempt} of ${first.step}${more}`;
    default:
      return state.status satisfies never;
  }
}
