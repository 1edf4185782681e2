import { existsSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";

/** The project folder of a run: by the way from the run, else where it was recorded; null if it is not here. */
export function recordedProject(
  runDir: string,
  recorded: {
    readonly project: string;
    readonly projectFromRun?: string | null | undefined;
    readonly source: string;
  },
): string | null {
  const { project, projectFromRun, source } = recorded;
  if (typeof projectFromRun === "string") {
    const near = resolve(runDir, projectFromRun);
    // A run that was copied elsewhere would otherwise take whatever folder lies above it for its project.
    if (near === project || existsSync(sourcePath(near, source))) return near;
  }
  return existsSync(project) ? project : null;
}

/** Where the workflow file was, such as `project:ci/release.yaml`. */
export function sourcePath(project: string, source: string): string {
  const path = source.replace(/^project:/, "");
  return isAbsolute(path) ? path : join(project, path);
}
