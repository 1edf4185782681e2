import { ExitCode, WfError } from "../../core/problem.ts";
import { isTelling } from "../../review/tree.ts";
import { viewRun } from "../../review/view.ts";
import { type Look, whyRun } from "../../review/why.ts";
import {
  type Args,
  type Command,
  JSON_OPTION,
  RUN_POSITIONAL,
  RUNS_DIR_OPTION,
  STEP_POSITIONAL,
} from "../command.ts";
import { findRun, findRunsDir } from "../find-run.ts";
import { print, printJson } from "../output.ts";
import { whyText } from "../render/why.ts";
import { whyJson } from "../render/why-json.ts";
import { whyStepText } from "../render/why-step.ts";
import { runName } from "../run-name.ts";
import { resolveName } from "../step-name.ts";
import { whyNamed } from "../why-named.ts";

export const command: Command = {
  usage: "why RUN [STEP]",
  describe:
    "Tells why each step ran or did not, what made it fail, and what a resume would do with it: reuse, adopt, run, wait, or blocked.",
  positionals: { RUN: RUN_POSITIONAL, STEP: STEP_POSITIONAL },
  options: { "runs-dir": RUNS_DIR_OPTION, json: JSON_OPTION },
  examples: [
    ["wf why latest", "a line for each step of the newest run, and for what failed or is active within"],
    ["wf why latest build", "the whole story of build"],
    ["wf why latest deploy/item-3/test", "of a step of the workflow that item 3 of deploy runs"],
    ["wf why latest --json | jq '.steps[] | {step, resume}'", "what a resume would do, for a program"],
  ],
  async run(args: Args): Promise<number> {
    const runsDir = findRunsDir(args.text("runs-dir"));
    const { path } = findRun(args.required("RUN"), runsDir);
    const view = await viewRun(path);
    if (view.kind === "legacy") {
      throw new WfError({
        code: "LEGACY_RUN",
        message: `run '${view.record.runId}' does not say why: it is an older record, without a journal`,
        hint: "wf status shows what it says",
      });
    }
    const text = args.text("STEP");
    const json = args.flag("json");
    const name = runName(view.runDir, runsDir);
    const look = { find, now: Date.now() };
    const named = text === undefined ? null : await resolveName(view, text);
    const told = named && (await whyNamed(view, named, look, name.within));
    const into: Look["into"] = ({ record }) => json || isTelling(record);
    const why = told?.outermost ?? (await whyRun(view, { ...look, into }, name.within));
    if (json) printJson(whyJson(why, told));
    else print(told === null ? whyText(why, name.run) : whyStepText(told, name.run));
    return ExitCode.ok;
  },
};

/** Loaded only if something is open. */
const find: Look["find"] = async (jobs) => (await import("../../engine/executor.ts")).findJobs(jobs);
