import { join, relative, sep } from "node:path";
import { nameWithin } from "../../core/ids.ts";
import type { RunRecord, StepRecord } from "../../core/record.ts";
import type { Outcome } from "../../engine/api.ts";
import type { RootCause } from "../../review/root-cause.ts";
import { ATTEMPT_FILES, attemptDir } from "../../store/layout.ts";
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

/** What is told of when a run has ended or waits. */
export interface Ended {
  readonly outcome: Outcome;
  readonly root: RootCause | null;
  /** What the run is called in the commands that are printed. */
  readonly name: string;
  readonly gates: readonly OpenGate[];
}

/** The end of the log of the root cause; undefined if it printed nothing, or no step is the cause. */
export function rootLog({ outcome, root }: Ended): LogExcerpt | undefined {
  if (root === null) return undefined;
  for (const name of [ATTEMPT_FILES.stderr, ATTEMPT_FILES.stdout]) {
    const path = join(attemptDir(root.runDir, root.attempt), name);
    const lines = lastLines(path, LOG_LINES);
    if (lines.length > 0) return { file: relative(outcome.runDir, path).replaceAll(sep, "/"), lines };
  }
  return undefined;
}

/** What failed: the root cause, its hint, what else failed, what was canceled or not reached because of it. */
export function failureText({ outcome: { record }, root }: Ended): string[] {
  const { reason, status } = record;
  if (status !== "failed" || reason === null) return [];
  const c = colors();
  const { code, message, hint } = root ?? reason;
  const lines = [`${c.red(oneLine(message))}   ${c.dim(`[${code}]`)}`];
  if (hint !== undefined) lines.push(`  hint: ${oneLine(hint)}`);
  const also = (root?.levels ?? [{ within: "", record }]).flatMap(alsoAffected);
  const told = [...also.flatMap(({ failed }) => failed), ...also.flatMap(({ canceled }) => canceled)];
  lines.push(...told.slice(0, LISTED));
  if (told.length > LISTED) lines.push(`  and ${told.length - LISTED} more`);
  const pending = also.flatMap(({ notReached }) => notReached);
  if (pending.length > 0) lines.push(`  not reached: ${named(pending)}`);
  return lines;
}

/** In one of the runs that failed: all but the step, or the item, that made it fail. */
function alsoAffected({ within, record }: RootCause["levels"][number]) {
  const all = Object.entries(record.steps).map(([step, of]) => ({
    name: nameWithin(within, { step }),
    of,
    isCause: step === record.reason?.step,
  }));
  const told = (wanted: StepRecord["status"], text: (name: string, step: StepRecord) => string) =>
    all.flatMap(({ name, of, isCause }) => {
      const items = of.items?.[wanted] ?? 0;
      const others = isCause && wanted === "failed" ? items - 1 : items;
      if (isCause) return others > 0 ? [text(`${count(others, "other item")} of ${name}`, NOTHING_MORE)] : [];
      return of.status === wanted && !of.allowed ? [text(name, of)] : [];
    });
  const attempt = ({ items, attempts }: StepRecord) =>
    items || attempts === 0 ? "" : `, attempt ${attempts}`;
  return {
    failed: told("failed", (name, step) => {
      const why = step.error === undefined ? "" : `: ${oneLine(step.error.message)}`;
      return `  also failed: ${name}${attempt(step)}${why}`;
    }),
    canceled: told("canceled", (name, step) => `  canceled because of it: ${name}${attempt(step)}`),
    notReached: told("pending", (name) => name),
  };
}

/** What is said of some items together. */
const NOTHING_MORE: StepRecord = { status: "pending", attempts: 0 };

export function excerptText({ file, lines }: LogExcerpt): string[] {
  return [`  the end of ${file}:`, ...lines.map((line) => `    ${colors().dim("|")} ${line}`)];
}

/** How it ended, where it is, what has to be decided, and the command to go on with. */
export function endText({ outcome, root, name, gates }: Ended): string[] {
  const { record, runDir } = outcome;
  const { reason, status } = record;
  const { startedAt, endedAt, updatedAt } = record.volatile;
  const took = between(startedAt, endedAt ?? updatedAt);
  const why = reason === null ? "" : `: ${afterStatus(status, root?.message ?? reason.message)}`;
  const c = colors();
  const lines = [
    `run ${c.bold(record.runId)} ${paintStatus(status, VERBS[status])}${took ? ` after ${took}` : ""}${why}`,
  ];
  for (const [key, value] of Object.entries(record.outputs)) lines.push(`  ${key} = ${shortValue(value)}`);
  for (const how of ["reused", "answered"] as const) {
    const taken = takenText(record, how);
    if (taken !== null) lines.push(`  ${`${how}:`.padEnd(8)} ${taken}`);
  }
  const { usage, waitingUntil } = record.volatile;
  if (usage !== undefined) lines.push(`  used:    ${usageText(usage)}`);
  lines.push(`  folder:  ${displayPath(runDir)}`);
  if (root !== null) lines.push(`  look:    wf show ${shellWord(name)} ${shellWord(root.name)}`);
  if (waitingUntil !== undefined)
    lines.push(`  until:   ${localTime(waitingUntil)}; then wf resume --due goes on`);
  for (const gate of gates) lines.push("", ...gateLines(gate, name));
  const resume = commandFor(status, reason, name);
  if (resume !== null && needsResume(reason?.code, gates)) {
    if (gates.length > 0) lines.push("");
    lines.push(`  resume:  ${resume}`);
  }
  return lines;
}

/** `3 of 5 steps, 40 items of convert`; null if nothing was. */
function takenText({ steps, volatile }: RunRecord, how: "reused" | "answered"): string | null {
  const taken = Object.entries(volatile[how] ?? {});
  if (taken.length === 0) return null;
  const fans = taken.filter(([id]) => steps[id]?.items);
  const whole = taken.length - fans.length;
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
export function outcomeJson({ outcome, root, name, gates }: Ended, exitCode: number): object {
  const { record, runDir, signal, attempt } = outcome;
  const { startedAt, endedAt, updatedAt } = record.volatile;
  return {
    runId: record.runId,
    runDir,
    workflowId: record.workflow.id,
    status: record.status,
    reason: record.reason,
    rootCause: rootJson(root),
    signal,
    exitCode,
    outputs: record.outputs,
    steps: record.steps,
    attempt: attempt ?? null,
    gates: gates.map((gate) => openGateJson(gate, name)),
    reused: record.volatile.reused ?? {},
    answered: record.volatile.answered ?? {},
    usage: record.volatile.usage ?? null,
    waitingUntil: record.volatile.waitingUntil ?? null,
    forkedFrom: record.volatile.forkedFrom ?? null,
    startedAt,
    updatedAt,
    endedAt,
    resume: commandFor(record.status, record.reason, name),
  };
}

/** The step that made the run fail, however deep it lies. */
export function rootJson(root: RootCause | null): object | null {
  if (root === null) return null;
  const { name, attempt, runDir, code, message } = root;
  return { name, attempt: attempt.attempt, runDir, code, message };
}
