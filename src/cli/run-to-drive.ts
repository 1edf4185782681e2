import { WfError } from "../core/problem.ts";
import { readCreated } from "../store/read-created.ts";
import { readSnapshot, readSnapshotFile } from "../store/snapshot.ts";
import { findRun } from "./find-run.ts";
import { LEGACY_WHY } from "./render/legacy.ts";
import { type RunName, runName } from "./run-name.ts";

/**
 * The directory of a run that is to be driven, canceled or decided on. `instead`: the command for a run that is nested
 * in another. Raises RUN_NOT_FOUND, RUN_AMBIGUOUS, LEGACY_RUN, WRONG_STATE.
 */
export function runToDrive(name: string, runsDir: string, instead: (around: RunName) => string): string {
  const { id, path } = findRun(name, runsDir);
  const isFile = path.endsWith(".json");
  const snapshot = isFile ? readSnapshotFile(path) : readSnapshot(path);
  if (snapshot.kind === "legacy") {
    throw new WfError({
      code: "LEGACY_RUN",
      message: `run ${snapshot.record.runId} can be read but not resumed or canceled: ${LEGACY_WHY}`,
      hint: `look:  wf status ${id}`,
    });
  }
  if (isFile)
    throw new WfError({ code: "RUN_NOT_FOUND", message: `${name} is no run`, hint: "wf ls lists the runs" });
  if (readCreated(path)?.parent) throw isPart(path, runsDir, instead);
  return path;
}

function isPart(path: string, runsDir: string, instead: (around: RunName) => string): WfError {
  const around = runName(path, runsDir);
  if (around.within === "") {
    return new WfError({
      code: "WRONG_STATE",
      message: `${around.run} is a part of another run, and that does not lie around it`,
      hint: "it can be read; only the run around it can be resumed, canceled or decided on",
    });
  }
  return new WfError({
    code: "WRONG_STATE",
    message: `this is the run of ${around.within}, a part of run ${around.run}`,
    hint: `the whole of it:  ${instead(around)}`,
  });
}
