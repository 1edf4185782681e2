import type { Problem } from "../core/problem.ts";
import type { Workflow } from "../core/workflow.ts";
import { suggest } from "./did-you-mean.ts";
import { parseYaml } from "./parse.ts";
import { PromptFiles } from "./prompt-file.ts";
import { Reader } from "./read.ts";
import { Problems } from "./report.ts";
import { decode } from "./source.ts";
import { selectWorkflow } from "./workbook.ts";
import { readWorkflow } from "./workflow.ts";

/** A file as it was read; `path` is how messages call it. */
export interface GivenFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  /**
   * A file that this one names, such as a prompt; null if there is none. The path is relative to this file, with `/`
   * between its parts, and has no `..` in it.
   */
  readonly readFile?: (path: string) => Uint8Array | null;
}

export type Loaded =
  | { readonly ok: true; readonly workflow: Workflow }
  | { readonly ok: false; readonly problems: readonly [Problem, ...Problem[]] };

/**
 * The workflow that a file describes, or all that is wrong with it, in the order of the file. Of a workbook: the
 * workflow named by `id`, else its `default_workflow`, else its only one. Reads other files by `file.readFile` alone.
 */
export function loadWorkflow(file: GivenFile, options: { readonly id?: string | undefined } = {}): Loaded {
  const decoded = decode(file.path, file.bytes);
  if (!decoded.ok) return { ok: false, problems: [decoded.problem] };
  const problems = new Problems(decoded.source);
  const workflow = read(file, problems, options.id);
  const [first, ...rest] = problems.sorted();
  if (first) return { ok: false, problems: [first, ...rest] };
  if (!workflow) throw new Error("a workflow was refused without a reason");
  return { ok: true, workflow };
}

function read(file: GivenFile, problems: Problems, id: string | undefined): Workflow | null {
  const reader = new Reader(problems);
  const prompts = new PromptFiles(file, reader);
  const root = parseYaml(problems);
  if (!root) return null;
  const map = reader.map(root, "the file", "it begins with `id:` and `steps:`");
  if (!map) return null;
  if (map.entries.has("workflows")) {
    const selected = selectWorkflow(map, id, reader);
    return selected && readWorkflow(selected.map, selected.around, prompts, reader);
  }
  const own = map.entries.get("id")?.value;
  if (id !== undefined && own?.kind === "scalar" && own.value !== id) {
    problems.add(
      "UNKNOWN_WORKFLOW",
      own,
      `there is no workflow "${id}" in this file`,
      suggest(id, [String(own.value)], "workflows"),
    );
  }
  return readWorkflow(map, { limits: {} }, prompts, reader);
}
