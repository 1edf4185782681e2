import type { Json } from "../../core/json.ts";
import type { StepRecord, StepStatus } from "../../core/record.ts";
import type { Step } from "../../core/workflow.ts";
import { type Bounds, isTelling, type RunTree, type StatusCounts, type StepTree } from "../../review/tree.ts";
import { PAST } from "./gate.ts";
import { colors, paintStatus } from "./style.ts";
import { count, oneLine, shellWord, table } from "./text.ts";

/** How much of a run is put on a screen. */
export const SHOWN: Bounds = { items: 10, steps: 20, depth: 3, runs: 50 };

interface Row {
  readonly label: string;
  readonly status: string;
  readonly text: string;
}

/** `run`: what the run is called in commands. */
export function stepTable(tree: RunTree, run: string): string[] {
  const rows = runRows(tree, run, "");
  const cells = rows.map(({ label, text }) => [label, text]);
  return table([["STEP", "STATUS"], ...cells], (cell, row, column) => {
    if (row === 0) return colors().dim(cell);
    return column === 1 ? paintStatus(rows[row - 1]?.status ?? "", cell) : cell;
  });
}

function runRows(tree: RunTree, run: string, by: string): Row[] {
  const ofRun: OfRun = {
    ...{ tree, run },
    definitions: new Map(tree.workflow?.steps.map((step) => [step.id, step])),
  };
  const rows = tree.steps.flatMap((step) => stepRows(step, ofRun, by));
  return hasAny(tree.left) ? [...rows, leftRow(tree.left, "step", by, isOver(tree))] : rows;
}

interface OfRun {
  readonly tree: RunTree;
  readonly run: string;
  readonly definitions: ReadonlyMap<string, Step>;
}

/** A step or an item, and what is within it. */
function stepRows(step: StepTree, ofRun: OfRun, by: string): Row[] {
  const { tree, run, definitions } = ofRun;
  const { view, workflow } = tree;
  const { record, nested } = step;
  const found = definitions.get(step.step);
  const isAtEnd = workflow && found && step.item === undefined && found.index >= workflow.mainSteps;
  const label = step.item === undefined ? step.step : itemLabel(step.item, step.value ?? null);
  const cutOff = view.interrupted && record.status === "running";
  const inner = `${by}  `;
  const rows: Row[] = [
    {
      label: `${by}${label}${isAtEnd ? " (finally)" : ""}`,
      status: cutOff ? "interrupted" : record.status,
      text: `${sentence(step, tree, cutOff, found && 1 + found.retry.max)}${cutOff ? "" : takenText(step, tree)}`,
    },
    ...step.items.flatMap((item) => stepRows(item, ofRun, inner)),
  ];
  if (hasAny(step.left)) rows.push(leftRow(step.left, "item", inner, isOver(tree)));
  switch (nested.is) {
    case "none":
      break;
    case "shown":
      rows.push(...runRows(nested.tree, run, inner));
      break;
    case "left out":
      if (isTelling(record)) rows.push(aside(inner, `wf status ${shellWord(run)} ${step.name}`));
      break;
    case "unreadable":
      rows.push(aside(inner, oneLine(nested.why)));
      break;
    default:
      nested satisfies never;
  }
  return rows;
}

/** `item-3 (prod)`. */
export function itemLabel(item: number, value: Json): string {
  const text = oneLine(typeof value === "string" ? value : JSON.stringify(value));
  return `item-${item} (${text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text})`;
}

const MAX_VALUE = 24;

function leftRow(left: StatusCounts, what: string, by: string, over: boolean): Row {
  const total = Object.values(left).reduce((sum, number) => sum + number, 0);
  return aside(by, `${count(total, `more ${what}`)}: ${countsText(left, over)}`);
}

function aside(by: string, text: string): Row {
  return { label: `${by}…`, status: "", text };
}

export function hasAny(counts: StatusCounts): boolean {
  return Object.keys(counts).length > 0;
}

/** `3 failed, 197 passed`. `over`: the run has ended. */
export function countsText(counts: StatusCounts, over: boolean): string {
  const words = ORDER.flatMap((status) => {
    const number = counts[status];
    const word = over && status === "pending" ? "not reached" : WORDS[status];
    return number === undefined ? [] : [`${number} ${word}`];
  });
  return words.join(", ");
}

