import type { RunRecord, StepRecord } from "../../core/record.ts";
import { PAST } from "./gate.ts";
import { colors, paintStatus } from "./style.ts";
import { count, oneLine, table } from "./text.ts";

/** Attempts a step may have each time it is entered, by step. */
export type AttemptsAllowed = ReadonlyMap<string, number>;

/** What is known of a run's steps from its definition only; empty where that was not needed. */
export interface StepFacts {
  readonly allowed: AttemptsAllowed;
  /** The ids of its `finally` steps. */
  readonly atEnd: ReadonlySet<string>;
}

/** Whether the table says something that only the definition knows. */
export function needsDefinition(record: RunRecord): boolean {
  return Object.values(record.steps).some((step) => step.attempts > 1 || step.status === "retrying");
}

export function stepTable(record: RunRecord, interrupted: boolean, { allowed, atEnd }: StepFacts): string[] {
  const rows: (readonly [string, string])[] = [];
  const statuses: string[] = [];
  const blocked = isBlocked(record);
  for (const [id, step] of Object.entries(record.steps)) {
    const cutOff = interrupted && step.status === "running";
    statuses.push(cutOff ? "interrupted" : step.status);
    rows.push([
      atEnd.has(id) ? `${id} (finally)` : id,
      cutOff
        ? `interrupted in attempt ${step.attempts}`
        : `${sentence(id, step, allowed, blocked)}${reusedText(id, step, record)}`,
    ]);
  }
  return table([["STEP", "STATUS"], ...rows], (cell, row, column) => {
    if (row === 0) return colors().dim(cell);
    return column === 1 ? paintStatus(statuses[row - 1] ?? "", cell) : cell;
  });
}

/** `passed on attempt 2 of 3`. */
function sentence(id: string, step: StepRecord, allowed: AttemptsAllowed, blocked: boolean): string {
  const of = attemptOf(step.attempts, allowed.get(id));
  const error = step.error ? `: ${oneLine(step.error.message)}   [${step.error.code}]` : "";
  switch (step.status) {
    case "succeeded":
      return `${step.decision === undefined ? "passed" : PAST[step.decision]} on attempt ${of}`;
    case "failed":
      return `failed on attempt ${of}${step.allowed ? ", as it may" : ""}${error}`;
    case "skipped":
      return `skipped${step.because === undefined ? "" : `: ${oneLine(step.because)}`}`;
    case "running":
      return `running, attempt ${of}`;
    case "retrying":
      return `to be tried again after attempt ${of}${error}`;
    case "canceled":
      return `canceled in attempt ${of}`;
    case "waiting":
      return `waits for a decision, attempt ${of}`;
    case "pending":
      return blocked ? "not reached" : "pending";
    default:
      return step.status satisfies never;
  }
}

/** That it was taken over from an earlier run, or how many of its items were. */
function reusedText(id: string, { status, items }: StepRecord, { volatile }: RunRecord): string {
  const reused = volatile.reused?.[id];
  if (reused === undefined || status === "skipped") return "";
  return items ? `, ${reused} of ${count(items.total, "item")} reused` : ", reused";
}

function attemptOf(attempt: number, allowed: number | undefined): string {
  return allowed !== undefined && allowed > 1 && attempt <= allowed
    ? `${attempt} of ${allowed}`
    : String(attempt);
}

/** What is pending in a run that has ended was not reached, and no longer will be without a resume. */
function isBlocked(record: RunRecord): boolean {
  return record.status === "failed" || record.status === "canceled" || record.status === "succeeded";
}
