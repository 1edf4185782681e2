import { WfError } from "../core/problem.ts";

/** Something in a run directory contradicts what was known to be safe on disk. The message says where. */
export function damaged(message: string, hint = "restore the run from a copy, or start a new run"): WfError {
  return new WfError({ code: "RUN_DAMAGED", message, hint });
}
