import { suggest } from "./did-you-mean.ts";
import { readWorkbookLimits } from "./limits.ts";
import type { MapNode } from "./node.ts";
import { checkKeys, type Reader } from "./read.ts";
import type { Surroundings } from "./workflow.ts";

const WORKBOOK_KEYS = {
  what: "a workbook",
  known: ["workflows", "default_workflow", "agents", "providers", "env", "workflow_orchestration"],
  // For other programs that read the file.
  ignored: ["id", "description", "selector_agent", "selection_max_retries", "can_orchestrate_workflows"],
};

export interface Selected {
  readonly map: MapNode;
  readonly around: Surroundings;
}

/** The workflow of a workbook that `id` names, else its default, else its only one; null if there is none. */
export function selectWorkflow(book: MapNode, id: string | undefined, reader: Reader): Selected | null {
  checkKeys(book, WORKBOOK_KEYS, reader.problems);
  const [env, agents, providers] = ["env", "agents", "providers"].map((key) => book.entries.get(key)?.value);
  const limits = readWorkbookLimits(book.entries.get("workflow_orchestration")?.value, reader);
  const found = listWorkflows(book, reader);
  const entry = book.entries.get("default_workflow");
  const byDefault = reader.string(entry?.value, "`default_workflow`");
  if (entry && byDefault !== null && !found.has(byDefault)) {
    const hint = suggest(byDefault, found, "workflows");
    reader.problems.add(
      "UNKNOWN_WORKFLOW",
      entry.value,
      `there is no workflow "${byDefault}" in this file`,
      hint,
    );
  }
  const wanted = id ?? byDefault ?? (found.size === 1 ? [...found.keys()][0] : undefined);
  const map = wanted === undefined ? undefined : found.get(wanted);
  if (map) return { map, around: { env, agents, providers, limits } };
  const at = book.entries.get("workflows")?.key ?? book;
  if (wanted === undefined && found.size > 0) {
    const hint = `name one of: ${[...found.keys()].join(", ")}; or set \`default_workflow\``;
    reader.problems.add("UNKNOWN_WORKFLOW", at, "the file holds several workflows", hint);
  } else if (id !== undefined) {
    reader.problems.add(
      "UNKNOWN_WORKFLOW",
      at,
      `there is no workflow "${id}" in this file`,
      suggest(id, found, "workflows"),
    );
  }
  return null;
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