const ORDER: readonly StepStatus[] = [
  "failed",
  "running",
  "waiting",
  "retrying",
  "canceled",
  "succeeded",
  "skipped",
  "pending",
];

const WORDS: Readonly<Record<StepStatus, string>> = {
  failed: "failed",
  running: "running",
  waiting: "waiting",
  retrying: "to be tried again",
  canceled: "canceled",
  succeeded: "passed",
  skipped: "skipped",
  pending: "pending",
};

/** `passed on attempt 2 of 3`. */
function sentence(step: StepTree, tree: RunTree, cutOff: boolean, allowed: number | undefined): string {
  const { record } = step;
  if (record.items !== undefined) return ofItems(step, cutOff, isOver(tree));
  const of = attemptOf(record.attempts, allowed);
  if (cutOff) return `interrupted in attempt ${record.attempts}`;
  switch (record.status) {
    case "succeeded":
      // An empty list has no attempt.
      if (record.attempts === 0) return "passed, no items";
      return `${record.decision === undefined ? "passed" : PAST[record.decision]} on attempt ${of}`;
    case "failed":
      return `failed on attempt ${of}${record.allowed ? ", as it may" : ""}${errorOf(step)}`;
    case "skipped":
      return `skipped${record.because === undefined ? "" : `: ${oneLine(record.because)}`}`;
    case "running":
      return `running, attempt ${of}`;
    case "retrying":
      return `to be tried again after attempt ${of}${errorOf(step)}`;
    case "canceled":
      return `canceled in attempt ${of}`;
    case "waiting":
      return `${whatFor(step)}, attempt ${of}`;
    case "pending":
      return isOver(tree) ? "not reached" : "pending";
    default:
      return record.status satisfies never;
  }
}

/** That it was taken over from an earlier run or answered by a fixture, or how many of its items were. */
export function takenText({ step, item, record: { status, items } }: StepTree, { view }: RunTree): string {
  if (item !== undefined || status === "skipped") return "";
  const texts = (["reused", "answered"] as const).map((how) => {
    const taken = view.record.volatile[how]?.[step];
    if (taken === undefined) return "";
    return items ? `, ${taken} of ${count(items.total, "item")} ${how}` : `, ${how}`;
  });
  return texts.join("");
}

/** `3 of 200 items failed, 197 passed`; `200 items: 40 passed, 8 running, 152 pending`. */
function ofItems({ record }: StepTree, cutOff: boolean, over: boolean): string {
  const { total, ...counts } = record.items as NonNullable<StepRecord["items"]>;
  const { failed, ...others } = counts;
  const all = count(total, "item");
  if (counts.succeeded === total) return `passed, ${all}`;
  if (cutOff) return `interrupted; of ${all} ${countsText(counts, over)}`;
  if (record.status !== "failed") return `${all}: ${countsText(counts, over)}`;
  const may = record.allowed ? ", as they may" : "";
  return `${failed ?? 0} of ${all} failed${may}${hasAny(others) ? `; ${countsText(others, over)}` : ""}`;
}

function errorOf({ record: { error }, nested }: StepTree): string {
  if (error === undefined) return "";
  return `: ${oneLine(ownMessage(error, nested.is === "shown"))}   [${error.code}]`;
}

/** What its own steps say better, when they stand beneath, is left out. */
export function ownMessage(
  { code, message }: NonNullable<StepRecord["error"]>,
  isToldBeneath: boolean,
): string {
  const isTold = isToldBeneath && code === "NESTED_FAILED";
  return isTold ? (/^its run [^:]*/.exec(message)?.[0] ?? message) : message;
}

function whatFor({ nested }: StepTree): string {
  if (nested.is === "none") return "waits for a decision";
  const reason = nested.is === "shown" ? nested.tree.view.record.reason : null;
  // Which decision that is stands beneath.
  return reason === null || reason.code === "APPROVAL"
    ? "its run waits"
    : `its run waits: ${oneLine(reason.message)}`;
}

function attemptOf(attempt: number, allowed: number | undefined): string {
  return allowed !== undefined && allowed > 1 && attempt <= allowed
    ? `${attempt} of ${allowed}`
    : String(attempt);
}

/** What is pending in a run that has ended was not reached, and no longer will be without a resume. */
export function isOver({ view: { record } }: Pick<RunTree, "view">): boolean {
  return record.status === "failed" || record.status === "canceled" || record.status === "succeeded";
}
