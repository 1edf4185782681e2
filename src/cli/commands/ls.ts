import { ExitCode } from "../../core/problem.ts";
import { type Args, type Command, JSON_OPTION, RUNS_DIR_OPTION } from "../command.ts";
import { displayPath, findRunsDir } from "../find-run.ts";
import { listedRuns } from "../listed-runs.ts";
import { print, printDiagnostic, printJson, write } from "../output.ts";
import { listJson, listText } from "../render/list.ts";

const STATUSES = ["queued", "running", "waiting", "succeeded", "failed", "canceled", "interrupted"];

export const command: Command = {
  usage: "ls",
  describe: "Lists all runs, newest first.",
  positionals: {},
  options: {
    status: { kind: "value", value: "S", choices: STATUSES, describe: "only runs of this status" },
    workflow: { kind: "value", value: "ID", describe: "only runs of this workflow" },
    "runs-dir": RUNS_DIR_OPTION,
    json: JSON_OPTION,
  },
  examples: [
    ["wf ls", "all runs of this project"],
    ["wf ls --status failed --workflow release", "the failed runs of one workflow"],
    ["wf ls --json | jq -r '.runs[0].runId'", "the id of the newest"],
  ],
  run(args: Args): number {
    const runsDir = findRunsDir(args.text("runs-dir"));
    const status = args.text("status");
    const workflow = args.text("workflow");
    const runs = listedRuns(runsDir).filter(
      (run) =>
        (status === undefined || run.shown === status) &&
        (workflow === undefined || run.head?.workflowId === workflow),
    );
    if (args.flag("json")) printJson(listJson(runsDir, runs));
    else if (runs.length > 0) write(`${listText(runs).join("\n")}\n`);
    else if (status !== undefined || workflow !== undefined) printDiagnostic("no such runs");
    else print(`no runs yet in ${displayPath(runsDir)}`);
    return ExitCode.ok;
  },
};
