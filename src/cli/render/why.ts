import { join } from "node:path";
import type { StepWhy, Why } from "../../review/why.ts";
import { inputsStory } from "../../review/why-inputs.ts";
import type { StepPlan } from "../../review/why-resume.ts";
import type { AttemptTrace } from "../../review/why-trace.ts";
import { redoCommand } from "../../steps/inputs-since.ts";
import { ATTEMPT_FILES, attemptDir } from "../../store/layout.ts";
import { ancestryText, answerText, outcome, placeText } from "./event.ts";
import { livenessJson, livenessText } from "./liveness.ts";
import { lastLines } from "./log.ts";
import { field } from "./status.ts";
import { colors, paintStatus } from "./style.ts";
import { afterStatus, between, count, indent, localTime, oneLine, shellWord, table } from "./text.ts";

const LOG_LINES = 10;

/**
 * ```
 * run r failed: test failed on attempt 1: exit status 1   [EXIT_STATUS]
 * wf resume r: it starts attempt 2 of test
 *
 * STEP   STATUS     RESUME   WHY
 * build  succeeded  reuse    first step in the file
 * test   failed     run      from build: next step in the file; failed: exit status 1
 * ```
 */
export function whyText(why: Why, name: string): string {
  const rows = why.steps.map((step) => [
    step.step,
    step.status,
    step.resume.does,
    oneLine(sentence(step, why)),
  ]);
  const lines = table([["STEP", "STATUS", "RESUME", "WHY"], ...rows], (cell, row, column) => {
    if (row === 0) return colors().dim(cell);
    if (column === 1) return paintStatus(why.steps[row - 1]?.status ?? "", cell);
    return column === 2 ? paintPlan(why.steps[row - 1]?.resume.does, cell) : cell;
  });
  const fork = why.forkedFrom === null ? [] : [`it was forked from ${ancestryText(why.forkedFrom)}`];
  return [headline(why), ...fork, resumeLine(why, name), "", ...lines].join("\n");
}

function headline({ runId, status, reason, interrupted, liveness }: Why): string {
  const run = `run ${runId}`;
  if (interrupted) return `${run} was ${paintStatus("interrupted", "cut off")}: nobody drives it`;
  const is = status === "running" || status === "queued" || status === "waiting" ? "is " : "";
  const driver = liveness.state === "nobody" ? "" : `, ${livenessText(liveness)}`;
  if (reason === null) return `${run} ${is}${paintStatus(status)}${driver}`;
  const code = colors().dim(`[${reason.code}]`);
  return `${run} ${is}${paintStatus(status)}: ${afterStatus(status, reason.message)}${driver}   ${code}`;
}

function resumeLine({ resume }: Why, name: string): string {
  const command = `wf resume ${shellWord(name)}`;
  switch (resume.does) {
    case "nothing":
      return `${command}: ${oneLine(resume.because)}`;
    case "goes on":
      return `${command}: ${oneLine(resume.because)}`;
    case "is refused":
      return `${command} is refused: ${oneLine(resume.because)}`;
    case "cancels":
      return `${command} ends the run as canceled: ${oneLine(resume.because)}`;
    default:
      return resume.does satisfies never;
  }
}

/** What of it was taken over, or why its command ran; and what has changed since. */
function inputsParts({ inputs, changedSince }: StepWhy, again: string): string[] {
  const parts: string[] = [];
  if (inputs?.reusedFrom) parts.push(`reused from ${placeText(inputs.reusedFrom)}`);
  else if (inputs && inputs.changed.length > 0) parts.push(`ran: ${inputs.changed.join(", ")}`);
  if (inputs && inputs.changedMeanwhile.length > 0)
    parts.push(`can not be reused: ${inputs.changedMeanwhile.join(", ")} while it ran`);
  if (changedSince.length > 0) parts.push(`${changedSince.join(", ")} since: ${again} does it again`);
  return parts;
}

/** Why, how it went, and what a resume would do with it unless that goes without saying. */
function sentence(step: StepWhy, { liveness, status: ofRun, runId, forkedFrom }: Why): string {
  const { attempts, status, because, resume } = step;
  const last = attempts.at(-1);
  const error = last?.record?.error;
  const parts = [last?.shared ? `${because}; shared with ${forkedFrom?.run}` : because];
  if (error !== undefined && (status === "failed" || status === "retrying"))
    parts.push(
      `failed on attempt ${attempts.length}${resume.does === "reuse" ? ", as it may" : ""}: ${error.message} [${error.code}]`,
    );
  else if (attempts.length > 1 && status === "succeeded") parts.push(`passed on attempt ${attempts.length}`);
  if (last?.record?.answeredFrom) parts.push(`answered from ${answerText(last.record.answeredFrom)}`);
  else if (last && last.notAnswered !== null) parts.push(`not answered: ${last.notAnswered}`);
  parts.push(...inputsParts(step, redoCommand(ofRun, runId, step.step)));
  // What has to come first is a line of its own; what runs needs no resume.
  const isFirst = resume.does === "blocked" && resume.by.length > 0;
  const isPlain =
    resume.does === "reuse" || isFirst || (resume.does === "adopt" && liveness.state !== "nobody");
  if (!isPlain && resume.because !== because) parts.push(`resume: ${planText(resume)}`);
  return parts.join("; ");
}

function planText({ does, because, attempt, until }: StepPlan): string {
  const time = until === null ? "" : ` at ${localTime(until)}`;
  switch (does) {
    case "reuse":
      return because;
    case "adopt":
      return `takes over attempt ${attempt}: ${because}`;
    case "run":
      return `attempt ${attempt}: ${because}`;
    case "wait":
      return `waits ${because}${time}`;
    case "blocked":
      return `blocked: ${because}`;
    default:
      return does satisfies never;
  }
}

