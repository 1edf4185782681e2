import { WfError } from "../core/problem.ts";
import { readLiveness } from "../store/open-run.ts";
import type { Owner } from "../store/owner.ts";

/** Whether an engine drives a run. "unknown": its owner is on another machine or in another container. */
export type Liveness =
  | { readonly state: "driven"; readonly owner: Owner }
  | { readonly state: "nobody" }
  | { readonly state: "unknown"; readonly owner: Owner | null; readonly why: string };

/** Never raises for a claim that can not be understood: a run is to be readable without it. */
export function liveness(runDir: string): Liveness {
  let found: ReturnType<typeof readLiveness>;
  try {
    found = readLiveness(runDir);
  } catch (error) {
    if (error instanceof WfError) return { state: "unknown", owner: null, why: error.message };
    throw error;
  }
  if (found.driver === null || found.alive === "dead") return { state: "nobody" };
  if (found.alive === "alive") return { state: "driven", owner: found.driver };
  return { state: "unknown", owner: found.driver, why: "that process can not be seen from here" };
}
