import { ExitCode, WfError } from "../../core/problem.ts";
import { suggest } from "../../language/did-you-mean.ts";
import { whyRun } from "../../review/why.ts";
import { type Args, type Command, JSON_OPTION, RUN_POSITIONAL, RUNS_DIR_OPTION } from "../command.ts";
import { findRun, findRunsDir, nameOf } from "../find-run.ts";
import { print, printJson } from "../output.ts";
import { whyJson, whyStepText, whyText } from "../render/why.ts";

export const command: Command = {
  usage: "why RUN [STEP]",
  describe:
    "Tells why each step ran or did not, what made it fail, and what a resume would do with it: reuse, adopt, run, wait, or blocked.",
  positionals: { RUN: RUN_POSITIONAL, STEP: "one step, with all of its attempts" },
  options: { "runs-dir": RUNS_DIR_OPTION, json: JSON_OPTION },
  examples: [
    ["wf why latest", "a line for each step of the newest run"],
    ["wf why latest build", "the whole story of build"],
    ["wf why latest --json | jq '.steps[] | {step, resume}'", "what a resume would do, for a program"],
  ],
  async run(args: Args): Promise<number> {
    const runsDir = findRunsDir(args.text("runs-dir"));
    const { path } = findRun(args.required("RUN"), runsDir);
    const why = await whyRun(path, Date.now());
    const name = args.text("STEP");
    const only = name === undefined ? undefined : why.steps.find(({ step }) => step === name);
    if (name !== undefined && only === undefined) {
      throw new WfError({
        code: "STEP_NOT_FOUND",
        message: `the workflow ${why.workflow} has no step "${name}"`,
        hint: suggest(
          name,
          why.steps.map(({ step }) => step),
          "steps",
        ),
      });
    }
    if (args.flag("json")) printJson(whyJson(why, only));
    else {
      const shown = nameOf(path, runsDir);
      print(only === undefined ? whyText(why, shown) : whyStepText(why, only, shown));
    }
    return ExitCode.ok;
  },
};
