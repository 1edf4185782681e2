import { isFinally, isPassed, nodeAt, type RunState, type StepNode } from "../core/state.ts";
import type { Trace } from "./why-trace.ts";
import { names } from "./why-words.ts";

/** Why a step, or an item of one, that is pending has not begun. */
export function whyNotBegun({ state, passedBy }: Trace, node: StepNode): string {
  const { index, needs, id } = node.step;
  const over = state.status === "failed" || state.status === "canceled" || state.status === "succeeded";
  if (node.item) return over ? `it was due when ${whatEnded(state)}` : whatHolds(state, node);
  if (isFinally(state, index))
    return over ? "the run ended without it" : "it runs when the run comes to its end";
  if (state.workflow.shape === "graph") {
    const unmet = needs.filter((need) => !isPassed(nodeAt(state, need).state));
    if (unmet.length > 0) return `it needs ${names(state, unmet)}, ${whatOf(state, unmet)}`;
    return over ? `it was due when ${whatEnded(state)}` : whatHolds(state, node);
  }
  const by = passedBy.get(id);
  if (by) return `the run went past it, from ${by.from} to ${endOf(by.to)}: ${by.because.message}`;
  if (over) return `not reached: ${whatEnded(state)}`;
  if (state.cursor === index) return whatHolds(state, node);
  return `not reached yet: the run is at ${whereAt(state)}`;
}

function whatHolds(state: RunState, node: StepNode): string {
  if (state.status === "waiting") return `it is due, and the run waits: ${state.reason?.message ?? ""}`;
  const { state: at } = node;
  if (at.status === "pending" && at.cause === "interrupted")
    return "it is due again: how the attempt before ended is not known";
  return "it is due";
}

function whatOf(state: RunState, indexes: readonly number[]): string {
  const failed = indexes.filter((index) => nodeAt(state, index).state.status === "failed");
  if (failed.length > 0)
    return indexes.length === 1 ? "which failed" : `of which ${names(state, failed)} failed`;
  const [first] = indexes;
  const only = indexes.length === 1 && first !== undefined ? nodeAt(state, first).state.status : null;
  if (only === "running" || only === "waiting" || only === "retrying") return `which is ${only}`;
  if (only === "canceled") return "which was canceled";
  return only === null ? "not passed yet" : "which has not been passed";
}

function whatEnded({ status, reason }: RunState): string {
  if (status === "failed" && reason?.step !== undefined) return `the run failed at ${reason.step}`;
  if (status === "succeeded") return "the run ended";
  return status === "canceled" ? "the run was canceled" : "the run ended as failed";
}

function whereAt(state: RunState): string {
  return typeof state.cursor === "number" ? nodeAt(state, state.cursor).step.id : "its end";
}

function endOf(to: string): string {
  return to === "done" ? "the end" : to;
}
