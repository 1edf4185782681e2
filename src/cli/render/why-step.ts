import { join } from "node:path";
import type { RootCause } from "../../review/root-cause.ts";
import { inputsStory } from "../../review/why-inputs.ts";
import type { StepPlan } from "../../review/why-plan.ts";
import type { RunWhy, StepWhy } from "../../review/why-told.ts";
import type { AttemptTrace } from "../../review/why-trace.ts";
import { redoCommand } from "../../steps/inputs-since.ts";
import { ATTEMPT_FILES, attemptDir } from "../../store/layout.ts";
import type { WhyNamed } from "../why-named.ts";
import { outcome, placeText } from "./event.ts";
import { lastLines } from "./log.ts";
import { field } from "./status.ts";
import { colors, paintStatus } from "./style.ts";
import { between, count, indent, localTime, oneLine, shellWord } from "./text.ts";
import { itemsText, paintPlan, planText, whyTable } from "./why.ts";

const LOG_LINES = 10;

/** The whole story of a step or an item: its attempts, its items, its nested run. `name`: of the outermost run. */
export function whyStepText({ run, step, attempt }: WhyNamed, name: string): string {
  const { record, when, needs, rootCause, resume, items, run: nested } = step;
  const shown = step.attempts.filter((each) => attempt === undefined || each.attempt === attempt);
  const tries = record.items
    ? `, ${itemsText(record.items)}`
    : step.attempts.length === 0
      ? ""
      : `, ${count(step.attempts.length, "attempt")}`;
  const lines = [
    field("step", step.name),
    ...(step.value === undefined ? [] : [field("item", oneLine(JSON.stringify(step.value)))]),
    field("status", `${paintStatus(record.status)}${tries}`),
    field("why", oneLine(step.because)),
  ];
  if (when !== null) {
    const is = when.is === null ? "not asked yet" : String(when.is);
    lines.push(field("when", `${is}: ${oneLine(when.source)}`));
  }
  if (needs.length > 0)
    lines.push(field("needs", needs.map(({ step: id, status }) => `${id} (${status})`).join(", ")));
  if (rootCause !== null) lines.push(...rootLines(rootCause, name));
  lines.push(field("resume", `${paintPlan(resume.does, resume.does)}: ${oneLine(planReason(resume))}`));
  if (step.changedSince.length > 0) lines.push(...sinceLines(run, step, name));
  for (const each of shown) lines.push("", ...attemptLines(run, step, each));
  if (items.length > 0) lines.push("", ...whyTable(items, run));
  if (nested) lines.push("", ...nestedLines(nested));
  return lines.join("\n");
}

function rootLines({ name, message, code, runDir, attempt }: RootCause, run: string): string[] {
  const lines = [field("cause", `${oneLine(message)}   ${colors().dim(`[${code}]`)}`)];
  const stderr = stderrOf(attemptDir(runDir, attempt));
  if (stderr.length > 0)
    lines.push(
      field("", `the end of its ${ATTEMPT_FILES.stderr}:`),
      indent(stderr.join("\n"), " ".repeat(12)),
    );
  return [...lines, field("", `wf why ${shellWord(run)} ${shellWord(name)}`)];
}

function sinceLines({ status, within }: RunWhy, { step, changedSince }: StepWhy, name: string): string[] {
  const lines = [field("since", oneLine(changedSince.join(", ")))];
  if (within !== "") return lines;
  const again = redoCommand(status, shellWord(name), step);
  return [...lines, field("", `${again} does it, and what depends on it, again`)];
}

/** The run of its newest attempt. */
function nestedLines(nested: RunWhy): string[] {
  const { workflow, status, resume, steps } = nested;
  const head = `its run of ${workflow}: ${paintStatus(status)}; resume: ${oneLine(resume.because)}`;
  return [head, ...whyTable(steps, nested)];
}

function planReason(plan: StepPlan): string {
  return planText(plan).replace(/^blocked: /, "");
}

