import { initialState, nodeAt } from "../core/state.ts";
import { lookup, TemplateError } from "../core/template.ts";
import type { Plan, StartRequest } from "./api.ts";
import { checkStart } from "./start.ts";

/** What a start would do, as far as it is known before anything runs; writes nothing. Raises what `start` would. */
export async function plan(request: StartRequest): Promise<Plan> {
  const { loaded, inputs, project, runsDir } = await checkStart(request);
  const { workflow } = loaded;
  const state = initialState(workflow);
  const scope = { inputs, steps: {}, workflow: {} };
  const known = (path: Parameters<typeof lookup>[0]) => {
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
      script: step.script.text,
      variables: Object.fromEntries(step.script.variables.map(({ name, path }) => [name, known(path)])),
      ...(step.timeoutMs !== undefined && { timeoutMs: step.timeoutMs }),
      retries: step.retry.max,
    })),
  };
}
