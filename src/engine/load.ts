import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { WfError } from "../core/problem.ts";
import type { Workflow } from "../core/workflow.ts";
import { loadWorkflow } from "../language/load.ts";
import { RUN_FILES } from "../store/layout.ts";
import { readBeside } from "../system/read-beside.ts";

export interface LoadedFile {
  readonly bytes: Buffer;
  readonly sha256: string;
  readonly workflow: Workflow;
  /** Other files it is made of, such as prompts, by their path relative to it. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Reads and checks a workflow file; raises all that is wrong with it. */
export function loadFile(path: string, workflowId: string | undefined): LoadedFile {
  const bytes = readWorkflowFile(path);
  const files = new Map<string, Uint8Array>();
  const workflow = parse(path, bytes, workflowId, dirname(path), files);
  return { bytes, sha256: sha256(bytes), workflow, files };
}

/** The definition in a run, with the copies of the files it is made of. */
export function loadCopy(runDir: string, bytes: Uint8Array, workflowId: string): Workflow {
  const path = join(runDir, RUN_FILES.definition);
  return parse(path, bytes, workflowId, join(runDir, RUN_FILES.prompts), new Map());
}

function parse(
  path: string,
  bytes: Uint8Array,
  id: string | undefined,
  folder: string,
  files: Map<string, Uint8Array>,
): Workflow {
  const read = readBeside(folder);
  const readFile = (name: string) => {
    const content = read(name);
    if (content !== null) files.set(name, content);
    return content;
  };
  const loaded = loadWorkflow({ path, bytes, readFile }, { id });
  if (!loaded.ok) throw new WfError(loaded.problems);
  return loaded.workflow;
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function readWorkflowFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw new WfError({
        code: "FILE_NOT_FOUND",
        message: `there is no file ${path}`,
        hint: "wf init writes one",
      });
    }
    const why = code === "EISDIR" ? "it is a folder" : String(code);
    throw new WfError(
      { code: "FILE_UNREADABLE", message: `${path} can not be read: ${why}` },
      { cause: error },
    );
  }
}
