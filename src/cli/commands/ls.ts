import { ExitCode } from "../../core/problem.ts";
import { liveness } from "../../review/liveness.ts";
import { type Args, type Command, JSON_OPTION, RUNS_DIR_OPTION } from "../command.ts";
import { displayPath, findRunsDir, listRuns } from "../find-run.ts";
import { print, printDiagnostic, printJson, write } from "../output.ts";
import { type ListedRun, listJson, listText } from "../render/list.ts";
import { readHead } from "../run-head.ts";

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
    const runs = readAll(runsDir).filter(
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

function readAll(runsDir: string): ListedRun[] {
  const runs: ListedRun[] = [];
  for (const { id, path } of listRuns(runsDir)) {
    const head = readHead(path);
    if (head === undefined) continue;
    if (typeof head === "string") runs.push({ id, path, head: null, shown: "unreadable", problem: head });
    else runs.push({ id, path, head, shown: shownStatus(path, head.status, head.legacy), problem: null });
  }
  return runs.sort(newestFirst);
}

/** A run that says it runs and that nobody drives was cut off. */
function shownStatus(path: string, status: string, legacy: boolean): string {
  if (legacy || (status !== "running" && status !== "queued")) return status;
  return liveness(path).state === "nobody" ? "interrupted" : status;
}

function newestFirst(a: ListedRun, b: ListedRun): number {
  const [atA, atB] = [a.head?.createdAt ?? "", b.head?.createdAt ?? ""];
  if (atA !== atB) return atA < atB ? 1 : -1;
  return a.id < b.id ? 1 : -1;
}
