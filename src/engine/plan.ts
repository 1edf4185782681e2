import type { Json } from "../core/json.ts";
import { initialState, nodeAt } from "../core/state.ts";
import { lookup, TemplateError } from "../core/template.ts";
import type { Step, TemplatePath } from "../core/workflow.ts";
import type { Plan, StartRequest } from "./api.ts";
import { checkStart } from "./start.ts";

/** What a start would do, as far as it is known before anything runs; writes nothing. Raises what `start` would. */
export async function plan(request: StartRequest): Promise<Plan> {
  const { loaded, inputs, project, runsDir } = await checkStart(request);
  const { workflow } = loaded;
  const state = initialState(workflow);
  const scope = { inputs, steps: {}, workflow: {} };
  const known = (path: TemplatePath) => {
    try {
      return lookup(path, scope);
    } catch (error) {
      if (error instanceof TemplateError) return null;
      throw error;
    }
  };
  return {
    workflow: workflow.id,
    shape: workflow.shape,
    project,
    runsDir,
    inputs,
    steps: workflow.steps.map((step) => ({
      id: step.id,
      needs: step.needs.map((need) => nodeAt(state, need).step.id),
      ...(step.when && { when: step.when.source }),
      type: step.type,
      ...textOf(step, known),
      ...(step.timeoutMs !== undefined && { timeoutMs: step.timeoutMs }),
      retries: step.retry.max,
    })),
  };
}

function textOf(
  step: Step,
  known: (path: TemplatePath) => Json,
): { text: string; variables: Readonly<Record<string, Json>> } {
  switch (step.type) {
    case "command": {
      const { text, variables } = step.script;
      return { text, variables: Object.fromEntries(variables.map(({ name, path }) => [name, known(path)])) };
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
