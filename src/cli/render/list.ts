import type { RunHead } from "../run-head.ts";
import { colors, paintStatus } from "./style.ts";
import { between, localTime, oneLine, table } from "./text.ts";

export interface ListedRun {
  /** What it is called in the runs folder. */
  readonly id: string;
  readonly path: string;
  /** Null if its `run.json` can not be read. */
  readonly head: RunHead | null;
  /** Its status, or `interrupted`, or `unreadable`. */
  readonly shown: string;
  readonly problem: string | null;
}

const MAX_NOTE = 80;

export function listText(runs: readonly ListedRun[]): string[] {
  const rows = runs.map(({ id, head, shown, problem }) => [
    oneLine(id),
    shown,
    head?.createdAt ? localTime(head.createdAt) : "-",
    between(head?.createdAt, head?.endedAt) ?? "-",
    note(head, problem),
  ]);
  return table([["RUN", "STATUS", "CREATED", "TOOK", ""], ...rows], (cell, row, column) => {
    if (row === 0) return colors().dim(cell);
    return column === 1 ? paintStatus(cell.trimEnd(), cell) : cell;
  });
}

function note(head: RunHead | null, problem: string | null): string {
  if (problem !== null) return problem;
  if (head?.legacy) return "older record";
  const message = oneLine(head?.reason?.message ?? "");
  return message.length > MAX_NOTE ? `${message.slice(0, MAX_NOTE)}…` : message;
}

/** Described by `schemas/cli/ls.schema.json`. */
export function listJson(runsDir: string, runs: readonly ListedRun[]): object {
  return {
    runsDir,
    runs: runs.map(({ id, path, head, shown, problem }) => ({
      runId: head?.runId ?? id,
      path,
      workflowId: head?.workflowId ?? null,
      status: head?.status ?? null,
      interrupted: shown === "interrupted",
      legacy: head?.legacy ?? false,
      reason: head?.reason ?? null,
      createdAt: head?.createdAt ?? null,
      updatedAt: head?.updatedAt ?? null,
      endedAt: head?.endedAt ?? null,
      problem,
    })),
  };
}
