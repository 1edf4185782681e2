import type { CurrentView } from "../../review/view.ts";
import { shellWord } from "./text.ts";

/** The command to go on with; null where there is nothing to go on with. */
export function resumeCommand(view: CurrentView, name: string): string | null {
  const { status, reason } = view.record;
  if (status === "succeeded") return null;
  if (!view.interrupted && (status === "running" || status === "queued")) return null;
  return commandFor(status, reason?.code, name);
}

/** After `wf run` and its like have ended. */
export function commandFor(status: string, code: string | undefined, name: string): string | null {
  if (status === "succeeded") return null;
  const run = shellWord(name);
  if (code === "ITERATION_LIMIT") return `wf resume ${run} --limit max_total_iterations=…`;
  if (code === "RUN_TIMEOUT") return `wf resume ${run} --limit run_timeout=…`;
  return `wf resume ${run}`;
}
