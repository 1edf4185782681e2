import { ExitCode } from "../../core/problem.ts";
import { follow } from "../../review/follow.ts";
import { type CurrentView, viewRun } from "../../review/view.ts";
import { type Args, type Command, RUN_POSITIONAL, RUNS_DIR_OPTION } from "../command.ts";
import { findRun, findRunsDir, nameOf } from "../find-run.ts";
import { LogPrinter } from "../log-printer.ts";
import { onStdoutClosed, printDiagnostic } from "../output.ts";
import { LEGACY_WHY } from "../render/legacy.ts";
import { shellWord } from "../render/text.ts";
import { attemptsOf, type NamedAttempt, parseStepName } from "../step-name.ts";

export const command: Command = {
  usage: "logs RUN [STEP]",
  describe:
    "Prints what steps printed: of STEP or STEP/ATTEMPT, else of what failed or is active, else of all in file order.",
  positionals: { RUN: RUN_POSITIONAL, STEP: "a step, or STEP/ATTEMPT for one that is not its newest" },
  options: {
    follow: { kind: "flag", alias: "f", describe: "go on printing until the run ends or waits" },
    stderr: { kind: "flag", describe: "only what went to standard error" },
    "runs-dir": RUNS_DIR_OPTION,
    json: { kind: "flag", describe: "print one JSON object a line of log: step, attempt, stream, text" },
  },
  examples: [
    ["wf logs latest", "what failed or is active in the newest run"],
    ["wf logs latest build/1 --stderr", "the errors of the first attempt of build"],
    ["wf logs latest -f", "watch"],
  ],
  async run(args: Args): Promise<number> {
    const runsDir = findRunsDir(args.text("runs-dir"));
    const { path } = findRun(args.required("RUN"), runsDir);
    const name = args.text("STEP") === undefined ? undefined : parseStepName(args.required("STEP"));
    const view = await viewRun(path);
    if (view.kind === "legacy") {
      printDiagnostic(`no logs: ${LEGACY_WHY}`);
      return ExitCode.ok;
    }
    const printer = new LogPrinter(view.runDir, { stderrOnly: args.flag("stderr"), json: args.flag("json") });
    const chosen = choose(view, name);
    for (const { step, attempt } of chosen) printer.add(step, attempt);
    await printer.drain();
    if (args.flag("follow")) await followLogs(view, name, printer, nameOf(view.runDir, runsDir));
    return ExitCode.ok;
  },
};

function choose(
  { record }: CurrentView,
  name: NamedAttempt | undefined,
): { step: string; attempt: number }[] {
  if (name !== undefined) {
    const newest = attemptsOf(record, name);
    const attempt = name.attempt ?? newest;
    return attempt === 0 ? [] : [{ step: name.step, attempt }];
  }
  const tried = Object.entries(record.steps).filter(([, { attempts }]) => attempts > 0);
  const telling = tried.filter(
    ([, { status, allowed }]) => ACTIVE.has(status) || (status === "failed" && !allowed),
  );
  return (telling.length > 0 ? telling : tried).map(([step, { attempts }]) => ({ step, attempt: attempts }));
}

const ACTIVE: ReadonlySet<string> = new Set(["running", "retrying"]);

async function followLogs(
  view: CurrentView,
  name: NamedAttempt | undefined,
  printer: LogPrinter,
  run: string,
): Promise<void> {
  const stop = new AbortController();
  onStdoutClosed(() => stop.abort());
  const seen = view.record.volatile.seq;
  const end = await follow(
    view.runDir,
    {
      events(lines) {
        for (const line of lines) {
          if (line.event !== "attempt_started" || line.seq <= seen) continue;
          const wanted = name === undefined || (name.step === line.step && name.attempt === undefined);
          if (wanted) printer.add(line.step, line.attempt);
        }
      },
      look: () => printer.look(),
    },
    stop.signal,
  );
  await printer.drain();
  if (end === "nobody drives it")
    printDiagnostic(`nobody drives the run: wf resume ${shellWord(run)} goes on`);
}
