import type { JournalLine } from "./event.ts";
import { forgetItems } from "./fold-fan.ts";
import { enter, setState } from "./fold-step.ts";
import { initialState } from "./initial-state.ts";
import { isFinally, isPassed, nodeOf, type RunState, type StepNode } from "./state.ts";

/**
 * The run goes on with another definition. Steps keep what they have, but for those that are to be done again; what a
 * step that is gone has used of attempt numbers is remembered, should it come back.
 */
export function changeDefinition(state: RunState, line: JournalLine & { event: "definition_changed" }): void {
  const workflow = state.definitionIn(line.file);
  const before = { steps: state.steps, cursor: state.cursor, cameFrom: state.cameFrom };
  const idAt = (index: number | null) => (index === null ? undefined : before.steps[index]?.step.id);
  for (const node of before.steps) state.gone.set(node.step.id, node);
  const { steps, indexOf, dependents } = initialState(workflow, state.definitionIn);
  Object.assign(state, { workflow, steps, indexOf, dependents, items: [], passed: 0, rootCause: null });
  state.source = { ...state.source, file: line.file, sha256: String(line.new), source: line.source };
  state.limits = { ...line.limits, ...(state.limits.steps && { steps: state.limits.steps }) };
  for (const set of [state.due, state.running, state.waiting, state.retrying, state.failed]) set.clear();
  const kept = new Set(before.steps.map(({ step }) => step.id));
  const redo = new Set(line.redo);
  state.cursor = workflow.shape === "sequence" ? cursorAfter(state, before, kept, redo) : before.cursor;
  state.cameFrom = state.indexOf.get(idAt(before.cameFrom) ?? "") ?? null;
  for (const node of state.steps) {
    const { id } = node.step;
    const old = state.gone.get(id);
    state.gone.delete(id);
    if (!old) continue;
    takeOver(state, node, old);
    if (!kept.has(id) || redo.has(id)) {
      forgetItems(state, node);
      setState(state, node, { status: "pending", cause: node.attempts === 0 ? "first" : "redo" });
    } else {
      node.failures = old.failures;
      node.outputs = old.outputs;
      node.decision = old.decision;
      node.sentBackBy = state.indexOf.get(idAt(old.sentBackBy) ?? "") ?? null;
      setState(state, node, old.state);
    }
  }
  for (const node of state.steps) {
    if (node.unmet > 0 || node.state.status !== "pending" || isFinally(state, node.index)) continue;
    if (workflow.shape === "graph" || state.cursor === node.index) state.due.add(node.index);
  }
}

/** What stays with a step whatever becomes of it. */
function takeOver(state: RunState, node: StepNode, old: StepNode): void {
  node.attempts = old.attempts;
  node.counted = old.counted;
  node.produced = old.produced;
  node.usage = old.usage;
  node.fan = old.fan;
  for (const item of node.fan?.nodes ?? []) {
    item.step = node.step;
    item.index = state.steps.length + state.items.length;
    if (item.item) item.item.of = node;
    state.items.push(item);
  }
}

/** A sequence goes back to the first step that is new or to be done again, unless it has not come so far. */
function cursorAfter(
  state: RunState,
  before: Pick<RunState, "steps" | "cursor">,
  kept: ReadonlySet<string>,
  redo: ReadonlySet<string>,
): RunState["cursor"] {
  const main = state.steps.slice(0, state.workflow.mainSteps);
  const first = main.find(({ step }) => redo.has(step.id) || !kept.has(step.id))?.index;
  if (typeof before.cursor !== "number") return first ?? before.cursor;
  const here = before.steps[before.cursor]?.step.id ?? "";
  const now = state.indexOf.get(here);
  if (now !== undefined && (first === undefined || now < first)) return now;
  if (first !== undefined) return first;
  // The step it was at is gone: from the last one before it that has been passed it goes on to whatever follows.
  const passed = before.steps.slice(0, before.cursor).filter(({ state: at }) => isPassed(at));
  return state.indexOf.get(passed.at(-1)?.step.id ?? "") ?? 0;
}

/** An input has another value from here on; the steps that it concerns are done again. */
export function changeInput(state: RunState, line: JournalLine & { event: "input_changed" }): void {
  state.inputs = { ...state.inputs, [line.what]: line.new };
  const { redo = [] } = line;
  if (redo.length === 0) return;
  const nodes = redo.map((id) => nodeOf(state, id));
  if (state.workflow.shape === "sequence") {
    const first = Math.min(...nodes.map(({ index }) => index));
    if (typeof state.cursor !== "number" || state.cursor > first) state.cursor = first;
  }
  for (const node of nodes) enter(state, node, "redo");
  if (state.failed.size === 0) state.rootCause = null;
}
