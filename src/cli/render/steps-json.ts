import type { RunTree, StepTree } from "../../review/tree.ts";

/** Described by `schemas/cli/status.schema.json`. */
export function stepsJson({ steps, workflow, view }: RunTree): object {
  const { reused, answered } = view.record.volatile;
  const allowed = new Map(workflow?.steps.map(({ id, retry }) => [id, 1 + retry.max]));
  const atEnd = new Set(workflow?.steps.slice(workflow.mainSteps).map(({ id }) => id));
  return Object.fromEntries(
    steps.map((step) => [
      step.step,
      {
        ...step.record,
        ...(atEnd.has(step.step) && { finally: true }),
        ...(reused?.[step.step] !== undefined && { reused: reused[step.step] }),
        ...(answered?.[step.step] !== undefined && { answered: answered[step.step] }),
        attemptsAllowed: allowed.get(step.step) ?? null,
        ...(step.record.items && { each: step.items.map(itemJson) }),
        ...nestedJson(step),
      },
    ]),
  );
}

function itemJson(step: StepTree): object {
  return { item: step.item, value: step.value ?? null, ...step.record, ...nestedJson(step) };
}

function nestedJson({ nested }: StepTree): object {
  switch (nested.is) {
    case "none":
    case "left out":
      return {};
    case "unreadable":
      return { problem: nested.why };
    case "shown":
      return { run: runJson(nested.tree) };
    default:
      return nested satisfies never;
  }
}

/** A nested run. */
export function runJson(tree: RunTree): object {
  const { runDir, interrupted, record } = tree.view;
  const { runId, workflow, status, reason } = record;
  return { runId, runDir, workflow: workflow.id, status, interrupted, reason, steps: stepsJson(tree) };
}
