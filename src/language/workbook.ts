import { suggest } from "./did-you-mean.ts";
import { readWorkbookLimits } from "./limits.ts";
import type { MapNode, Node } from "./node.ts";
import { checkKeys, type Reader } from "./read.ts";
import type { Surroundings } from "./workflow.ts";

const WORKBOOK_KEYS = {
  what: "a workbook",
  known: ["workflows", "default_workflow", "agents", "providers", "env", "workflow_orchestration"],
  // For other programs that read the file.
  ignored: ["id", "description", "selector_agent", "selection_max_retries", "can_orchestrate_workflows"],
};

/** The workflows of a file; a file with one alone is no workbook, and shares nothing. */
export interface Book {
  readonly isWorkbook: boolean;
  /** By id; in a file with one alone also an id that is wrong. */
  readonly workflows: ReadonlyMap<string, MapNode>;
  readonly byDefault: string | null;
  readonly around: Surroundings;
}

/** A workflow of a file, or why none was chosen. */
export type Choice =
  | { readonly ok: true; readonly map: MapNode }
  | { readonly ok: false; readonly message: string; readonly hint: string };

export function readBook(root: MapNode, reader: Reader): Book {
  if (root.entries.has("workflows")) return readWorkbook(root, reader);
  const own = root.entries.get("id")?.value;
  const id = own?.kind === "scalar" ? String(own.value) : "";
  const around = { agents: [], providers: [], limits: {} };
  return { isWorkbook: false, workflows: new Map([[id, root]]), byDefault: null, around };
}

/**
 * The workflow that `id` names, else the default, else the only one; null if there is none, and that has been reported.
 * `shown`: the file, if it is not the one that is read.
 */
export function chooseWorkflow(book: Book, id: string | undefined, shown?: string): Choice | null {
  const { workflows, byDefault } = book;
  const ids = [...workflows.keys()];
  const wanted = id ?? byDefault ?? (ids.length === 1 ? ids[0] : undefined);
  // A file whose one workflow has no id has been reported for that.
  const map = book.isWorkbook || ids[0] !== "" ? workflows.get(wanted ?? "") : workflows.get("");
  if (map) return { ok: true, map };
  if (wanted === undefined && ids.length > 0) {
    const how = shown === undefined ? "or set `default_workflow`" : `such as ${shown}#${ids[0]}`;
    const message = `${shown ?? "the file"} holds several workflows`;
    return { ok: false, message, hint: `name one of: ${ids.join(", ")}; ${how}` };
  }
  if (id === undefined) return null;
  const message = `there is no workflow "${id}" in ${shown ?? "this file"}`;
  return { ok: false, message, hint: suggest(id, workflows, "workflows") };
}

function readWorkbook(book: MapNode, reader: Reader): Book {
  checkKeys(book, WORKBOOK_KEYS, reader.problems);
  const shared = (key: string): Node[] => {
    const node = book.entries.get(key)?.value;
    return node ? [node] : [];
  };
  const limits = readWorkbookLimits(book.entries.get("workflow_orchestration")?.value, reader);
  const workflows = listWorkflows(book, reader);
  const entry = book.entries.get("default_workflow");
  const byDefault = reader.string(entry?.value, "`default_workflow`");
  if (entry && byDefault !== null && !workflows.has(byDefault)) {
    const hint = suggest(byDefault, workflows, "workflows");
    const message = `there is no workflow "${byDefault}" in this file`;
    reader.problems.add("UNKNOWN_WORKFLOW", entry.value, message, hint);
  }
  const env = book.entries.get("env")?.value;
  const around = {
    ...(env ? { env } : {}),
    agents: shared("agents"),
    providers: shared("providers"),
    limits,
  };
  return { isWorkbook: true, workflows, byDefault, around };
}

function listWorkflows(book: MapNode, reader: Reader): Map<string, MapNode> {
  const found = new Map<string, MapNode>();
  const node = book.entries.get("workflows")?.value;
  const list = node ? reader.list(node, "`workflows`") : null;
  if (list?.items.length === 0)
    reader.problems.add("BAD_VALUE", list, "a workbook has at least one workflow");
  for (const item of list?.items ?? []) {
    const map = reader.map(item, "a workflow");
    const idNode = map?.entries.get("id")?.value;
    const id = idNode?.kind === "scalar" ? idNode.value : undefined;
    if (!map) continue;
    if (typeof id !== "string" || !idNode) {
      reader.problems.add(
        "MISSING_KEY",
        { start: map.start, end: map.start + 1 },
        "a workflow of the workbook has no `id`",
      );
    } else if (found.has(id))
      reader.problems.add("DUPLICATE_ID", idNode, `two workflows have the id "${id}"`);
    else found.set(id, map);
  }
  return found;
}
