import { ExitCode } from "../../core/problem.ts";
import { type Args, type Command, JSON_OPTION, RUNS_DIR_OPTION } from "../command.ts";
import { checkSurroundings } from "../doctor-checks.ts";
import { findRunsDir } from "../find-run.ts";
import { print, printJson } from "../output.ts";
import { checksText } from "../render/checks.ts";

export const command: Command = {
  usage: "doctor",
  describe: "Checks what wf needs around it, and removes what dead processes left in the runs folder.",
  positionals: {},
  options: { "runs-dir": RUNS_DIR_OPTION, json: JSON_OPTION },
  examples: [
    ["wf doctor", "exit code 1 if a run could not work here"],
    ["wf doctor --json", "the same for a program"],
  ],
  run(args: Args): number {
    const runsDir = findRunsDir(args.text("runs-dir"));
    const checks = checkSurroundings(runsDir);
    const healthy = checks.every(({ status }) => status !== "failed");
    // Described by `schemas/cli/doctor.schema.json`.
    if (args.flag("json")) printJson({ healthy, runsDir, checks });
    else print(checksText(checks, healthy));
    return healthy ? ExitCode.ok : ExitCode.failed;
  },
};
