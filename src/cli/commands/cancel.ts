import { userInfo } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import { ExitCode, WfError } from "../../core/problem.ts";
import { JournalTail } from "../../review/follow.ts";
import { liveness } from "../../review/liveness.ts";
import { viewRun } from "../../review/view.ts";
import { writeCancelRequest } from "../../store/requests.ts";
import { type Args, type Command, JSON_OPTION, RUN_POSITIONAL, RUNS_DIR_OPTION } from "../command.ts";
import { driveAndTell } from "../drive.ts";
import { findRunsDir, nameOf } from "../find-run.ts";
import { print, printJson } from "../output.ts";
import { type CancelResult, cancelJson, cancelText } from "../render/cancel.ts";
import { runToDrive } from "../run-to-drive.ts";

/** A live engine looks at least once a second. */
const TAKEN_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 50;

export const command: Command = {
  usage: "cancel RUN",
  describe:
    "Stops a run's steps and ends it as canceled, whether an engine drives it or not. It can be resumed.",
  positionals: { RUN: RUN_POSITIONAL },
  options: {
    reason: { kind: "value", value: "T", describe: "why, for the record" },
    "runs-dir": RUNS_DIR_OPTION,
    json: JSON_OPTION,
  },
  examples: [
    ["wf cancel latest", "stop the newest run"],
    ["wf cancel k3f9 --reason 'wrong branch'", "and say why"],
  ],
  async run(args: Args): Promise<number> {
    const runsDir = findRunsDir(args.text("runs-dir"));
    const runDir = runToDrive(args.required("RUN"), runsDir);
    const view = await viewRun(runDir);
    if (view.kind === "current") refuseIfOver(view.record.status, view.record.runId);
    const file = writeCancelRequest(runDir, { reason: args.text("reason") ?? "", by: whoAsks() });
    const json = args.flag("json");
    const tell = (result: CancelResult) => {
      const name = nameOf(runDir, runsDir);
      if (json) printJson(cancelJson(name, runDir, file, result));
      else print(cancelText(name, result));
      return result.kind === "refused" ? ExitCode.usage : ExitCode.ok;
    };
    for (let tries = 0; ; tries += 1) {
      if (liveness(runDir).state !== "nobody") {
        const result = await waitUntilTaken(runDir, file);
        if (result !== null) return tell(result);
      }
      try {
        return await endIt(runDir, runsDir, json, file);
      } catch (error) {
        // Between the look and the claim somebody else began to drive it.
        const raced = error instanceof WfError && error.code === "RUN_LOCKED" && tries < 3;
        if (!raced) throw error;
      }
    }
  },
};

function refuseIfOver(status: string, runId: string): void {
  if (status !== "succeeded" && status !== "failed" && status !== "canceled") return;
  throw new WfError({
    code: "WRONG_STATE",
    message: `run ${runId} has ended already: it is ${status}`,
    hint: "only a run that is queued, running or waiting can be canceled",
  });
}

/** The engine that drives the run takes the request; null if it went away before it did. */
async function waitUntilTaken(runDir: string, file: string): Promise<CancelResult | null> {
  const journal = new JournalTail(runDir);
  const until = performance.now() + TAKEN_WITHIN_MS;
  for (;;) {
    const driver = liveness(runDir);
    for (const line of journal.read()) {
      if (line.event === "request_taken" && line.file === file) return { kind: "taken", driver };
      if (line.event === "request_refused" && line.file === file)
        return { kind: "refused", because: line.because };
    }
    if (driver.state === "nobody") return null;
    if (performance.now() > until) return { kind: "left", driver, file };
    await wait(LOOK_EVERY_MS);
  }
}

/** Nobody drives the run: this process does, takes the request and ends the run. */
async function endIt(runDir: string, runsDir: string, json: boolean, file: string): Promise<number> {
  const { resume } = await import("../../engine/resume.ts");
  return await driveAndTell(
    {
      json,
      runsDir,
      runDir,
      exitCode: ({ record }) => (record.status === "canceled" ? ExitCode.ok : ExitCode.failed),
      toJson: ({ record }, name) => cancelJson(name, runDir, file, { kind: "ended", status: record.status }),
    },
    (observer) => resume({ runDir, observer }),
  );
}

function whoAsks(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under an id that has no name.
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
}
