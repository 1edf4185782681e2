import type { Liveness } from "../../review/liveness.ts";
import { clockTime } from "../../store/clock-time.ts";

/** Who drives a run, in one sentence. */
export function livenessText(liveness: Liveness): string {
  switch (liveness.state) {
    case "driven":
      return `driven by process ${liveness.owner.pid} on ${liveness.owner.host} since ${clockTime(liveness.owner.since)}`;
    case "nobody":
      return "driven by nobody";
    case "unknown": {
      const { owner, why } = liveness;
      if (owner === null) return `not known whether anybody drives it: ${why}`;
      const since = clockTime(owner.since);
      return `claimed by process ${owner.pid} on ${owner.host} since ${since}; ${why}, so it may be gone`;
    }
    default:
      return liveness satisfies never;
  }
}

/** Every key always there, null where there is nothing. */
export function livenessJson(liveness: Liveness): object {
  const owner = liveness.state === "nobody" ? null : liveness.owner;
  return {
    state: liveness.state,
    pid: owner?.pid ?? null,
    host: owner?.host ?? null,
    since: owner?.since ?? null,
    epoch: owner?.epoch ?? null,
  };
}