function attemptLines(why: RunWhy, step: StepWhy, attempt: AttemptTrace): string[] {
  const { record, cause, because, startedAt, endedAt } = attempt;
  const lines = [
    `${colors().bold(`attempt ${attempt.attempt}`)}, ${CAUSE[cause]}: ${oneLine(because)}`,
    `  ${whenText(attempt)}`,
  ];
  if (attempt.shared) lines.push(`  it ran in ${why.forkedFrom?.run}, which this run was forked from`);
  if (attempt.notAnswered !== null)
    lines.push(`  the fixture does not answer it: ${oneLine(attempt.notAnswered)}`);
  lines.push(...inputsLines(dirOf(why, step, attempt)));
  if (attempt.adopted) lines.push("  it outlived its engine, and a later one took it over");
  if (attempt.decision !== null) {
    const { decision, comment, by } = attempt.decision;
    lines.push(
      `  ${decision === "approve" ? "approved" : "rejected"} by ${oneLine(by)}${comment === "" ? "" : `: ${oneLine(comment)}`}`,
    );
  }
  if (record === null) {
    lines.push(why.interrupted ? "  how it ended is not in the journal" : "  it has not ended");
    return lines;
  }
  lines.push(
    `  ${outcome(record, between(startedAt, endedAt))}${record.error === undefined ? "" : `   ${colors().dim(`[${record.error.code}]`)}`}`,
  );
  for (const [key, text] of Object.entries(record.error?.details ?? {}))
    lines.push(`    ${key}: ${oneLine(text)}`);
  if (record.error?.hint !== undefined) lines.push(`    hint: ${oneLine(record.error.hint)}`);
  if (record.status !== "succeeded") lines.push(...stderrLines(dirOf(why, step, attempt)));
  lines.push(`  then: ${attempt.next === null ? "nothing yet" : oneLine(attempt.next)}`);
  return lines;
}

/** The folder of an attempt. */
export function dirOf({ runDir }: RunWhy, { step, item }: StepWhy, { attempt }: { attempt: number }): string {
  return attemptDir(runDir, { step, item, attempt });
}

function inputsLines(dir: string): string[] {
  const story = inputsStory(dir);
  if (story === null) return [];
  const { reusedFrom, comparedWith, changed, changedMeanwhile } = story;
  const lines: string[] = [];
  if (reusedFrom) {
    lines.push(`  reused from ${placeText(reusedFrom)}: nothing that it depends on has changed`);
    if (reusedFrom.ran) lines.push(`  its command ran as ${placeText(reusedFrom.ran)}`);
  } else if (changed.length > 0) {
    const than = comparedWith ? `compared with ${placeText(comparedWith)}` : "nothing could be reused";
    lines.push(`  its command ran; ${than}:`, ...changed.map((sentence) => `    ${oneLine(sentence)}`));
  }
  for (const sentence of changedMeanwhile)
    lines.push(`  it can not be reused: ${oneLine(sentence)} while it ran`);
  return lines;
}

function whenText({ startedAt, dueAt, waitedFor }: AttemptTrace): string {
  const started = `started ${localTime(startedAt)}`;
  if (dueAt === null) return started;
  const after = between(dueAt, startedAt) ?? "0 ms";
  return waitedFor === null
    ? `${started}, ${after} after the engine`
    : `${started}, ${after} after ${oneLine(waitedFor)}`;
}

function stderrLines(dir: string): string[] {
  const last = stderrOf(dir);
  if (last.length === 0) return [];
  return [`    the end of ${ATTEMPT_FILES.stderr}:`, indent(last.join("\n"), "      ")];
}

export function stderrOf(dir: string): string[] {
  return lastLines(join(dir, ATTEMPT_FILES.stderr), LOG_LINES);
}

const CAUSE: Readonly<Record<AttemptTrace["cause"], string>> = {
  first: "the first",
  retry: "a retry",
  rework: "entered again",
  interrupted: "after an interruption",
  resume: "by resume",
  redo: "to be done again",
  stale: "opened again",
};
