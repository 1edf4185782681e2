import { randomBytes } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { JournalLine } from "../../core/event.ts";
import type { RunRecord } from "../../core/record.ts";
import type { Outcome } from "../../engine/api.ts";
import { ATTEMPT_FILES, attemptPath, RUN_FILES } from "../../store/layout.ts";
import { print, printDiagnostic } from "../output.ts";
import { eventLine, tell } from "./event.ts";
import { lastLines } from "./log.ts";
import { isToldByCreated, PLAIN, type Teller } from "./progress.ts";
import { between } from "./text.ts";

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
  event(line, runDir, told) {
    if (isToldByCreated(line)) return;
    if (line.event === "attempt_ended") {
      printGroup(line, runDir, told.within);
      return;
    }
    const text = eventLine(line, told);
    if (text !== null) print(defuse(text));
  },
};

function printGroup(
  line: JournalLine & { event: "attempt_ended" },
  runDir: string | undefined,
  within: string | undefined,
): void {
  const told = tell(line, within === undefined ? {} : { within });
  print(`::group::${defuse(`${told?.where} ${told?.text}`)}`);
  if (runDir !== undefined) {
    const folder = attemptPath(line.record);
    for (const name of [ATTEMPT_FILES.stdout, ATTEMPT_FILES.stderr]) {
      const lines = lastLines(join(runDir, folder, name), LOG_LINES);
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
export function reportToGithub(outcome: Outcome): void {
  const { record } = outcome;
  for (const [id, step] of Object.entries(record.steps)) {
    if (step.status !== "failed" || step.allowed) continue;
    const line = lineOfStep(outcome.runDir, id);
    const message = `${id} failed on attempt ${step.attempts}: ${step.error?.message ?? ""}`;
    annotate({ file: sourceFile(record), line, title: `wf: ${record.workflow.id}` }, message);
  }
  if (record.status === "failed" && record.reason !== null && record.reason.step === undefined) {
    annotate(
      { file: sourceFile(record), line: undefined, title: `wf: ${record.workflow.id}` },
      record.reason.message,
    );
  }
  writeJobSummary(outcome);
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

function writeJobSummary({ record }: Outcome): void {
  const path = process.env.GITHUB_STEP_SUMMARY;
  if (!path) return;
  const rows = Object.entries(record.steps).map(([id, step]) => {
    const reused = record.volatile.reused?.[id] === undefined ? "" : "reused";
    const note = step.error?.message ?? step.because ?? reused;
    return `| ${cell(id)} | ${step.status} | ${step.attempts} | ${cell(note)} |`;
  });
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

/** Where the annotation points; only files of the repository have one. */
function sourceFile(record: RunRecord): string | undefined {
  const { source } = record.workflow;
  return source.startsWith("project:") ? source.slice("project:".length) : undefined;
}

/** A search is enough: positions are gone once a file has been understood. */
function lineOfStep(runDir: string, id: string): number | undefined {
  try {
    const lines = readFileSync(join(runDir, RUN_FILES.definition), "utf8").split("\n");
    const wanted = new RegExp(
      `^\\s*(?:-\\s+)?(?:\\{\\s*)?["']?id["']?\\s*:\\s*["']?${escapeRegExp(id)}["']?\\s*(?:[,}#]|$)`,
    );
    const index = lines.findIndex((line) => wanted.test(line));
    return index < 0 ? undefined : index + 1;
  } catch {
    return undefined;
  }
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
