import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";

/** The metadata of a run from before inputs were recorded: it can be shown, never resumed. Times: epoch seconds. */
export interface LegacyRunRecord {
  readonly runId: string;
  readonly workflowId: string;
  readonly state: string;
  readonly startedAt: number | null;
  readonly updatedAt: number | null;
  readonly currentStepId: string | null;
  readonly currentAttempt: number | null;
  readonly totalIterations: number | null;
  readonly terminalReason: Json;
  /** Null: none were recorded. */
  readonly inputs: JsonObject | null;
}

/** Undefined if it is no such record. Keys it does not know are ignored. */
export function parseLegacy(value: JsonObject): LegacyRunRecord | undefined {
  const { runId, workflowId, state } = value;
  if (typeof runId !== "string" || typeof workflowId !== "string" || typeof state !== "string")
    return undefined;
  return {
    runId,
    workflowId,
    state,
    startedAt: numberOrNull(value.startedAt),
    updatedAt: numberOrNull(value.updatedAt),
    currentStepId: typeof value.currentStepId === "string" ? value.currentStepId : null,
    currentAttempt: numberOrNull(value.currentAttempt),
    totalIterations: numberOrNull(value.totalIterations),
    terminalReason: value.terminalReason ?? null,
    inputs: isJsonObject(value.inputs) ? value.inputs : null,
  };
}

function numberOrNull(value: Json | undefined): number | null {
  return typeof value === "number" ? value : null;
}
