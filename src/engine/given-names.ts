import { WfError } from "../core/problem.ts";
import type { Workflow } from "../core/workflow.ts";

export function requireStep(workflow: Workflow, step: string, option: string): void {
  if (workflow.steps.some(({ id }) => id === step)) return;
  const ids = workflow.steps.slice(0, 20).map(({ id }) => id);
  const more = workflow.steps.length > ids.length ? ", …" : "";
  const [first] = step.split("/");
  if (step !== first && workflow.steps.some(({ id }) => id === first)) {
    throw new WfError({
      code: "STEP_NOT_FOUND",
      message: `${option} takes a step of the workflow itself, and ${step} lies within one`,
      hint: `${option} ${first}`,
    });
  }
  throw new WfError({
    code: "STEP_NOT_FOUND",
    message: `${option}: the workflow ${workflow.id} has no step ${step}`,
    hint: `its steps: ${ids.join(", ")}${more}`,
  });
}

export function requireRunId(id: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(id)) return;
  throw new WfError({
    code: "BAD_RUN_ID",
    message: `'${id}' can not be a run's id`,
    hint: "letters, digits, '.', '_' and '-', at most 128",
  });
}
