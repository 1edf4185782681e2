import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { placeOf } from "../core/state.ts";
import type { AgentStep } from "../core/workflow.ts";
import type { Answer } from "../providers/provider.ts";
import { attemptDir } from "../store/layout.ts";
import { type RecordedUsage, readAgentRecord } from "./agent-record.ts";
import type { AttemptContext } from "./prepare.ts";

type Counts = RecordedUsage["counted"];

/**
 * What the attempt itself has used. Clients report totals of a session; every attempt has a session of its own, unless
 * the agent's `args` make the client go on with an older one.
 */
export function spentUsage(
  context: Omit<AttemptContext<AgentStep>, "base" | "cookie">,
  { usage, session }: Answer,
): RecordedUsage | null {
  if (usage === null) return null;
  const { raw, tokens, costUsd, scope } = usage;
  const counted = { tokens, costUsd };
  const mayGoOn = scope === "session" && session !== null && context.step.agent.args.length > 0;
  const before = mayGoOn ? sessionBefore(context, session) : null;
  return {
    tokens: beyond(tokens, before?.tokens ?? 0),
    costUsd: beyond(costUsd, before?.costUsd ?? 0),
    counted,
    raw,
  };
}

/** A count that fell is no total of the session. Rounded, since differences of costs are not exact. */
function beyond(count: number | null, before: number): number | null {
  if (count === null || count < before) return count;
  return Number((count - before).toFixed(9));
}

/** The highest counts that earlier attempts of the run have of a session; null if there was none. */
function sessionBefore(
  { state, places, node: own, attempt }: Omit<AttemptContext<AgentStep>, "base" | "cookie">,
  session: string,
): Counts | null {
  let highest = null as { tokens: number; costUsd: number } | null;
  for (const node of [...state.steps, ...state.items]) {
    if (!("agent" in node.step)) continue;
    for (let n = 1; n <= (node === own ? attempt - 1 : node.attempts); n++) {
      const record = readAgentRecord(attemptDir(places.runDir, { ...placeOf(node), attempt: n }));
      if (record === null || record.volatile.session !== session) continue;
      const counts = countsOf(record.volatile);
      highest = {
        tokens: Math.max(highest?.tokens ?? 0, counts.tokens ?? 0),
        costUsd: Math.max(highest?.costUsd ?? 0, counts.costUsd ?? 0),
      };
    }
  }
  return highest;
}

function countsOf({ usage }: JsonObject): Counts {
  const counted = isJsonObject(usage) && isJsonObject(usage.counted) ? usage.counted : {};
  const count = (value: Json | undefined) => (typeof value === "number" ? value : null);
  return { tokens: count(counted.tokens), costUsd: count(counted.costUsd) };
}
