import { parseDuration } from "../core/duration.ts";
import type { EffectiveLimits } from "../core/event.ts";
import { WfError } from "../core/problem.ts";
import { drivenMs, type RunState } from "../core/state.ts";

type Raised = { -readonly [K in keyof EffectiveLimits]?: EffectiveLimits[K] };

const NAMES = ["max_total_iterations", "run_timeout", "max_parallel"] as const;

/** Reads `--limit name=value` options. Raises USAGE. */
export function raiseLimits(given: Readonly<Record<string, string>>): Raised {
  const raised: Raised = {};
  for (const [name, value] of Object.entries(given)) {
    if (name === "run_timeout") {
      const duration = parseDuration(/^\d+$/.test(value) ? Number(value) : value);
      if (!duration.ok)
        throw new WfError({ code: "USAGE", message: `--limit run_timeout: ${duration.message}` });
      raised.run_timeout_ms = duration.ms;
    } else if (name === "max_total_iterations" || name === "max_parallel") {
      if (!/^[1-9]\d{0,8}$/.test(value)) {
        throw new WfError({
          code: "USAGE",
          message: `--limit ${name}: '${value}' is not a whole number above 0`,
        });
      }
      raised[name] = Number(value);
    } else {
      const hint = `the limits that can be raised: ${NAMES.join(", ")}`;
      throw new WfError({ code: "USAGE", message: `--limit: there is no limit ${name}`, hint });
    }
  }
  return raised;
}

/** A run that ended at a limit would end there again at once. Raises LIMIT_SPENT. */
export function requireUnspent(state: RunState, raised: Raised): void {
  const limits = { ...state.limits, ...raised };
  const code = state.reason?.code;
  if (code === "ITERATION_LIMIT" && state.iterations >= limits.max_total_iterations) {
    throw spent(
      state,
      "max_total_iterations",
      `${state.iterations} attempts were started`,
      String(state.iterations * 2),
    );
  }
  const timeout = limits.run_timeout_ms;
  const driven = drivenMs(state, 0);
  if (code === "RUN_TIMEOUT" && timeout !== undefined && driven >= timeout) {
    const seconds = Math.ceil(driven / 1000);
    throw spent(state, "run_timeout", `the run has taken ${seconds} s`, `${seconds * 2}s`);
  }
}

function spent(state: RunState, limit: string, why: string, suggestion: string): WfError {
  return new WfError({
    code: "LIMIT_SPENT",
    message: `run '${state.runId}' has used up its ${limit}: ${why}`,
    hint: `raise it:  wf resume ${state.runId} --limit ${limit}=${suggestion}`,
  });
}
