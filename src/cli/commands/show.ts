import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { AttemptRecord, JournalLine, Usage } from "../../core/event.ts";
import { type AttemptName, nameWithin } from "../../core/ids.ts";
import { ExitCode, WfError } from "../../core/problem.ts";
import { viewAttempt } from "../../review/attempt-view.ts";
import { viewNestedIfReadable } from "../../review/inside.ts";
import { EVERYTHING, treeOf } from "../../review/tree.ts";
import { type LegacyView, linesOf, viewRun } from "../../review/view.ts";
import { readAgentRecord } from "../../steps/agent-record.ts";
import { readGate } from "../../steps/approval.ts";
import { errnoOf, ioError } from "../../store/io-error.ts";
import { ATTEMPT_FILES, attemptDir } from "../../store/layout.ts";
import {
  type Args,
  type Command,
  JSON_OPTION,
  RUN_POSITIONAL,
  RUNS_DIR_OPTION,
  STEP_POSITIONAL,
} from "../command.ts";
import { decisionsOf } from "../decisions.ts";
import { findRun, findRunsDir } from "../find-run.ts";
import { openGates } from "../gates.ts";
import { print, printJson } from "../output.ts";
import { type AttemptDetails, attemptJson, attemptText } from "../render/attempt.ts";
import { legacyStatusJson, legacyText } from "../render/legacy.ts";
import { SHOWN } from "../render/steps.ts";
import { runName } from "../run-name.ts";
import { attemptMeant, firstLink, type Link, type Named, nameOfNamed, resolveName } from "../step-name.ts";

export const command: Command = {
  usage: "show RUN STEP",
  describe:
    "Shows one attempt whole: why it was made, what ran, how it ended, what it left, what came next and why.",
  positionals: { RUN: RUN_POSITIONAL, STEP: STEP_POSITIONAL },
  options: { "runs-dir": RUNS_DIR_OPTION, json: JSON_OPTION },
  examples: [
    ["wf show latest build", "the newest attempt of build"],
    ["wf show latest build/1", "the first one"],
    ["wf show latest deploy/item-3/test", "a step of the workflow that item 3 of deploy runs"],
  ],
  async run(args: Args): Promise<number> {
    const runsDir = findRunsDir(args.text("runs-dir"));
    const { path } = findRun(args.required("RUN"), runsDir);
    const text = args.required("STEP");
    const view = await viewRun(path);
    const json = args.flag("json");
    if (view.kind === "legacy") return showLegacy(view, firstLink(text), json);
    return showAttempt(await resolveName(view, text), runsDir, json);
  },
};

async function showAttempt(named: Named, runsDir: string, json: boolean): Promise<number> {
  const { view } = named;
  const attempt = attemptMeant(named);
  const lines = linesOf(view);
  const found = viewAttempt(lines, attempt);
  if (found === null) throw new Error(`the journal does not tell of ${nameOfNamed(named)}`);
  const dir = attemptDir(view.runDir, attempt);
  const isIt = (each: AttemptName) =>
    each.step === attempt.step && each.item === attempt.item && each.attempt === attempt.attempt;
  const name = runName(view.runDir, runsDir);
  const nested = await viewNestedIfReadable(view.runDir, attempt);
  const details: AttemptDetails = {
    runDir: view.runDir,
    view: found,
    ...(named.value !== undefined && { value: named.value }),
    attempts: named.newest,
    script: readIfThere(join(dir, ATTEMPT_FILES.script)),
    prompt: readIfThere(join(dir, ATTEMPT_FILES.prompt)),
    agent: readAgentRecord(dir),
    gate: readGate(dir),
    decision: decisionsOf(lines).find(isIt) ?? null,
    usage: lines.flatMap(usageOf(isIt))[0] ?? null,
    asks: (await openGates(view, name)).find((gate) => gate.runDir === view.runDir && isIt(gate)) ?? null,
    nested: nested && (await treeOf(nested, json ? EVERYTHING : SHOWN, nameWithin(name.within, attempt))),
    name,
    interrupted: view.interrupted,
  };
  if (json) printJson(attemptJson(view.record.runId, details));
  else print(attemptText(details));
  return ExitCode.ok;
}

/** It knows of one attempt, the current one. */
function showLegacy(view: LegacyView, { step, attempt }: Link, json: boolean): number {
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
