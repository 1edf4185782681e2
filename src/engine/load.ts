import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { WfError } from "../core/problem.ts";
import type { NestedDefinition, Workflow } from "../core/workflow.ts";
import { loadWorkflow } from "../language/load.ts";
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
  const files = new Map<string, Uint8Array>();
  const workflow = parse(path, bytes, workflowId, dirname(path), files);
  return { bytes, sha256: sha256(bytes), workflow, files };
}

/** The definition in a run, with the copies of the files it is made of. */
export function loadCopy(runDir: string, bytes: Uint8Array, workflowId: string): Workflow {
  const path = join(runDir, RUN_FILES.definition);
  return parse(path, bytes, workflowId, join(runDir, RUN_FILES.prompts), new Map());
}

/**
 * What the directory of a nested run gets of the run around it: the bytes of its definition, and the files that this is
 * made of, by their path in the nested run.
 */
export function nestedFiles(
  runDir: string,
  { file, workflow }: NestedDefinition,
): { readonly bytes: Buffer; readonly files: ReadonlyMap<string, Uint8Array> } {
  const files = new Map<string, Uint8Array>();
  if (file === undefined) {
    for (const folder of [RUN_FILES.prompts, RUN_FILES.workflows]) {
      for (const path of filesBelow(join(runDir, folder))) {
        files.set(`${folder}/${path}`, readFileSync(join(runDir, folder, path)));
      }
    }
    return { bytes: readFileSync(join(runDir, RUN_FILES.definition)), files };
  }
  const copies = join(runDir, RUN_FILES.workflows);
  gather(workflow, join(copies, dirname(file)), "", files, new Set());
  return { bytes: readFileSync(join(copies, file)), files };
}

/** The files that a definition names, from the folder that it is relative to; `within`: that folder as its own run has it. */
function gather(
  { steps }: Workflow,
  folder: string,
  within: string,
  files: Map<string, Uint8Array>,
  seen: Set<Workflow>,
): void {
  const add = (root: string, path: string) =>
    files.set(
      within === "" ? `${root}/${path}` : `${RUN_FILES.workflows}/${within}/${path}`,
      readFileSync(join(folder, path)),
    );
  for (const step of steps) {
    if ("promptFile" in step && step.promptFile !== undefined) add(RUN_FILES.prompts, step.promptFile);
    if (step.type !== "workflow" || seen.has(step.definition.workflow)) continue;
    seen.add(step.definition.workflow);
    const { file, workflow } = step.definition;
    if (file === undefined) gather(workflow, folder, within, files, seen);
    else {
      add(RUN_FILES.workflows, file);
      gather(
        workflow,
        join(folder, dirname(file)),
        posix.join(within, posix.dirname(file), "."),
        files,
        seen,
      );
    }
  }
}

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) =>
    statSync(join(folder, path)).isFile(),
  );
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
    if (content !== null) files.set(`${RUN_FILES.prompts}/${name}`, content);
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
