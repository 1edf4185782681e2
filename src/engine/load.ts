import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { WfError } from "../core/problem.ts";
import type { Workflow } from "../core/workflow.ts";
import { loadWorkflow } from "../language/load.ts";

export interface LoadedFile {
  readonly bytes: Buffer;
  readonly sha256: string;
  readonly workflow: Workflow;
}

/** Reads and checks a workflow file; raises all that is wrong with it. */
export function loadFile(path: string, workflowId: string | undefined): LoadedFile {
  const bytes = readWorkflowFile(path);
  return { bytes, sha256: sha256(bytes), workflow: parseWorkflow(path, bytes, workflowId) };
}

export function parseWorkflow(path: string, bytes: Uint8Array, workflowId: string | undefined): Workflow {
  const loaded = loadWorkflow({ path, bytes }, workflowId === undefined ? {} : { id: workflowId });
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
