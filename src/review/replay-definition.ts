import { readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { WfError } from "../core/problem.ts";
import type { NestedStep, Workflow } from "../core/workflow.ts";
import { type GivenFile, loadWorkflow, type Selection } from "../language/load.ts";
import { type Positions, positionsOf } from "../language/positions.ts";
import { noting, type ReadNamed } from "../store/copies.ts";
import { errnoOf, ioError } from "../store/io-error.ts";
import { copyPath, RUN_FILES } from "../store/layout.ts";
import { readBeside } from "../system/read-beside.ts";
import type { Located } from "./replay-difference.ts";
import { invalid, type Recorded } from "./replay-record.ts";

/** A definition, checked, and where its parts stand. */
export interface Definition extends Located {
  readonly workflow: Workflow;
  readonly bytes: Uint8Array;
  /** Of the files that it names, as a run keeps them; by their path in the run. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** What a step of it runs. */
  inside(step: NestedStep): Definition;
}

/** The definition that a record was made with: the copy in it. Raises FIXTURE_INVALID. */
export function recordedDefinition({ created, files }: Recorded, name: string): Definition {
  const text = files.get(RUN_FILES.definition);
  if (text === undefined) throw invalid(`${name} has no ${RUN_FILES.definition}`);
  const readFile: ReadNamed = (path, use) => {
    const found = files.get(copyPath(path, use));
    return found === undefined ? null : Buffer.from(found);
  };
  const file = { path: join(name, RUN_FILES.definition), bytes: Buffer.from(text) };
  try {
    return load(file, readFile, created.workflow, join(name, RUN_FILES.workflows));
  } catch (error) {
    if (!(error instanceof WfError)) throw error;
    throw invalid(`${file.path} is not a workflow that this version reads: ${error.message}`);
  }
}

/** Raises FILE_NOT_FOUND, IO_ERROR, and all that is wrong with it. */
export function presentDefinition(path: string, selection: Selection): Definition {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw ioError(error, `read ${path}`);
    throw new WfError({ code: "FILE_NOT_FOUND", message: `there is no file ${path}` });
  }
  return load({ path, bytes }, readBeside(dirname(path)), selection, dirname(path));
}

/** @param beside where the files of nested workflows are, as messages call it */
function load(file: GivenFile, read: ReadNamed, selection: Selection, beside: string): Definition {
  const { readFile, found } = noting(read);
  const loaded = loadWorkflow({ ...file, readFile }, selection);
  if (!loaded.ok) throw new WfError(loaded.problems);
  const fileAt = (at: string): Pick<GivenFile, "path" | "bytes"> => {
    const bytes = at === "" ? file.bytes : found.get(copyPath(at, "workflow"));
    return at === "" || !bytes ? file : { path: join(beside, at), bytes };
  };
  return definition({ fileAt, files: found, at: "", selection }, loaded.workflow);
}

interface Standing {
  /** Relative to the folder of the first file; empty for that one. */
  readonly at: string;
  readonly selection: Selection;
  readonly files: Definition["files"];
  fileAt(at: string): Pick<GivenFile, "path" | "bytes">;
}

function definition(standing: Standing, workflow: Workflow): Definition {
  const { at, selection, files, fileAt } = standing;
  const file = fileAt(at);
  let positions: Positions | undefined;
  return {
    workflow,
    bytes: file.bytes,
    files,
    file: file.path,
    positions: () => {
      positions ??= positionsOf(file, selection);
      return positions;
    },
    inside: ({ definition: inner }) => {
      const { id, step } = inner;
      const path = inner.file === undefined ? at : posix.join(posix.dirname(at), inner.file);
      return definition({ ...standing, at: path, selection: { id, step } }, inner.workflow);
    },
  };
}

/** A workflow and those that its steps run, however deep. */
export function allWorkflows(workflow: Workflow, seen = new Set<Workflow>()): Set<Workflow> {
  if (seen.has(workflow)) return seen;
  seen.add(workflow);
  for (const step of workflow.steps) {
    if (step.type === "workflow") allWorkflows(step.definition.workflow, seen);
  }
  return seen;
}
