import { spentBudget } from "../core/budget.ts";
import { parseDuration } from "../core/duration.ts";
import type { EffectiveLimits } from "../core/event.ts";
import { WfError } from "../core/problem.ts";
import { drivenMs, type RunState } from "../core/state.ts";
import type { Workflow } from "../core/workflow.ts";

type Raised = { -readonly [K in keyof EffectiveLimits]?: EffectiveLimits[K] };

const NAMES = [
  "max_total_iterations",
  "run_timeout",
  "max_parallel",
  "max_tokens",
  "max_cost_usd",
  "STEP.max_tokens",
  "STEP.max_cost_usd",
];

/** Reads `--limit name=value` options. Raises USAGE. */
export function raiseLimits(given: Readonly<Record<string, string>>, workflow: Workflow): Raised {
  const raised: Raised = {};
  for (const [name, value] of Object.entries(given)) {
    const [, step, budget] = /^(?:([^.]+)\.)?(max_tokens|max_cost_usd)$/.exec(name) ?? [];
    if (budget === "max_tokens" || budget === "max_cost_usd") {
      const amount = budget === "max_tokens" ? wholeNumber(name, value) : positiveNumber(name, value);
      if (step !== undefined) requireAgentStep(name, step, workflow);
      if (step === undefined) raised[budget] = amount;
      else raised.steps = { ...raised.steps, [step]: { ...raised.steps?.[step], [budget]: amount } };
    } else if (name === "run_timeout") {
      const duration = parseDuration(/^\d+$/.test(value) ? Number(value) : value);
      if (!duration.ok)
        throw new WfError({ code: "USAGE", message: `--limit run_timeout: ${duration.message}` });
      raised.run_timeout_ms = duration.ms;
    } else if (name === "max_total_iterations" || name === "max_parallel") {
      raised[name] = wholeNumber(name, value);
    } else {
      const hint = `the limits that can be raised: ${NAMES.join(", ")}`;
      throw new WfError({ code: "USAGE", message: `--limit: there is no limit ${name}`, hint });
    }
  }
  return raised;
}

function requireAgentStep(name: string, id: string, workflow: Workflow): void {
  const agents = workflow.steps.filter((step) => step.type === "agent_task" || step.type === "agent_review");
  if (agents.some((step) => step.id === id)) return;
  const ids = agents.map((step) => step.id).join(", ");
  const hint = ids === "" ? "the workflow has no agent steps" : `its agent steps: ${ids}`;
  throw new WfError({ code: "USAGE", message: `--limit ${name}: ${id} is no agent step`, hint });
}

function wholeNumber(name: string, value: string): number {
  if (/^[1-9]\d{0,14}$/.test(value)) return Number(value);
  throw new WfError({ code: "USAGE", message: `--limit ${name}: '${value}' is not a whole number above 0` });
}

function positiveNumber(name: string, value: string): number {
  if (/^\d{1,12}(\.\d{1,9})?$/.test(value) && Number(value) > 0) return Number(value);
  throw new WfError({ code: "USAGE", message: `--limit ${name}: '${value}' is not a number above 0` });
}

/** A run that stands at a limit would stand there again at once. Raises LIMIT_SPENT. */
export function requireUnspent(state: RunState, raised: Raised): void {
  const limits = { ...state.limits, ...raised, steps: { ...state.limits.steps, ...raised.steps } };
  const code = state.reason?.code;
  if (code === "ITERATION_LIMIT" && state.iterations >= limits.max_total_iterations) {
    const suggestion = String(state.iterations * 2);
    throw spent(state, "max_total_iterations", `${state.iterations} attempts were started`, suggestion);
  }
  const timeout = limits.run_timeout_ms;
  const driven = drivenMs(state, 0);
  if (code === "RUN_TIMEOUT" && timeout !== undefined && driven >= timeout) {
    const seconds = Math.ceil(driven / 1000);
    throw spent(state, "run_timeout", `the run has taken ${seconds} s`, `${seconds * 2}s`);
  }
  const budget = code === "BUDGET" ? spentBudget({ ...state, limits }) : null;
  if (budget === null) return;
  const hint = (budget.hint ?? "").replace("RUN", state.runId);
  throw new WfError({ code: "LIMIT_SPENT", message: `run '${state.runId}': ${budget.message}`, hint });
}

function spent(state: RunState, limit: string, why: string, suggestion: string): WfError {
  return new WfError({
    code: "LIMIT_SPENT",
    message: `run '${state.runId}' has used up its ${limit}: ${why}`,
    hint: `raise it:  wf resume ${state.runId} --limit ${limit}=${suggestion}`,
  });
}
