import type { Current } from "../../review/current.ts";
import type { RootCause } from "../../review/root-cause.ts";
import type { CurrentView, LegacyView, RunView } from "../../review/view.ts";
import { displayPath } from "../find-run.ts";
import { fromEpoch } from "../run-head.ts";
import type { GateJson } from "./gate.ts";
import { inputShape } from "./inputs.ts";
import { LEGACY_WHY, reasonText } from "./legacy.ts";
import { field } from "./status.ts";
import { count, localTime, oneLine } from "./text.ts";

/** What `wf progress --json` prints: every key always there, null where there is nothing. */
export interface ProgressSnapshot {
  readonly runId: string;
  readonly workflowId: string;
  readonly status: string;
  /** As deep as it lies: `deploy/item-3/test`. */
  readonly currentStepId: string | null;
  readonly currentAttempt: number | null;
  /** Times: ISO 8601, UTC. */
  readonly startedAt: string | null;
  readonly updatedAt: string | null;
  readonly lastProgressAt: string | null;
  readonly summary: string;
  /** The first open gate: what is asked, and how to decide. */
  readonly pendingHumanInput: GateJson | null;
  readonly nextExpectedAction: string | null;
  /** Null: none were recorded, as in older records. */
  readonly inputCount: number | null;
  readonly inputKeys: readonly string[] | null;
  readonly inputShape: Readonly<Record<string, string>> | null;
}

/** What the record does not say: how things are in nested runs, and what the journal knows. */
interface Found {
  readonly root: RootCause | null;
  readonly current: Current | null;
  readonly lastProgressAt: string | null;
  readonly pending: GateJson | null;
}

export const NOTHING: Found = { root: null, current: null, lastProgressAt: null, pending: null };

export function progressSnapshot(view: RunView, found: Found): ProgressSnapshot {
  return view.kind === "legacy" ? ofLegacy(view) : ofCurrent(view, found);
}

function ofCurrent(view: CurrentView, { root, current, lastProgressAt, pending }: Found): ProgressSnapshot {
  const { record } = view;
  return {
    runId: record.runId,
    workflowId: record.workflow.id,
    status: record.status,
    currentStepId: current?.name ?? null,
    currentAttempt: current?.attempt ?? null,
    startedAt: record.volatile.startedAt,
    updatedAt: record.volatile.updatedAt,
    lastProgressAt,
    summary: summary(view, current, root),
    pendingHumanInput: pending,
    nextExpectedAction: record.status === "succeeded" ? null : record.nextExpectedAction,
    inputCount: Object.keys(record.inputs).length,
    inputKeys: Object.keys(record.inputs),
    inputShape: inputShape(record.inputs),
  };
}

function ofLegacy(view: LegacyView): ProgressSnapshot {
  const { record } = view;
  const reason = reasonText(view);
  return {
    runId: record.runId,
    workflowId: record.workflowId,
    status: record.state,
    currentStepId: record.currentStepId,
    currentAttempt: record.currentAttempt,
    startedAt: fromEpoch(record.startedAt),
    updatedAt: fromEpoch(record.updatedAt),
    lastProgressAt: fromEpoch(record.updatedAt),
    summary: `${record.state}${reason === null ? "" : `: ${reason}`}; an older record that can not be resumed`,
    pendingHumanInput: null,
    nextExpectedAction: null,
    inputCount: record.inputs === null ? null : Object.keys(record.inputs).length,
    inputKeys: record.inputs === null ? null : Object.keys(record.inputs),
    inputShape: record.inputs === null ? null : inputShape(record.inputs),
  };
}

/** `running: 3 of 7 steps done, build in attempt 2`. */
function summary(
  { record, interrupted }: CurrentView,
  current: Current | null,
  root: RootCause | null,
): string {
  const steps = Object.values(record.steps);
  const done = steps.filter(
    ({ status, allowed }) => status === "succeeded" || status === "skipped" || allowed,
  ).length;
  const parts = [`${done} of ${count(steps.length, "step")} done`];
  const active = record.pointer.filter(({ state }) => state !== "due");
  if (current !== null && active.length > 0 && record.status === "running") {
    const more = active.length > 1 ? ` and ${active.length - 1} more` : "";
    parts.push(`${current.name} in attempt ${current.attempt}${more}`);
  }
  if (record.reason !== null) parts.push(root?.message ?? record.reason.message);
  return `${interrupted ? "interrupted" : record.status}: ${parts.join("; ")}`;
}

export function progressText(snapshot: ProgressSnapshot, legacy: boolean): string {
  const { currentStepId, currentAttempt, lastProgressAt, inputShape: shape } = snapshot;
  const at =
    currentStepId === null ? "none" : `${currentStepId}, attempt ${currentAttempt ?? "not recorded"}`;
  const inputs = Object.entries(shape ?? {}).map(([name, type]) => `${name} (${type})`);
  const lines = [
    field("run", snapshot.runId),
    field("summary", oneLine(snapshot.summary)),
    field("step", at),
    field("progress", lastProgressAt === null ? "none yet" : `last at ${localTime(lastProgressAt)}`),
    field("next", snapshot.nextExpectedAction ?? (legacy ? `none: ${LEGACY_WHY}` : "nothing")),
    ...(snapshot.pendingHumanInput === null ? [] : pendingLines(snapshot.pendingHumanInput)),
    field("inputs", shape === null ? "none recorded" : inputs.join(", ") || "none"),
  ];
  return lines.join("\n");
}

function pendingLines({ name, message, artifacts, commands }: GateJson): string[] {
  return [
    field("asks", `${name}: ${oneLine((message ?? "gate.json can not be read").trimEnd())}`),
    ...artifacts.map(({ path }) => field("shown", oneLine(displayPath(path)))),
    field("approve", commands.approve),
    field("reject", commands.reject),
  ];
}
