import type { RunStatus } from "./event.ts";
import type { RunState } from "./state.ts";

const ALLOWED: Readonly<Record<RunStatus, readonly RunStatus[]>> = {
  queued: ["running", "failed", "canceled"],
  running: ["waiting", "succeeded", "failed", "canceled"],
  waiting: ["running", "failed", "canceled"],
  succeeded: [],
  failed: ["running"],
  canceled: ["running"],
};

export function setStatus(state: RunState, to: RunStatus): void {
  if (!ALLOWED[state.status].includes(to)) throw new Error(`a run can not go from ${state.status} to ${to}`);
  state.status = to;
}
