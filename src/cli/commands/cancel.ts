import { ExitCode, WfError } from "../../core/problem.ts";
import type { ResumeRequest } from "../../engine/api.ts";
import { liveness } from "../../review/liveness.ts";
import { viewRun } from "../../review/view.ts";
import { writeCancelRequest } from "../../store/requests.ts";
import { type Args, type Command, JSON_OPTION, RUN_POSITIONAL, RUNS_DIR_OPTION } from "../command.ts";
import { driveAndTell } from "../drive.ts";
import { findRunsDir, nameOf } from "../find-run.ts";
import { givenSecrets, requireSecrets, SECRET_OPTION } from "../given-secrets.ts";
import { print, printJson } from "../output.ts";
import { cookieOf } from "../own-run.ts";
import { type CancelResult, cancelJson, cancelText } from "../render/cancel.ts";
import { shellWord } from "../render/text.ts";
import { waitUntilTaken } from "../request.ts";
import { runToDrive } from "../run-to-drive.ts";
import { whoAsks } from "../who.ts";

/** A live engine looks at least once a second. */
const TAKEN_WITHIN_MS = 10_000;

export const command: Command = {
  usage: "cancel RUN",
  describe:
    "Stops a run's steps and ends it as canceled, whether an engine drives it or not. It can be resumed.",
  positionals: { RUN: RUN_POSITIONAL },
  options: {
    reason: { kind: "value", value: "T", describe: "why, for the record" },
    secret: { ...SECRET_OPTION, describe: `if finally steps have to run: ${SECRET_OPTION.describe}` },
    "runs-dir": RUNS_DIR_OPTION,
    json: JSON_OPTION,
  },
  examples: [
    ["wf cancel latest", "stop the newest run"],
    ["wf cancel k3f9 --reason 'wrong branch'", "and say why"],
  ],
  async run(args: Args): Promise<number> {
    const runsDir = findRunsDir(args.text("runs-dir"));
    const runDir = runToDrive(args.required("RUN"), runsDir, ({ run }) => `wf cancel ${shellWord(run)}`);
    const view = await viewRun(runDir);
    const given = givenSecrets(args);
    if (view.kind === "current") {
      refuseIfOver(view.record.status, view.record.runId);
      refuseOwn(view.record.runId);
      if (liveness(runDir).state === "nobody") await requireSecrets(view, given.secrets);
    }
    const file = writeCancelRequest(runDir, { reason: args.text("reason") ?? "", by: whoAsks() });
    const json = args.flag("json");
    const tell = (result: CancelResult) => {
      const name = nameOf(runDir, runsDir);
      if (json) printJson(cancelJson(name, runDir, file, result));
      else print(cancelText(name, result));
      return result.kind === "refused" ? ExitCode.usage : ExitCode.ok;
    };
    for (let tries = 0; ; tries += 1) {
      const driver = liveness(runDir);
      if (driver.state !== "nobody") {
        const result = await waitUntilTaken(runDir, file, driver, TAKEN_WITHIN_MS);
        if (result !== null) return tell(result);
      }
      try {
        return await endIt({ runDir, ...given }, runsDir, json, file);
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

/** A step ends its run by failing, not by a request that looks like a person's. */
function refuseOwn(runId: string): void {
  if (cookieOf(runId) === null) return;
  throw new WfError({
    code: "OWN_GATE",
    message: `this is a process of a step of run ${runId}: it can not cancel its own run`,
    hint: "a step that fails ends the run; a person cancels it from another shell",
  });
}

/** Nobody drives the run: this process does, takes the request and ends the run. */
async function endIt(request: ResumeRequest, runsDir: string, json: boolean, file: string): Promise<number> {
  const { runDir } = request;
  const { resume } = await import("../../engine/resume.ts");
  return await driveAndTell(
    {
      json,
      runsDir,
      runDir,
      exitCode: ({ record }) => (record.status === "canceled" ? ExitCode.ok : ExitCode.failed),
      toJson: ({ outcome: { record }, name }) =>
        cancelJson(name, runDir, file, { kind: "ended", status: record.status }),
    },
    (observer) => resume({ ...request, observer }),
  );
}
