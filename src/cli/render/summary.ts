import { join } from "node:path";
import type { RunRecord, StepRecord } from "../../core/record.ts";
import type { Outcome } from "../../engine/api.ts";
import { ATTEMPT_FILES, attemptPath } from "../../store/layout.ts";
import { displayPath } from "../find-run.ts";
import type { OpenGate } from "../gates.ts";
import { commandFor, needsResume } from "./commands.ts";
import { gateLines, openGateJson } from "./gate.ts";
import { shortValue } from "./inputs.ts";
import { lastLines } from "./log.ts";
import { colors, paintStatus } from "./style.ts";
import { afterStatus, between, count, localTime, oneLine, shellWord } from "./text.ts";
import { usageText } from "./usage.ts";

const LOG_LINES = 10;
const LISTED = 20;

/** What a step left in its log before it failed; the caller decides how it may be printed. */
export interface LogExcerpt {
  readonly file: string;
  readonly lines: readonly string[];
}

/** The end of the log of the root cause; undefined if it printed nothing, or no step is the cause. */
export function rootLog({ runDir, record }: Outcome): LogExcerpt | undefined {
  const { reason, status } = record;
  if (status !== "failed" || reason?.step === undefined || reason.attempt === undefined) return undefined;
  const { step, item, attempt } = reason;
  const folder = attemptPath({ step, item, attempt });
  for (const name of [ATTEMPT_FILES.stderr, ATTEMPT_FILES.stdout]) {
    const lines = lastLines(join(runDir, folder, name), LOG_LINES);
    if (lines.length > 0) return { file: `${folder}/${name}`, lines };
  }
  return undefined;
}

/** What failed: the root cause, its hint, what else failed, what was canceled or not reached because of it. */
export function failureText({ record }: Outcome): string[] {
  const { reason, status } = record;
  if (status !== "failed" || reason === null) return [];
  const c = colors();
  const lines = [`${c.red(oneLine(reason.message))}   ${c.dim(`[${reason.code}]`)}`];
  if (reason.hint !== undefined) lines.push(`  hint: ${oneLine(reason.hint)}`);
  const others = Object.entries(record.steps).filter(([id]) => id !== reason.step);
  const told = (wanted: StepRecord["status"], text: (id: string, step: StepRecord) => string) =>
    others
      .filter(([, { status: is, allowed }]) => is === wanted && !allowed)
      .map(([id, step]) => text(id, step));
  const also = [
    ...told(
      "failed",
      (id, step) => `  also failed: ${id}, attempt ${step.attempts}: ${oneLine(step.error?.message ?? "")}`,
    ),
    ...told("canceled", (id, step) => `  canceled because of it: ${id}, attempt ${step.attempts}`),
  ];
  lines.push(...also.slice(0, LISTED));
  if (also.length > LISTED) lines.push(`  and ${also.length - LISTED} more`);
  const pending = told("pending", (id) => id);
  if (pending.length > 0) lines.push(`  not reached: ${named(pending)}`);
  return lines;
}

export function excerptText({ file, lines }: LogExcerpt): string[] {
  return [`  the end of ${file}:`, ...lines.map((line) => `    ${colors().dim("|")} ${line}`)];
}

/** How it ended, where it is, what has to be decided, and the command to go on with. */
export function endText(outcome: Outcome, name: string, gates: readonly OpenGate[]): string[] {
  const { record, runDir } = outcome;
  const { reason, status } = record;
  const { startedAt, endedAt, updatedAt } = record.volatile;
  const took = between(startedAt, endedAt ?? updatedAt);
  const why = reason === null ? "" : `: ${afterStatus(status, reason.message)}`;
  const c = colors();
  const lines = [
    `run ${c.bold(record.runId)} ${paintStatus(status, VERBS[status])}${took ? ` after ${took}` : ""}${why}`,
  ];
  for (const [key, value] of Object.entries(record.outputs)) lines.push(`  ${key} = ${shortValue(value)}`);
  const reused = reusedText(record);
  if (reused !== null) lines.push(`  reused:  ${reused}`);
  const { usage, waitingUntil } = record.volatile;
  if (usage !== undefined) lines.push(`  used:    ${usageText(usage)}`);
  lines.push(`  folder:  ${displayPath(runDir)}`);
  if (status === "failed" && reason?.step !== undefined) {
    lines.push(`  look:    wf show ${shellWord(name)} ${shellWord(reason.step)}`);
  }
  if (waitingUntil !== undefined)
    lines.push(`  until:   ${localTime(waitingUntil)}; then wf resume --due goes on`);
  for (const gate of gates) lines.push("", ...gateLines(gate, runDir, name));
  const resume = commandFor(status, reason, name);
  if (resume !== null && needsResume(reason?.code, gates)) {
    if (gates.length > 0) lines.push("");
    lines.push(`  resume:  ${resume}`);
  }
  return lines;
}

/** `3 of 5 steps, 40 items of convert`; null if nothing was. */
function reusedText({ steps, volatile }: RunRecord): string | null {
  const reused = Object.entries(volatile.reused ?? {});
  if (reused.length === 0) return null;
  const fans = reused.filter(([id]) => steps[id]?.items);
  const whole = reused.length - fans.length;
  const all = Object.values(steps).filter(({ items }) => !items).length;
  return [
    ...(whole > 0 ? [`${whole} of ${count(all, "step")}`] : []),
    ...fans.map(([id, items]) => `${items} of ${count(steps[id]?.items?.total ?? 0, "item")} of ${id}`),
  ].join(", ");
}

const VERBS: Readonly<Record<RunRecord["status"], string>> = {
  queued: "was created",
  running: "runs",
  waiting: "waits",
  succeeded: "succeeded",
  failed: "failed",
  canceled: "was canceled",
};

function named(ids: readonly string[]): string {
  if (ids.length <= 5) return ids.join(", ");
  return `${count(ids.length, "step")}, the first of them ${ids.slice(0, 3).join(", ")}`;
}

/** Described by `schemas/cli/run.schema.json`. */
export function outcomeJson(
  outcome: Outcome,
  exitCode: number,
  name: string,
  gates: readonly OpenGate[],
): object {
  const { record, runDir, signal, attempt } = outcome;
  const { startedAt, endedAt, updatedAt } = record.volatile;
  return {
    runId: record.runId,
    runDir,
    workflowId: record.workflow.id,
    status: record.status,
    reason: record.reason,
    signal,
    exitCode,
    outputs: record.outputs,
    steps: record.steps,
    attempt: attempt ?? null,
    gates: gates.map((gate) => openGateJson(gate, runDir, name)),
    reused: record.volatile.reused ?? {},
    usage: record.volatile.usage ?? null,
    waitingUntil: record.volatile.waitingUntil ?? null,
    forkedFrom: record.volatile.forkedFrom ?? null,
    startedAt,
    updatedAt,
    endedAt,
    resume: commandFor(record.status, record.reason, name),
  };
}
