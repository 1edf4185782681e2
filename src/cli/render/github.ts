import { randomBytes } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { JournalLine } from "../../core/event.ts";
import type { RunRecord } from "../../core/record.ts";
import type { Outcome } from "../../engine/api.ts";
import { hasNested } from "../../review/inside.ts";
import { causeOf, type RootCause } from "../../review/root-cause.ts";
import { type RunTree, type StepTree, treeOf } from "../../review/tree.ts";
import { viewRun } from "../../review/view.ts";
import { ATTEMPT_FILES, attemptDir, RUN_FILES } from "../../store/layout.ts";
import { print, printDiagnostic } from "../output.ts";
import { type Around, eventLine, tell } from "./event.ts";
import { lastLines } from "./log.ts";
import { isToldByCreated, PLAIN, type Teller } from "./progress.ts";
import { countsText, hasAny, isOver, SHOWN, takenText } from "./steps.ts";
import { between, count } from "./text.ts";

const LOG_LINES = 200;

export function isGithubActions(): boolean {
  return process.env.GITHUB_ACTIONS === "true";
}

/**
 * Lines for the log of GitHub Actions: a group per attempt with what it printed, and an annotation where one failed.
 * The runner obeys `::command::` at the start of a line and `##[command]` anywhere in it; whatever a step may have
 * had a hand in stands between `::stop-commands::` and its token.
 */
export const GITHUB: Teller = {
  created: PLAIN.created as NonNullable<Teller["created"]>,
  event(line, runDir, around) {
    if (isToldByCreated(line)) return;
    // A nested run has had the groups of its own steps.
    const isNested = line.event === "attempt_ended" && runDir !== undefined && hasNested(runDir, line.record);
    if (line.event === "attempt_ended" && !isNested) {
      printGroup(line, runDir, around);
      return;
    }
    const text = eventLine(line, around);
    if (text !== null) print(defuse(text));
  },
};

function printGroup(
  line: JournalLine & { event: "attempt_ended" },
  runDir: string | undefined,
  around: Around,
): void {
  const told = tell(line, around);
  print(`::group::${defuse(`${told?.where} ${told?.text}`)}`);
  if (runDir !== undefined) {
    const folder = attemptDir(runDir, line.record);
    for (const name of [ATTEMPT_FILES.stdout, ATTEMPT_FILES.stderr]) {
      const lines = lastLines(join(folder, name), LOG_LINES);
      if (lines.length > 0) printGuarded(lines);
    }
  }
  print("::endgroup::");
}

/** Lines that a step may have written, with the runner's commands switched off around them. */
export function printGuarded(lines: readonly string[]): void {
  const token = randomBytes(16).toString("hex");
  print(`::stop-commands::${token}`);
  for (const line of lines) print(line);
  print(`::${token}::`);
}

/** After the run: an annotation for what failed, and a table in the summary of the job. */
export async function reportToGithub({ runDir, record }: Outcome): Promise<void> {
  const view = await viewRun(runDir);
  if (view.kind === "legacy") return;
  const tree = await treeOf(view, SHOWN);
  for (const step of tree.steps) {
    const { error, status, allowed } = step.record;
    if (status !== "failed" || allowed) continue;
    // What made a step fail that has items is one of them.
    const { name, item, record: of } = step.items.find((each) => each.record.status === "failed") ?? step;
    const said = {
      code: error?.code ?? "",
      message: `${name} failed on attempt ${of.attempts}: ${of.error?.message ?? ""}`,
    };
    const cause = await causeOf(view, { step: step.step, item, attempt: of.attempts }, said);
    const others = (step.record.items?.failed ?? 1) - 1;
    const more = others > 0 ? `; ${count(others, "other item")} of ${step.name} failed as well` : "";
    annotate(placeOf(cause), `${cause.message}${more}`);
  }
  if (record.status === "failed" && record.reason !== null && record.reason.step === undefined) {
    annotate({ file: sourceFile(record), title: `wf: ${record.workflow.id}` }, record.reason.message);
  }
  writeJobSummary(tree);
}

