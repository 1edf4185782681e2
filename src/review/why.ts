import { join } from "node:path";
import type { ForkedFrom, RunReason, RunStatus } from "../core/event.ts";
import { WfError } from "../core/problem.ts";
import { isFinally, isPassed, nodeAt, type RunState, type StepNode } from "../core/state.ts";
import { declaresInputs } from "../steps/input-key.ts";
import { damaged } from "../store/damage.ts";
import { attemptDir, RUN_FILES } from "../store/layout.ts";
import type { Liveness } from "./liveness.ts";
import { definitionOf, linesOf, viewRun } from "./view.ts";
import { type InputsStory, inputsChangedSince, inputsStory } from "./why-inputs.ts";
import { planResume, type ResumePlan, type StepPlan } from "./why-resume.ts";
import { type AttemptTrace, names, type StepTrace, type Trace, traceRun } from "./why-trace.ts";

/** Why a run came to where it is, and what a resume would make of it. */
export interface Why {
  readonly runId: string;
  readonly runDir: string;
  readonly workflow: string;
  readonly status: RunStatus;
  readonly reason: RunReason | null;
  readonly interrupted: boolean;
  /** Null: it is no fork. */
  readonly forkedFrom: ForkedFrom | null;
  readonly liveness: Liveness;
  readonly steps: readonly StepWhy[];
  readonly resume: Omit<ResumePlan, "steps">;
}

export interface StepWhy {
  readonly step: string;
  readonly status: StepNode["state"]["status"];
  /** Why the run came to it, or did not; each attempt has its own. */
  readonly because: string;
  /** Its `when`, and whether it was true; null if it has none. */
  readonly when: { readonly source: string; readonly is: boolean | null } | null;
  readonly needs: readonly { readonly step: string; readonly status: string }[];
  readonly attempts: readonly AttemptTrace[];
  readonly resume: StepPlan;
  /** Of the newest attempt; null if it declares nothing that it depends on. */
  readonly inputs: InputsStory | null;
  /** What has become of its input files since it passed, a sentence each. */
  readonly changedSince: readonly string[];
}

/**
 * From the journal and the disk alone, without a lock; works while an engine drives the run. Raises RUN_NOT_FOUND,
 * RUN_DAMAGED, FORMAT_UNKNOWN, and LEGACY_RUN for an older record, which has no journal.
 */
export async function whyRun(path: string, now: number): Promise<Why> {
  const view = await viewRun(path);
  if (view.kind === "legacy") {
    throw new WfError({
      code: "LEGACY_RUN",
      message: `run '${view.record.runId}' does not say why: it is an older record, without a journal`,
      hint: "wf status shows what it says",
    });
  }
  const { record, liveness, interrupted } = view;
  const workflow = view.folded?.state.workflow ?? (await definitionOf(path, record.workflow));
  let trace: Trace;
  try {
    trace = traceRun(workflow, linesOf(view));
  } catch (error) {
    throw damaged(`${join(path, RUN_FILES.journal)}: ${(error as Error).message}`);
  }
  const { state } = trace;
  const since = await inputsChangedSince(state, path);
  const told = state.steps.map((node, index) => ({
    ...tellStep(trace, node, trace.steps[index] as StepTrace),
    inputs: newestInputs(path, node, trace.steps[index] as StepTrace),
    changedSince: since.get(node.step.id) ?? [],
  }));
  // Last: it takes the state further.
  const { steps, ...resume } = planResume(state, path, { driven: liveness.state !== "nobody", now });
  return {
    runId: record.runId,
    runDir: path,
    workflow: record.workflow.id,
    status: record.status,
    reason: record.reason,
    interrupted,
    forkedFrom: record.volatile.forkedFrom ?? null,
    liveness,
    steps: told.map((step, index) => ({ ...step, resume: steps[index] as StepPlan })),
    resume,
  };
}

function newestInputs(runDir: string, { step }: StepNode, { attempts }: StepTrace): InputsStory | null {
  const last = attempts.at(-1);
  if (step.type !== "command" || !declaresInputs(step) || !last) return null;
  return inputsStory(attemptDir(runDir, { step: step.id, item: last.item, attempt: last.attempt }));
}

function tellStep(
  trace: Trace,
  node: StepNode,
  { attempts, skipped }: StepTrace,
): Omit<StepWhy, "resume" | "inputs" | "changedSince"> {
  const { state } = trace;
  const { step, state: at } = node;
  const entry = attempts.findLast(({ cause }) => ENTRIES.has(cause)) ?? attempts[0];
  const ran = entry !== undefined && at.status !== "pending" && at.status !== "skipped";
  const needs = step.needs.map((need) => {
    const { step: other, state: its } = nodeAt(state, need);
    return { step: other.id, status: its.status };
  });
  return {
    step: step.id,
    status: at.status,
    because: ran ? entry.because : (skipped?.because ?? whyNotRun(trace, node)),
    when: step.when ? { source: step.when.source, is: ran ? true : skipped ? false : null } : null,
    needs,
    attempts,
  };
}

/** What brings a run to a step; the other attempts are further ones of the same. */
const ENTRIES: ReadonlySet<string> = new Set(["first", "rework", "redo"]);

/** Why a step that is pending has not begun. */
function whyNotRun({ state, passedBy }: Trace, node: StepNode): string {
  const { index, needs } = node.step;
  const over = state.status === "failed" || state.status === "canceled" || state.status === "succeeded";
  if (isFinally(state, index))
    return over ? "the run ended without it" : "it runs when the run comes to its end";
  if (state.workflow.shape === "graph") {
    const unmet = needs.filter((need) => !isPassed(nodeAt(state, need).state));
    if (unmet.length > 0) return `it needs ${names(state, unmet)}, ${whatOf(state, unmet)}`;
    return over ? `it was due when ${whatEnded(state)}` : whatHolds(state, node);
  }
  const by = passedBy.get(index);
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
