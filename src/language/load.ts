import type { Problem } from "../core/problem.ts";
import type { Workflow } from "../core/workflow.ts";
import { Definitions } from "./definitions.ts";

/** A file as it was read; `path` is how messages call it. */
export interface GivenFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  /**
   * A file that this one names; null if there is none. The path is relative to this file, with `/` between its parts,
   * and has no `..` in it.
   */
  readonly readFile?: (path: string, use: FileUse) => Uint8Array | null;
}

/** A prompt of the file itself; or a workflow that a step runs, and whatever that needs. */
export type FileUse = "prompt" | "workflow";

/** Which workflow of a file. */
export interface Selection {
  /** Absent: the file's `default_workflow`, else its only one. */
  readonly id?: string | undefined;
  /** A workflow that is written in a step: as `NestedDefinition` has it. */
  readonly step?: string | undefined;
}

export type Loaded =
  | { readonly ok: true; readonly workflow: Workflow }
  | { readonly ok: false; readonly problems: readonly [Problem, ...Problem[]] };

/**
 * A workflow of a file, and those that its steps run; or all that is wrong with them, in the order of the file, and then
 * of the files that it names. Reads other files by `file.readFile` alone.
 */
export function loadWorkflow(file: GivenFile, selection: Selection = {}): Loaded {
  const definitions = new Definitions();
  const workflow = definitions.read(file, selection);
  const [first, ...rest] = definitions.problems();
  if (first) return { ok: false, problems: [first, ...rest] };
  if (!workflow) throw new Error("a workflow was refused without a reason");
  return { ok: true, workflow };
}