/** The whole story of a step. */
export function whyStepText(why: Why, step: StepWhy, name: string): string {
  const lines = [
    field("step", step.step),
    field(
      "status",
      `${paintStatus(step.status)}${step.attempts.length === 0 ? "" : `, ${count(step.attempts.length, "attempt")}`}`,
    ),
    field("why", oneLine(step.because)),
  ];
  if (step.when !== null) {
    const is = step.when.is === null ? "not asked yet" : String(step.when.is);
    lines.push(field("when", `${is}: ${oneLine(step.when.source)}`));
  }
  if (step.needs.length > 0)
    lines.push(field("needs", step.needs.map(({ step: id, status }) => `${id} (${status})`).join(", ")));
  lines.push(
    field("resume", `${paintPlan(step.resume.does, step.resume.does)}: ${oneLine(planReason(step.resume))}`),
  );
  if (step.changedSince.length > 0) {
    lines.push(field("since", oneLine(step.changedSince.join(", "))));
    const again = redoCommand(why.status, shellWord(name), step.step);
    lines.push(field("", `${again} does it, and what depends on it, again`));
  }
  for (const attempt of step.attempts) lines.push("", ...attemptLines(why, step.step, attempt));
  return lines.join("\n");
}

function planReason(plan: StepPlan): string {
  return planText(plan).replace(/^blocked: /, "");
}

function attemptLines(why: Why, step: string, attempt: AttemptTrace): string[] {
  const { record, cause, because, startedAt, endedAt } = attempt;
  const lines = [
    `${colors().bold(`attempt ${attempt.attempt}`)}, ${CAUSE[cause]}: ${oneLine(because)}`,
    `  ${whenText(attempt)}`,
  ];
  if (attempt.shared) lines.push(`  it ran in ${why.forkedFrom?.run}, which this run was forked from`);
  if (attempt.notAnswered !== null)
    lines.push(`  the fixture does not answer it: ${oneLine(attempt.notAnswered)}`);
  lines.push(...inputsLines(why, step, attempt));
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
  if (record.status !== "succeeded") lines.push(...stderrLines(why, step, attempt.attempt));
  lines.push(`  then: ${attempt.next === null ? "nothing yet" : oneLine(attempt.next)}`);
  return lines;
}

function inputsLines(why: Why, step: string, { item, attempt }: AttemptTrace): string[] {
  const story = inputsStory(attemptDir(why.runDir, { step, item, attempt }));
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

function stderrLines(why: Why, step: string, attempt: number): string[] {
  const last = stderrOf(why, step, attempt);
  if (last.length === 0) return [];
  return [`    the end of ${ATTEMPT_FILES.stderr}:`, indent(last.join("\n"), "      ")];
}

function stderrOf({ runDir }: Why, step: string, attempt: number): string[] {
  return lastLines(join(attemptDir(runDir, { step, attempt }), ATTEMPT_FILES.stderr), LOG_LINES);
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

function paintPlan(does: StepPlan["does"] | undefined, text: string): string {
  const c = colors();
  switch (does) {
    case "run":
    case "adopt":
      return c.cyan(text);
    case "wait":
      return c.yellow(text);
    case "blocked":
      return c.red(text);
    default:
      return c.dim(text);
  }
}

/** Described by `schemas/cli/why.schema.json`. `only`: the step that was asked for, with its attempts. */
export function whyJson(why: Why, only: StepWhy | undefined): object {
  const { runId, runDir, workflow, status, reason, interrupted, forkedFrom, liveness, resume } = why;
  return {
    runId,
    runDir,
    workflow,
    status,
    reason,
    interrupted,
    forkedFrom,
    liveness: livenessJson(liveness),
    resume,
    steps: (only === undefined ? why.steps : [only]).map((step) => stepJson(why, step, only !== undefined)),
  };
}

function stepJson(why: Why, step: StepWhy, whole: boolean): object {
  const last = step.attempts.at(-1);
  const failed =
    last?.record?.error !== undefined && (step.status === "failed" || step.status === "retrying");
  return {
    step: step.step,
    status: step.status,
    because: step.because,
    when: step.when,
    needs: step.needs,
    attempts: step.attempts.length,
    failure: failed
      ? { attempt: last.attempt, ...errorJson(last), stderr: stderrOf(why, step.step, last.attempt) }
      : null,
    next: last?.next ?? null,
    resume: step.resume,
    inputs: step.inputs,
    changedSince: step.changedSince,
    story: whole ? step.attempts.map((attempt) => attemptJson(why, step.step, attempt)) : null,
  };
}

function attemptJson(why: Why, step: string, attempt: AttemptTrace): object {
  const { record, ...rest } = attempt;
  const failed = record !== null && record.error !== undefined;
  return {
    ...rest,
    inputs: inputsStory(attemptDir(why.runDir, { step, item: attempt.item, attempt: attempt.attempt })),
    answeredFrom: record?.answeredFrom ?? null,
    status: record?.status ?? null,
    exitCode: record?.exitCode ?? null,
    failure: failed
      ? { attempt: attempt.attempt, ...errorJson(attempt), stderr: stderrOf(why, step, attempt.attempt) }
      : null,
  };
}

function errorJson({ record }: AttemptTrace): object {
  const error = record?.error;
  return {
    code: error?.code ?? null,
    message: error?.message ?? null,
    hint: error?.hint ?? null,
    details: error?.details ?? {},
  };
}
