import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { AttemptRecord, JournalLine, Usage } from "../../core/event.ts";
import { ExitCode, WfError } from "../../core/problem.ts";
import { viewAttempt } from "../../review/attempt-view.ts";
import { type CurrentView, type LegacyView, linesOf, viewRun } from "../../review/view.ts";
import { readAgentRecord } from "../../steps/agent-record.ts";
import { readGate } from "../../steps/approval.ts";
import { errnoOf, ioError } from "../../store/io-error.ts";
import { ATTEMPT_FILES, attemptDir } from "../../store/layout.ts";
import { type Args, type Command, JSON_OPTION, RUN_POSITIONAL, RUNS_DIR_OPTION } from "../command.ts";
import { decisionsOf } from "../decisions.ts";
import { findRun, findRunsDir, nameOf } from "../find-run.ts";
import { openGates } from "../gates.ts";
import { print, printJson } from "../output.ts";
import { type AttemptDetails, attemptJson, attemptText } from "../render/attempt.ts";
import { legacyStatusJson, legacyText } from "../render/legacy.ts";
import { attemptsOf, type NamedAttempt, parseStepName } from "../step-name.ts";

export const command: Command = {
  usage: "show RUN STEP",
  describe:
    "Shows one attempt whole: why it was made, what ran, how it ended, what it left, what came next and why.",
  positionals: { RUN: RUN_POSITIONAL, STEP: "a step (its newest attempt), or STEP/ATTEMPT" },
  options: { "runs-dir": RUNS_DIR_OPTION, json: JSON_OPTION },
  examples: [
    ["wf show latest build", "the newest attempt of build"],
    ["wf show latest build/1", "the first one"],
  ],
  async run(args: Args): Promise<number> {
    const runsDir = findRunsDir(args.text("runs-dir"));
    const { path } = findRun(args.required("RUN"), runsDir);
    const name = parseStepName(args.required("STEP"));
    const view = await viewRun(path);
    if (view.kind === "legacy") return showLegacy(view, name, args.flag("json"));
    return showAttempt(view, name, runsDir, args.flag("json"));
  },
};

function showAttempt(view: CurrentView, name: NamedAttempt, runsDir: string, json: boolean): number {
  const attempts = attemptsOf(view.record, name);
  const attempt = name.attempt ?? attempts;
  const lines = linesOf(view);
  const found = attempt === 0 ? null : viewAttempt(lines, name.step, attempt);
  if (found === null) throw notTried(view, name.step);
  const dir = attemptDir(view.runDir, { ...name, attempt });
  const isIt = (each: { readonly step: string; readonly attempt: number }) =>
    each.step === name.step && each.attempt === attempt;
  const details: AttemptDetails = {
    runDir: view.runDir,
    view: found,
    attempts,
    script: readIfThere(join(dir, ATTEMPT_FILES.script)),
    prompt: readIfThere(join(dir, ATTEMPT_FILES.prompt)),
    agent: readAgentRecord(dir),
    gate: readGate(dir),
    decision: decisionsOf(lines).find(isIt) ?? null,
    usage: lines.flatMap(usageOf(isIt))[0] ?? null,
    asks: openGates(view.runDir, view.record).find(isIt) ?? null,
    name: nameOf(view.runDir, runsDir),
    interrupted: view.interrupted,
  };
  if (json) printJson(attemptJson(view.record.runId, details));
  else print(attemptText(details));
  return ExitCode.ok;
}

/** It knows of one attempt, the current one. */
function showLegacy(view: LegacyView, { step, attempt }: NamedAttempt, json: boolean): number {
  const { currentStepId, currentAttempt } = view.record;
  if (step !== currentStepId || (attempt !== undefined && attempt !== currentAttempt)) {
    const known =
      currentStepId === null
        ? "it names none"
        : `it only names ${currentStepId}, attempt ${currentAttempt ?? "unknown"}`;
    throw new WfError({
      code: "STEP_NOT_FOUND",
      message: `the older record of ${view.record.runId} tells nothing of ${step}${attempt === undefined ? "" : `/${attempt}`}`,
      hint: `of the steps ${known}`,
    });
  }
  if (json) printJson({ ...legacyStatusJson(view, false), step, attempt: currentAttempt });
  else print(legacyText(view, false));
  return ExitCode.ok;
}

function notTried(view: CurrentView, step: string): WfError {
  const record = view.record.steps[step];
  const why =
    record?.status === "skipped"
      ? `it was skipped: ${record.because ?? "no reason was recorded"}`
      : "it has not been reached";
  return new WfError({ code: "STEP_NOT_FOUND", message: `${step} has had no attempt`, hint: why });
}

/** What an agent said it used in the attempt. */
function usageOf(isIt: (record: AttemptRecord) => boolean): (line: JournalLine) => Usage[] {
  return (line) =>
    line.event === "attempt_ended" && isIt(line.record) && line.volatile.usage ? [line.volatile.usage] : [];
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return null;
    throw ioError(error, `read ${path}`);
  }
}
