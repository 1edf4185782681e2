import type { AttemptName } from "../core/ids.ts";
import type { StepRecord } from "../core/record.ts";
import type { Workflow } from "../core/workflow.ts";
import { itemsOfStep, viewNestedIfReadable } from "./inside.ts";
import type { Drawn } from "./picture.ts";
import { isTelling } from "./tree.ts";
import { type CurrentView, linesOf } from "./view.ts";

/** A run as it is now, for the picture of its workflow. */
export async function drawnOf(view: CurrentView, workflow: Workflow): Promise<Drawn> {
  const nested = new Map<string, { item?: number; drawn: Drawn }>();
  for (const step of workflow.steps) {
    const record = view.record.steps[step.id];
    if (step.type !== "workflow" || record === undefined || record.attempts === 0) continue;
    const attempt = await attemptThatSaysMost(view, step.id, record);
    const inner = await viewNestedIfReadable(view.runDir, attempt);
    if (inner === null) continue;
    const { item } = attempt;
    const drawn = await drawnOf(inner, step.definition.workflow);
    nested.set(step.id, { ...(item !== undefined && { item }), drawn });
  }
  const isSequence = workflow.shape === "sequence";
  return {
    steps: view.record.steps,
    interrupted: view.interrupted,
    transitions: isSequence ? linesOf(view).filter((line) => line.event === "transition") : [],
    nested,
  };
}

/** With `foreach` an item that failed or is active, else the first that was tried. */
async function attemptThatSaysMost(
  view: CurrentView,
  step: string,
  record: StepRecord,
): Promise<AttemptName> {
  if (record.items === undefined) return { step, attempt: record.attempts };
  const tried = (await itemsOfStep(view, step)).filter((each) => each.record.attempts > 0);
  const found =
    tried.find((each) => each.record.status === "failed") ?? tried.find((each) => isTelling(each.record));
  const { item, record: of } = found ?? tried[0] ?? { item: 0, record };
  return { step, item, attempt: of.attempts };
}
