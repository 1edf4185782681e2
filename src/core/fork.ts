import type { JournalLine } from "./event.ts";
import { fold, foldAll } from "./fold.ts";
import { descendants } from "./fold-engine.ts";
import { initialState } from "./initial-state.ts";
import {
  type DefinitionIn,
  isFinally,
  isPassed,
  nodeAt,
  nodeOf,
  type RunState,
  type StepNode,
} from "./state.ts";
import type { Workflow } from "./workflow.ts";

/** A run that may be forked, as its journal tells of it. */
export interface Forkable {
  /** The definition that it was created with. */
  readonly workflow: Workflow;
  readonly lines: readonly JournalLine[];
  /** Gives the definitions that it went on with, if it may have changed. */
  readonly definitionIn?: DefinitionIn;
}

/** The lines of a run's journal that came before a step, `run_created` among them; or why there are none. */
export type Before = { readonly lines: readonly JournalLine[] } | { readonly why: string };

/**
 * What a fork at `step` shares with the run that it is made from. Folded, the lines give a state in which the step is
 * about to start.
 *
 * A sequence: all lines up to where the run came to the step, the last time that it did; or up to where `attempt` of it
 * began. A graph, in which nothing has a place of its own: the lines of all steps that have been passed and do not
 * descend from the step, with what concerned the run as a whole in between.
 */
export function linesBefore(run: Forkable, step: string, attempt?: number): Before {
  const state = foldAll(run.workflow, run.lines, run.definitionIn);
  if (isFinally(state, nodeOf(state, step).step.index))
    return { why: `${step} is a finally step: it comes at the end of every run` };
  if (state.workflow.shape === "sequence") return beforeInSequence(run, state, step, attempt);
  if (attempt !== undefined)
    return { why: `in a graph only a step as a whole can be named, not attempt ${attempt} of it` };
  return beforeInGraph(run, state, step);
}

function beforeInSequence(run: Forkable, state: RunState, step: string, attempt: number | undefined): Before {
  const { lines } = run;
  if (attempt !== undefined) {
    const at = lines.findIndex(
      (line) =>
        line.event === "attempt_started" &&
        line.step === step &&
        line.item === undefined &&
        line.attempt === attempt,
    );
    if (at >= 0) return { lines: lines.slice(0, at) };
    return { why: `${step} has had ${nodeOf(state, step).attempts} attempts, and no attempt ${attempt}` };
  }
  const entered = lastEntry(run, step);
  if (entered < 0) return { why: `the run has not come to ${step}` };
  const began = lines.findIndex(
    (line, at) => at > entered && isBeginning(line) && "step" in line && line.step === step,
  );
  return { lines: began < 0 ? withoutEnd(run, state) : lines.slice(0, began) };
}

/** The line by which a sequence came to a step, the last time; -1: none. */
function lastEntry({ workflow, lines, definitionIn }: Forkable, step: string): number {
  const state = initialState(workflow, definitionIn);
  let entered = -1;
  let hasEngine = false;
  for (const [at, line] of lines.entries()) {
    const was = cursorOf(state);
    fold(state, line);
    const isFirst = line.event === "engine_started" && !hasEngine;
    hasEngine ||= line.event === "engine_started";
    if (cursorOf(state) !== step) continue;
    const isSentBack = "redo" in line && line.redo?.includes(step);
    const isFrom = line.event === "engine_started" && line.from === step;
    if (was !== step || isFirst || isSentBack || isFrom || line.event === "transition") entered = at;
  }
  return entered;
}

function cursorOf({ steps, cursor }: RunState): string | null {
  return typeof cursor === "number" ? (steps[cursor]?.step.id ?? null) : null;
}

function isBeginning({ event }: JournalLine): boolean {
  return event === "attempt_started" || event === "step_skipped" || event === "foreach_started";
}

/** The run came to the step and did not start it: how it stopped there is not to be shared. */
function withoutEnd({ lines }: Forkable, state: RunState): readonly JournalLine[] {
  const last = lines.findLastIndex((line) => {
    const step = stepOf(line);
    if (step !== null) return !isLast(state, step);
    return !isEnd(line) && !isRequest(line);
  });
  return lines.slice(0, last + 1);
}

function beforeInGraph(run: Forkable, state: RunState, step: string): Before {
  const { workflow, lines, definitionIn } = run;
  const left = new Set(descendants(state, nodeOf(state, step).step.index));
  const leave = (index: number) => {
    for (const each of descendants(state, index)) left.add(each);
  };
  for (const node of state.steps.slice(0, state.workflow.mainSteps)) {
    // A gate that has sent the run to its end would do so again.
    if (!isPassed(node.state) || hasEnded(node)) leave(node.step.index);
  }
  const isOfShared = (line: JournalLine) => {
    const id = stepOf(line);
    if (id === null || line.event === "limit_clamped") return true;
    const index = state.indexOf.get(id);
    return index !== undefined && !left.has(index);
  };
  const started = lines.findIndex(({ event }) => event === "engine_started");
  // What concerns the run counts as far as something that is shared came after it.
  const last = lines.findLastIndex((line, at) => {
    const id = stepOf(line);
    if (id === null) return at === started || isChange(line);
    return isOfShared(line) && !isLast(state, id);
  });
  const shared = lines.filter((line, at) => {
    if (at > last || line.event === "request_refused") return false;
    if (line.event !== "request_taken") return isOfShared(line);
    const decision = lines.slice(at, last + 1).find(({ event }) => event === "decision");
    return line.request === "decide" && decision !== undefined && isOfShared(decision);
  });
  const before = foldAll(workflow, shared, definitionIn);
  const unmet = nodeOf(before, step).step.needs.filter((need) => !isPassed(nodeAt(before, need).state));
  if (unmet.length === 0) return { lines: shared };
  const names = unmet.map((need) => {
    const { step: other, state: its } = nodeAt(state, need);
    return `${other.id} (${its.status})`;
  });
  return { why: `the run has not come to ${step}: it needs ${names.join(", ")}` };
}

function hasEnded({ step: { gate }, decision }: StepNode): boolean {
  const target =
    decision === "reject" ? gate?.onReject : decision === "approve" ? gate?.onApprove : undefined;
  return target !== undefined && target.to !== "step";
}

/** Null: it concerns the run as a whole. */
function stepOf(line: JournalLine): string | null {
  if (line.event === "attempt_ended") return line.record.step;
  if (line.event === "transition") return line.from;
  return "step" in line ? line.step : null;
}

/** Of the steps under `finally`; one that a change of the definition has taken out is none. */
function isLast(state: RunState, step: string): boolean {
  const index = state.indexOf.get(step);
  return index !== undefined && isFinally(state, index);
}

function isEnd({ event }: JournalLine): boolean {
  return event === "run_waiting" || event === "run_ended" || event === "finally_started";
}

function isRequest({ event }: JournalLine): boolean {
  return event === "request_taken" || event === "request_refused";
}

function isChange({ event }: JournalLine): boolean {
  return event === "input_changed" || event === "definition_changed";
}
