import type { Json } from "../core/json.ts";
import { renderValue, TemplateError, type TemplateScope } from "../core/template.ts";
import type { NestedStep, Step, ValueTemplate, Workflow } from "../core/workflow.ts";
import type { NestedPlan, Plan, PlannedStep, StartRequest } from "./api.ts";
import { checkStart } from "./start.ts";

/** What a start would do, as far as it is known before anything runs; writes nothing. Raises what `start` would. */
export async function plan(request: StartRequest): Promise<Plan> {
  const { loaded, inputs, project, runsDir, answers } = await checkStart(request);
  const { workflow } = loaded;
  return {
    ...{ workflow: workflow.id, shape: workflow.shape, project, runsDir, inputs },
    ...(answers && { answers: answers.source.fixture }),
    steps: planSteps(workflow, inputs, []),
  };
}

/** `around`: the workflows that this one is nested in. */
function planSteps(
  workflow: Workflow,
  inputs: Readonly<Record<string, Json>>,
  around: readonly Workflow[],
): PlannedStep[] {
  const scope: TemplateScope = { inputs, steps: {}, workflow: {} };
  return workflow.steps.map((step) => ({
    id: step.id,
    needs: step.needs.map((need) => (workflow.steps[need] as Step).id),
    ...(step.when && { when: step.when.source }),
    ...(step.foreach && { foreach: listKnown(step.foreach, scope) }),
    type: step.type,
    ...textOf(step, scope),
    ...(step.timeoutMs !== undefined && { timeoutMs: step.timeoutMs }),
    retries: step.retry.max,
    ...(step.type === "workflow" && { nested: planNested(step, scope, [...around, workflow]) }),
  }));
}

function planNested(
  { definition: { workflow }, with: given }: NestedStep,
  scope: TemplateScope,
  around: readonly Workflow[],
): NestedPlan {
  const inputs = Object.fromEntries(
    workflow.inputs.map(({ name, default: usual }) => {
      const value = given[name];
      return [name, value === undefined ? (usual ?? null) : (known(value, scope) ?? null)];
    }),
  );
  const isKnown = Object.fromEntries(Object.entries(inputs).filter(([, value]) => value !== null));
  const steps = around.includes(workflow) ? null : planSteps(workflow, isKnown, around);
  return { workflow: workflow.id, shape: workflow.shape, inputs, steps };
}

function listKnown(foreach: ValueTemplate, scope: TemplateScope): readonly Json[] | null {
  const value = known(foreach, scope);
  return Array.isArray(value) ? value : null;
}

/** Undefined if it is known only when the step starts. */
function known(value: ValueTemplate, scope: TemplateScope): Json | undefined {
  try {
    return renderValue(value, scope);
  } catch (error) {
    if (error instanceof TemplateError) return undefined;
    throw error;
  }
}

function textOf(step: Step, scope: TemplateScope): Pick<PlannedStep, "text" | "variables"> {
  switch (step.type) {
    case "command": {
      const { text, variables } = step.script;
      const values = variables.map(({ name, path }) => {
        const template = { source: "", parts: [path] };
        return [name, known({ template }, scope) ?? null];
      });
      return { text, variables: Object.fromEntries(values) };
    }
    case "agent_task":
    case "agent_review":
      return { text: step.prompt.source, variables: {} };
    case "approval":
      return { text: step.message.source, variables: {} };
    case "workflow":
      return { text: `workflow: ${step.definition.shown}`, variables: {} };
    default:
      return step satisfies never;
  }
}
