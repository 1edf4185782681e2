import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { NestedDefinition, Workflow } from "../core/workflow.ts";
import { copyPath, RUN_FILES } from "../store/layout.ts";

/**
 * What the directory of a nested run gets of the run around it: the bytes of its definition, and the files that this is
 * made of, by their path in the nested run.
 */
export function nestedFiles(
  runDir: string,
  { file, workflow }: NestedDefinition,
): { readonly bytes: Buffer; readonly files: ReadonlyMap<string, Uint8Array> } {
  const folder = file === undefined ? null : folderOf(file);
  const read = (path: string) => readFileSync(join(runDir, path));
  const files = new Map<string, Uint8Array>();
  for (const { path, use } of namedBy(workflow)) {
    const copy = folder === null ? copyPath(path, use) : copyPath(folder + path, "workflow");
    files.set(copyPath(path, use), read(copy));
  }
  return { bytes: read(file === undefined ? RUN_FILES.definition : copyPath(file, "workflow")), files };
}

interface NamedFile {
  /** Relative to the folder of the definition. */
  readonly path: string;
  readonly use: "prompt" | "workflow";
}

/** The files that a definition is made of. What another file names is of use to that file's workflow alone. */
function* namedBy(
  workflow: Workflow,
  folder = "",
  use: NamedFile["use"] = "prompt",
  seen = { prompt: new Set<Workflow>(), workflow: new Set<Workflow>() },
): Generator<NamedFile> {
  if (seen[use].has(workflow)) return;
  seen[use].add(workflow);
  for (const step of workflow.steps) {
    if ("promptFile" in step && step.promptFile !== undefined) yield { path: folder + step.promptFile, use };
    if (step.type !== "workflow") continue;
    const { file, workflow: inner } = step.definition;
    if (file === undefined) yield* namedBy(inner, folder, use, seen);
    else {
      yield { path: folder + file, use: "workflow" };
      yield* namedBy(inner, folder + folderOf(file), "workflow", seen);
    }
  }
}

function folderOf(file: string): string {
  return file.slice(0, file.lastIndexOf("/") + 1);
}