/** The step in the file of the workflow that it is of, nested or not. */
function placeOf({ runDir, levels, attempt: { step } }: RootCause) {
  const { workflow } = (levels.at(-1) as RootCause["levels"][number]).record;
  const [outermost] = levels;
  return {
    file: sourceFile({ workflow }),
    line: lineOfStep(runDir, [workflow.id, ...(workflow.step?.split("/") ?? []), step]),
    title: `wf: ${outermost?.record.workflow.id}`,
  };
}

export function annotate(
  place: { readonly file?: string | undefined; readonly line?: number | undefined; readonly title?: string },
  message: string,
): void {
  const properties = Object.entries(place)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${escapeProperty(String(value))}`);
  print(`::error ${properties.join(",")}::${escapeData(message)}`);
}

function writeJobSummary(tree: RunTree): void {
  const path = process.env.GITHUB_STEP_SUMMARY;
  if (!path) return;
  const { record } = tree.view;
  const rows = summaryRows(tree).map((cells) => `| ${cells.map(cell).join(" | ")} |`);
  const { startedAt, endedAt, updatedAt } = record.volatile;
  const took = between(startedAt, endedAt ?? updatedAt) ?? "no time";
  const text = [
    `### ${cell(record.workflow.id)}: ${record.status}`,
    "",
    `Run \`${record.runId}\`, ${took}${record.reason === null ? "" : `; ${cell(record.reason.message)}`}`,
    "",
    "| step | status | attempts | |",
    "|---|---|---|---|",
    ...rows,
    "",
  ];
  try {
    appendFileSync(path, `${text.join("\n")}\n`);
  } catch (error) {
    printDiagnostic(`note: the summary of the job could not be written: ${(error as Error).message}`);
  }
}

/** A row a step, an item, and a step of a nested run, with its whole name. */
function summaryRows(tree: RunTree): string[][] {
  const rows = tree.steps.flatMap((step) => rowsOf(step, tree));
  return hasAny(tree.left) ? [...rows, ["…", "", "", countsText(tree.left, isOver(tree))]] : rows;
}

function rowsOf(step: StepTree, tree: RunTree): string[][] {
  const { name, record, items, left, nested } = step;
  const over = isOver(tree);
  const note = record.error?.message ?? record.because ?? takenText(step, tree).replace(/^, /, "");
  return [
    [name, record.status, String(record.attempts), note],
    ...items.flatMap((item) => rowsOf(item, tree)),
    ...(hasAny(left) ? [[`${name}/…`, "", "", countsText(left, over)]] : []),
    ...(nested.is === "shown" ? summaryRows(nested.tree) : []),
  ];
}

/** Where the annotation points; only files of the repository have one. */
function sourceFile({ workflow: { source } }: Pick<RunRecord, "workflow">): string | undefined {
  return source.startsWith("project:") ? source.slice("project:".length) : undefined;
}

/** A search is enough, for one id after the other: positions are gone once a file has been understood. */
function lineOfStep(runDir: string, ids: readonly string[]): number | undefined {
  let lines: string[];
  try {
    lines = readFileSync(join(runDir, RUN_FILES.definition), "utf8").split("\n");
  } catch {
    return undefined;
  }
  let found = -1;
  for (const id of ids) {
    const wanted = new RegExp(
      `^\\s*(?:-\\s+)?(?:\\{\\s*)?["']?id["']?\\s*:\\s*["']?${escapeRegExp(id)}["']?\\s*(?:[,}#]|$)`,
    );
    const after = lines.findIndex((line, index) => index > found && wanted.test(line));
    if (id === ids.at(-1)) found = after < 0 ? lines.findIndex((line) => wanted.test(line)) : after;
    else found = Math.max(found, after);
  }
  return found < 0 ? undefined : found + 1;
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

function escapeData(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

/** For lines of our own that quote a message: the form that is obeyed anywhere in a line. */
function defuse(text: string): string {
  return text.replaceAll("##[", "## [").replaceAll("\n", " ");
}

function cell(text: string): string {
  return text.replace(/[\\`*_<>|[\]]/g, "\\$&").replaceAll("\n", " ");
}
