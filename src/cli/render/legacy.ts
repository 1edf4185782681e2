import type { LegacyView } from "../../review/view.ts";
import { displayPath } from "../find-run.ts";
import { fromEpoch } from "../run-head.ts";
import { inputLines, inputShape, openInputs } from "./inputs.ts";
import { field } from "./status.ts";
import { paintStatus } from "./style.ts";
import { localTime, oneLine } from "./text.ts";

/** Why an older record can not be driven. */
export const LEGACY_WHY =
  "it is a record from before inputs and the journal were kept, so what was done and what is left is not known";

/** `wf status` and, with fewer lines, `wf show` of an older record. */
export function legacyText(view: LegacyView, withInputs: boolean): string {
  const { record } = view;
  const reason = reasonText(view);
  const lines = [
    field("run", oneLine(record.runId)),
    field("workflow", oneLine(record.workflowId)),
    field(
      "status",
      `${paintStatus(record.state, oneLine(record.state))}${reason === null ? "" : `: ${reason}`}`,
    ),
    field("started", timeText(record.startedAt)),
    field("updated", timeText(record.updatedAt)),
    field("step", stepText(view)),
    field("attempts", record.totalIterations === null ? "not recorded" : `${record.totalIterations} in all`),
    field(
      "inputs",
      record.inputs === null ? "none recorded" : inputLines(record.inputs, withInputs).join("\n          "),
    ),
    field("file", displayPath(view.path)),
    "",
    `It can be read and not resumed: ${LEGACY_WHY}.`,
  ];
  return lines.join("\n");
}

export function reasonText({ record }: LegacyView): string | null {
  const { terminalReason } = record;
  if (terminalReason === null) return null;
  return oneLine(typeof terminalReason === "string" ? terminalReason : JSON.stringify(terminalReason));
}

function stepText({ record }: LegacyView): string {
  if (record.currentStepId === null) return "none recorded";
  const attempt = record.currentAttempt === null ? "" : `, attempt ${record.currentAttempt}`;
  return `${oneLine(record.currentStepId)}${attempt}`;
}

function timeText(seconds: number | null): string {
  const iso = fromEpoch(seconds);
  return iso === null ? "not recorded" : localTime(iso);
}

/** The same shape as for a run of today, so that a program need not care. */
export function legacyStatusJson(view: LegacyView, withInputs: boolean): object {
  const { record } = view;
  const reason = reasonText(view);
  return {
    runId: record.runId,
    runDir: view.path,
    within: null,
    legacy: true,
    workflow: { id: record.workflowId, file: null, sha256: null, source: null },
    status: record.state,
    interrupted: false,
    reason: reason === null ? null : { code: "LEGACY_RUN", message: reason },
    rootCause: null,
    liveness: { state: "nobody", pid: null, host: null, since: null, epoch: null },
    pointer: [],
    nextExpectedAction: `none: ${LEGACY_WHY}`,
    steps: {},
    pools: {},
    gates: [],
    decisions: [],
    usage: null,
    waitingUntil: null,
    forkedFrom: null,
    inputShape: inputShape(record.inputs ?? {}),
    inputs: withInputs ? openInputs(record.inputs ?? {}) : null,
    outputs: {},
    iterations: record.totalIterations,
    createdAt: fromEpoch(record.startedAt),
    startedAt: fromEpoch(record.startedAt),
    updatedAt: fromEpoch(record.updatedAt),
    endedAt: null,
    resume: null,
    notes: [`it can not be resumed: ${LEGACY_WHY}`],
  };
}
