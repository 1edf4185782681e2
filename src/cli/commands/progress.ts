import { ExitCode } from "../../core/problem.ts";
import { currentOf, progressOf } from "../../review/current.ts";
import { follow } from "../../review/follow.ts";
import { rootCause } from "../../review/root-cause.ts";
import { RunTail } from "../../review/run-tail.ts";
import { type CurrentView, viewRun } from "../../review/view.ts";
import { type Args, type Command, JSON_OPTION, RUN_POSITIONAL, RUNS_DIR_OPTION } from "../command.ts";
import { findRun, findRunsDir, nameOf } from "../find-run.ts";
import { onStdoutClosed, print, printDiagnostic, printJson, printJsonLine } from "../output.ts";
import { eventLine } from "../render/event.ts";
import { type GateJson, gateJson } from "../render/gate.ts";
import { NOTHING, progressSnapshot, progressText } from "../render/snapshot.ts";
import { shellWord } from "../render/text.ts";
import { runName } from "../run-name.ts";

export const command: Command = {
  usage: "progress RUN",
  describe: "Shows a run's progress in a few lines, or with --follow its events as they come until it ends.",
  positionals: { RUN: RUN_POSITIONAL },
  options: {
    follow: { kind: "flag", alias: "f", describe: "print all events so far, then each as it comes" },
    "runs-dir": RUNS_DIR_OPTION,
    json: {
      ...JSON_OPTION,
      describe:
        "print JSON; with --follow one event a line, as in progress.ndjson, and of nested runs with `within`",
    },
  },
  examples: [
    ["wf progress latest", "where the newest run is"],
    ["wf progress latest --follow", "watch it"],
    ["wf progress latest --follow --json | jq -r .event", "the same for a program"],
  ],
  async run(args: Args): Promise<number> {
    const runsDir = findRunsDir(args.text("runs-dir"));
    const { path } = findRun(args.required("RUN"), runsDir);
    const view = await viewRun(path);
    if (view.kind === "current" && args.flag("follow")) {
      return await followEvents(view.runDir, nameOf(view.runDir, runsDir), args.flag("json"));
    }
    const snapshot =
      view.kind === "legacy"
        ? progressSnapshot(view, NOTHING)
        : progressSnapshot(view, {
            root: await rootCause(view),
            current: await currentOf(view),
            lastProgressAt: await progressOf(view),
            pending: await pendingGate(view, runsDir),
          });
    if (!args.flag("json")) print(progressText(snapshot, view.kind === "legacy"));
    else if (args.flag("follow")) printJsonLine(snapshot);
    else printJson(snapshot);
    return ExitCode.ok;
  },
};

async function pendingGate(view: CurrentView, runsDir: string): Promise<GateJson | null> {
  const isOpen = Object.values(view.record.steps).some(
    ({ status }) => status === "waiting" || status === "running",
  );
  if (!isOpen) return null;
  const { openGates } = await import("../gates.ts");
  const name = runName(view.runDir, runsDir);
  const [first] = (await openGates(view, name)).filter(({ decided }) => decided === null);
  return first ? gateJson(first, name.run) : null;
}

async function followEvents(runDir: string, name: string, json: boolean): Promise<number> {
  const { gateOpenedBy } = await import("../gates.ts");
  const stop = new AbortController();
  onStdoutClosed(() => stop.abort());
  let run: string | undefined;
  const end = await follow(
    new RunTail(runDir),
    {
      event({ line, where }) {
        const within = where.within === "" ? {} : { within: where.within };
        if (json) {
          printJsonLine({ ...line, ...within });
          return;
        }
        run ??= line.run;
        const asks = gateOpenedBy(line, where.runDir)?.gate?.message;
        const text = eventLine(line, { ...within, run, ...(asks !== undefined && { asks }) });
        if (text !== null) print(text);
      },
    },
    stop.signal,
  );
  if (end === "nobody drives it")
    printDiagnostic(`nobody drives the run: wf resume ${shellWord(name)} goes on`);
  return ExitCode.ok;
}
