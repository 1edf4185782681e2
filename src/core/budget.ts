import type { RunReason } from "./event.ts";
import { nodeAt, type RunState, type StepNode, stepNode, type UsageTotal } from "./state.ts";

/** A limit on what agents use that has been crossed: the run's, or that of a step that would run again. */
export function spentBudget(state: RunState): RunReason | null {
  const { limits, usage } = state;
  const over = (used: UsageTotal, max: { max_tokens?: number; max_cost_usd?: number }): string | null => {
    if (max.max_tokens !== undefined && used.tokens >= max.max_tokens) {
      return `${used.tokens} tokens were used, and max_tokens is ${max.max_tokens}`;
    }
    if (max.max_cost_usd !== undefined && used.costUsd >= max.max_cost_usd) {
      return `${used.costUsd.toFixed(4)} USD were spent, and max_cost_usd is ${max.max_cost_usd}`;
    }
    return null;
  };
  const ofRun = over(usage, limits);
  if (ofRun !== null)
    return {
      code: "BUDGET",
      message: ofRun,
      hint: "raise it with wf resume RUN --limit max_tokens=… or max_cost_usd=…",
    };
  for (const node of agentsThatCome(state)) {
    const ofStep = over(node.usage, stepBudget(state, node));
    if (ofStep === null) continue;
    const { id } = node.step;
    const hint = `raise it with wf resume RUN --limit ${id}.max_tokens=… or ${id}.max_cost_usd=…`;
    return { code: "BUDGET", message: `${id}: ${ofStep}`, step: id, attempt: node.attempts, hint };
  }
  return null;
}

function* agentsThatCome(state: RunState): Generator<StepNode> {
  if (state.usage.tokens === 0 && state.usage.costUsd === 0) return;
  for (const set of [state.due, state.retrying]) {
    for (const index of set) {
      const node = stepNode(nodeAt(state, index));
      if (node.step.type === "agent_task" || node.step.type === "agent_review") yield node;
    }
  }
}

/** A step's own limits, raised ones first. */
export function stepBudget(
  state: RunState,
  { step }: StepNode,
): { max_tokens?: number; max_cost_usd?: number } {
  if (step.type !== "agent_task" && step.type !== "agent_review") return {};
  const { maxTokens, maxCostUsd } = step.budget;
  return {
    ...(maxTokens !== undefined && { max_tokens: maxTokens }),
    ...(maxCostUsd !== undefined && { max_cost_usd: maxCostUsd }),
    ...state.limits.steps?.[step.id],
  };
}
