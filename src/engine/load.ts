import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { WfError } from "../core/problem.ts";
import type { DefinitionIn } from "../core/state.ts";
import type { Workflow } from "../core/workflow.ts";
import { type GivenFile, loadWorkflow, type Selection } from "../language/load.ts";
import { noting, readCopies } from "../store/copies.ts";
import { RUN_FILES } from "../store/layout.ts";
import { readBeside } from "../system/read-beside.ts";

export interface LoadedFile {
  readonly bytes: Buffer;
  readonly sha256: string;
  readonly workflow: Workflow;
  /** Other files it is made of, such as prompts, by their path in the run. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Reads and checks a workflow file; raises all that is wrong with it. */
export function loadFile(path: string, workflowId: string | undefined): LoadedFile {
  const bytes = readWorkflowFile(path);
  const { readFile, found } = noting(readBeside(dirname(path)));
  const workflow = parse({ path, bytes, readFile }, { id: workflowId });
  return { bytes, sha256: sha256(bytes), workflow, files: found };
}

/** The definitions that a run goes by one after the other, by their files in it; each is read once. */
export function definitionsIn(runDir: string, selection: Selection): DefinitionIn {
  const known = new Map<string, Workflow>();
  return (file) => {
    const path = join(runDir, file);
    const workflow = known.get(file) ?? loadCopy(dirname(path), readFileSync(path), selection);
    known.set(file, workflow);
    return workflow;
  };
}

/** The definition in a run, with the copies of the files it is made of. */
export function loadCopy(runDir: string, bytes: Uint8Array, selection: Selection): Workflow {
  return parse({ path: join(runDir, RUN_FILES.definition), bytes, readFile: readCopies(runDir) }, selection);
}

function parse(file: GivenFile, selection: Selection): Workflow {
  const loaded = loadWorkflow(file, selection);
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
