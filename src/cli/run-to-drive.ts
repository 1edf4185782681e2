import { WfError } from "../core/problem.ts";
import { readSnapshot, readSnapshotFile } from "../store/snapshot.ts";
import { findRun } from "./find-run.ts";
import { LEGACY_WHY } from "./render/legacy.ts";

/** The directory of a run that is to be driven or canceled. Raises RUN_NOT_FOUND, RUN_AMBIGUOUS, LEGACY_RUN. */
export function runToDrive(name: string, runsDir: string): string {
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
  return path;
}
