import { ExitCode } from "../../core/problem.ts";
import { type CurrentView, definitionOf, viewRun } from "../../review/view.ts";
import { type Args, type Command, JSON_OPTION, RUN_POSITIONAL, RUNS_DIR_OPTION } from "../command.ts";
import { findRun, findRunsDir, nameOf } from "../find-run.ts";
import { print, printJson } from "../output.ts";
import { legacyStatusJson, legacyText } from "../render/legacy.ts";
import { statusJson, statusText } from "../render/status.ts";
import { type AttemptsAllowed, needsDefinition } from "../render/steps.ts";

export const command: Command = {
  usage: "status RUN",
  describe: "Shows how a run stands: step by step, who drives it, what failed, and how to go on.",
  positionals: { RUN: RUN_POSITIONAL },
  options: {
    inputs: { kind: "flag", describe: "show the values of the inputs, not only their names and types" },
    "runs-dir": RUNS_DIR_OPTION,
    json: JSON_OPTION,
  },
  examples: [
    ["wf status latest", "the newest run"],
    ["wf status k3f9 --inputs", "the run with k3f9 in its id, with the values of its inputs"],
    ["wf status latest --json", "the same for a program"],
  ],
  async run(args: Args): Promise<number> {
    const runsDir = findRunsDir(args.text("runs-dir"));
    const { path } = findRun(args.required("RUN"), runsDir);
    const view = await viewRun(path);
    const withInputs = args.flag("inputs");
    if (view.kind === "legacy") {
      if (args.flag("json")) printJson(legacyStatusJson(view, withInputs));
      else print(legacyText(view, withInputs));
      return ExitCode.ok;
    }
    const options = { name: nameOf(view.runDir, runsDir), withInputs, allowed: await attemptsAllowed(view) };
    if (args.flag("json")) printJson(statusJson(view, options));
    else print(statusText(view, options));
    return ExitCode.ok;
  },
};

/** Empty where no step was tried twice: reading the definition costs more than all the rest. */
async function attemptsAllowed(view: CurrentView): Promise<AttemptsAllowed> {
  if (!needsDefinition(view.record)) return new Map();
  try {
    const workflow =
      view.folded?.state.workflow ?? (await definitionOf(view.runDir, view.record.workflow.id));
    return new Map(workflow.steps.map((step) => [step.id, 1 + step.retry.max]));
  } catch {
    // A run whose copy of the definition is gone can still be read.
    return new Map();
  }
}
