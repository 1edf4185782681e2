import type { RunReason } from "../../core/event.ts";
import type { CurrentView } from "../../review/view.ts";
import type { OpenGate } from "../gates.ts";
import { shellWord } from "./text.ts";

/** The command to go on with; null where there is nothing to go on with. */
export function resumeCommand(view: CurrentView, name: string): string | null {
  const { status, reason } = view.record;
  if (status === "succeeded") return null;
  if (!view.interrupted && (status === "running" || status === "queued")) return null;
  return commandFor(status, reason, name);
}

/** After `wf run` and its like have ended. */
export function commandFor(status: string, reason: RunReason | null, name: string): string | null {
  if (status === "succeeded") return null;
  const run = shellWord(name);
  const code = reason?.code;
  if (reason?.code === "BUDGET") {
    const limit = reason.message.includes("max_cost_usd") ? "max_cost_usd" : "max_tokens";
    const step = reason.step === undefined ? "" : `${reason.step}.`;
    return `wf resume ${run} --limit ${step}${limit}=…`;
  }
  if (code === "ITERATION_LIMIT") return `wf resume ${run} --limit max_total_iterations=…`;
  if (code === "RUN_TIMEOUT") return `wf resume ${run} --limit run_timeout=…`;
  return `wf resume ${run}`;
}

/** A run that waits for nothing but a decision is not helped by a resume before there is one. */
export function needsResume(code: string | undefined, gates: readonly OpenGate[]): boolean {
  return code !== "APPROVAL" || gates.length === 0 || gates.some(({ decided }) => decided !== null);
}
