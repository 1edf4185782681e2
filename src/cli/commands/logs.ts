import { ExitCode } from "../../core/problem.ts";
import { follow } from "../../review/follow.ts";
import { RunTail } from "../../review/run-tail.ts";
import { viewRun } from "../../review/view.ts";
import { type Args, type Command, RUN_POSITIONAL, RUNS_DIR_OPTION, STEP_POSITIONAL } from "../command.ts";
import { findRun, findRunsDir, nameOf } from "../find-run.ts";
import { LogPrinter } from "../log-printer.ts";
import { logsOfName, logsThatTell } from "../logs-of.ts";
import { onStdoutClosed, printDiagnostic } from "../output.ts";
import { LEGACY_WHY } from "../render/legacy.ts";
import { shellWord } from "../render/text.ts";
import { isMeant, type Link, resolveName } from "../step-name.ts";

export const command: Command = {
  usage: "logs RUN [STEP]",
  describe:
    "Prints what steps printed: of what is named, else of what failed or is active, else of all in file order.",
  positionals: { RUN: RUN_POSITIONAL, STEP: STEP_POSITIONAL },
  options: {
    follow: { kind: "flag", alias: "f", describe: "go on printing until the run ends or waits" },
    stderr: { kind: "flag", describe: "only what went to standard error" },
    "runs-dir": RUNS_DIR_OPTION,
    json: {
      kind: "flag",
      describe: "print one JSON object a line of log: within, step, item, attempt, stream, text",
    },
  },
  examples: [
    ["wf logs latest", "what failed or is active in the newest run"],
    ["wf logs latest build/1 --stderr", "the errors of the first attempt of build"],
    ["wf logs latest deploy", "all of the workflow that deploy runs, step by step"],
    ["wf logs latest deploy/item-3/test", "one step of it, of item 3"],
    ["wf logs latest -f", "watch"],
  ],
  async run(args: Args): Promise<number> {
    const runsDir = findRunsDir(args.text("runs-dir"));
    const { path } = findRun(args.required("RUN"), runsDir);
    // What starts from here on is in it, whatever the view still shows.
    const tail = args.flag("follow") ? tailFromNow(path) : null;
    const view = await viewRun(path);
    if (view.kind === "legacy") {
      printDiagnostic(`no logs: ${LEGACY_WHY}`);
      return ExitCode.ok;
    }
    const text = args.text("STEP");
    const named = text === undefined ? null : await resolveName(view, text);
    const printer = new LogPrinter({ stderrOnly: args.flag("stderr"), json: args.flag("json") });
    for await (const logged of named ? logsOfName(named) : logsThatTell(view)) printer.add(logged);
    await printer.drain();
    if (tail) await followLogs(tail, named?.links ?? [], printer, nameOf(view.runDir, runsDir));
    return ExitCode.ok;
  },
};

/** What has happened is passed over. */
function tailFromNow(runDir: string): RunTail {
  const tail = new RunTail(runDir);
  for (const _ of tail.take());
  return tail;
}

async function followLogs(
  tail: RunTail,
  links: readonly Link[],
  printer: LogPrinter,
  run: string,
): Promise<void> {
  const stop = new AbortController();
  onStdoutClosed(() => stop.abort());
  const end = await follow(
    tail,
    {
      event({ line, where: { runDir, within, way } }) {
        if (line.event === "attempt_ended") printer.ended(runDir, line.record);
        if (line.event !== "attempt_started") return;
        const { step, item, attempt } = line;
        const name = { step, item, attempt };
        if (isMeant(links, [...way, name])) printer.add({ runDir, within, attempt: name });
      },
      look: () => printer.look(),
    },
    stop.signal,
  );
  await printer.drain();
  if (end === "nobody drives it")
    printDiagnostic(`nobody drives the run: wf resume ${shellWord(run)} goes on`);
}
