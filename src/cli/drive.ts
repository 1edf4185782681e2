import { join } from "node:path";
import { ExitCode, WfError } from "../core/problem.ts";
import type { Observer, Outcome } from "../engine/api.ts";
import { rootCause } from "../review/root-cause.ts";
import { RUN_FILES } from "../store/layout.ts";
import { displayPath, nameOf } from "./find-run.ts";
import type { OpenGate } from "./gates.ts";
import { keepHeapSmall } from "./heap.ts";
import { print, printDiagnostic, printJson } from "./output.ts";
import { gateLines } from "./render/gate.ts";
import { GITHUB, isGithubActions, printGuarded, reportToGithub } from "./render/github.ts";
import { PLAIN, type Progress, progress, SILENT } from "./render/progress.ts";
import { type Ended, endText, excerptText, failureText, outcomeJson, rootLog } from "./render/summary.ts";
import { shellWord } from "./render/text.ts";

export interface Driving {
  readonly json: boolean;
  /** Where runs are looked for by name, for the commands that are printed. */
  readonly runsDir: string;
  /** The run's directory, if it exists already. */
  readonly runDir?: string;
  /** The workflow file of a run that does not. */
  readonly file?: string;
  readonly exitCode?: (outcome: Outcome) => number;
  /** What is printed with `--json`; absent: the outcome. */
  readonly toJson?: (ended: Ended) => object;
  /** Takes the document that `--json` prints, for a command that drives several runs; absent: it is printed. */
  readonly tell?: (document: object) => void;
  /** The engine stays while a gate is open: how to decide is told then, and not at the end. */
  readonly wait?: boolean;
}

/** Drives a run with an observer that tells what happens, then sums up. Returns the exit code. */
export async function driveAndTell(
  driving: Driving,
  drive: (observer: Observer) => Promise<Outcome>,
): Promise<number> {
  const { runDir } = driving;
  const definition = driving.file ?? (runDir && join(runDir, RUN_FILES.definition));
  if (definition) keepHeapSmall(definition);
  const { gateOpenedBy, gatesOf, openGates } = await import("./gates.ts");
  const teller = driving.json ? SILENT : isGithubActions() ? GITHUB : PLAIN;
  const told = progress(teller, gateOpenedBy, runDir);
  const observer: Observer = {
    ...told.observer,
    event(line, state, within) {
      told.observer.event(line, state, within);
      const outermost = told.runDir();
      if (!driving.wait || outermost === undefined) return;
      const place = [within?.runDir ?? outermost, within?.name] as const;
      const opened = gateOpenedBy(line, ...place);
      const resumed = line.event === "engine_started" && line.how === "resume";
      for (const gate of opened ? [opened] : resumed ? gatesOf(state, ...place) : [])
        tellGate(gate, outermost, driving);
    },
  };
  let outcome: Outcome;
  try {
    outcome = await drive(observer);
  } catch (error) {
    if (told.moved()) tellWhatIsLeft(told, driving, error);
    throw error;
  }
  const exitCode = (driving.exitCode ?? exitCodeOf)(outcome);
  const ended = {
    outcome,
    root: await rootCause(outcome),
    name: nameOf(outcome.runDir, driving.runsDir),
    gates: await openGates(outcome),
  };
  if (driving.json) {
    const document = driving.toJson?.(ended) ?? outcomeJson(ended, exitCode);
    (driving.tell ?? printJson)(document);
  } else await tellOutcome(ended, told.moved());
  return exitCode;
}

/** What a person has to do for an engine that stays; with `--json` beside the document. */
function tellGate(gate: OpenGate, runDir: string, { json, runsDir }: Driving): void {
  const lines = gateLines(gate, nameOf(runDir, runsDir));
  if (json) printDiagnostic(lines.join("\n"));
  else if (isGithubActions()) printGuarded(lines);
  else print(lines.join("\n"));
}

export function exitCodeOf({ record, signal }: Outcome): number {
  if (signal !== null && record.status === "waiting")
    return signal === "SIGINT" ? ExitCode.interrupt : ExitCode.terminate;
  switch (record.status) {
    case "succeeded":
      return ExitCode.ok;
    case "failed":
    case "canceled":
      return ExitCode.failed;
    case "waiting":
      return ExitCode.waiting;
    case "queued":
    case "running":
      return ExitCode.internal;
    default:
      return record.status satisfies never;
  }
}

async function tellOutcome(ended: Ended, moved: boolean): Promise<void> {
  const { outcome } = ended;
  if (!moved && outcome.record.status === "succeeded") {
    print(`run ${outcome.record.runId} has succeeded already: nothing is left to do`);
    return;
  }
  const github = isGithubActions();
  const tell = (lines: readonly string[]) => {
    if (lines.length === 0) return;
    if (github) printGuarded(lines);
    else for (const line of lines) print(line);
  };
  print("");
  const failure = failureText(ended);
  const log = rootLog(ended);
  tell(failure);
  if (log !== undefined) tell(excerptText(log));
  if (failure.length > 0) print("");
  tell(endText(ended));
  if (github) await reportToGithub(outcome);
}

/** The engine stopped in the middle: the run is whole as far as it came. */
function tellWhatIsLeft(told: Progress, { runsDir }: Driving, error: unknown): void {
  const runDir = told.runDir();
  if (runDir === undefined) return;
  const locked = error instanceof WfError && (error.code === "LOCK_LOST" || error.code === "RUN_LOCKED");
  printDiagnostic(`folder:  ${displayPath(runDir)}`);
  if (!locked) printDiagnostic(`resume:  wf resume ${shellWord(nameOf(runDir, runsDir))}`);
}
