import { ExitCode } from "../../core/problem.ts";
import type { Outcome } from "../../engine/api.ts";
import { type Args, type Command, JSON_OPTION, RUN_POSITIONAL, RUNS_DIR_OPTION } from "../command.ts";
import { driveAndTell, exitCodeOf } from "../drive.ts";
import { findRunsDir } from "../find-run.ts";
import { givenSecrets, SECRET_OPTION } from "../given-secrets.ts";
import { shellWord } from "../render/text.ts";
import { runToDrive } from "../run-to-drive.ts";

export const command: Command = {
  usage: "next RUN",
  describe:
    "Does exactly one attempt of the first step that is due, then pauses the run: a debugger's single step.",
  positionals: { RUN: RUN_POSITIONAL },
  options: {
    secret: SECRET_OPTION,
    project: {
      kind: "value",
      value: "D",
      describe: "the project folder, where the recorded one is not there",
    },
    "runs-dir": RUNS_DIR_OPTION,
    json: JSON_OPTION,
  },
  examples: [
    ["wf run build.yaml --until fetch; wf next latest", "one step further than fetch"],
    ["wf next latest", "the attempt succeeded or will be tried again: exit code 0"],
  ],
  async run(args: Args): Promise<number> {
    const runsDir = findRunsDir(args.text("runs-dir"));
    const runDir = runToDrive(args.required("RUN"), runsDir, ({ run }) => `wf next ${shellWord(run)}`);
    const project = args.text("project");
    const secrets = givenSecrets(args);
    const { executeNext } = await import("../../engine/resume.ts");
    const driving = { json: args.flag("json"), runsDir, runDir, exitCode: exitCodeOfNext };
    return await driveAndTell(driving, (observer) =>
      executeNext({ runDir, observer, ...secrets, ...(project !== undefined && { project }) }),
    );
  },
};

/** A pause after the attempt is what was asked for. */
function exitCodeOfNext(outcome: Outcome): number {
  const { record, attempt } = outcome;
  const paused = record.status === "waiting" && record.reason?.code === "PAUSED" && attempt !== undefined;
  return paused ? ExitCode.ok : exitCodeOf(outcome);
}
