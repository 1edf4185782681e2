import type { MapNode } from "./node.ts";

/** What a workflow or step says of itself, found without judging it. */
export function idOf(map: MapNode): string | null {
  const node = map.entries.get("id")?.value;
  return node?.kind === "scalar" && typeof node.value === "string" ? node.value : null;
}

/** The maps in a list. */
export function itemsOf(map: MapNode, key: string): MapNode[] {
  const list = map.entries.get(key)?.value;
  return list?.kind === "list" ? list.items.filter((item) => item.kind === "map") : [];
}

/** Those of `finally` too. */
export function stepsOf(workflow: MapNode): MapNode[] {
  return [...itemsOf(workflow, "steps"), ...itemsOf(workflow, "finally")];
}

export function hasInput(workflow: MapNode, name: string): boolean {
  const node = workflow.entries.get("inputs")?.value;
  if (node?.kind === "map") return node.entries.has(name);
  return node?.kind === "list" && node.items.some((item) => item.kind === "scalar" && item.value === name);
}

/** The names of a workflow's `outputs`; null if they can not be known. */
export function outputsOf(workflow: MapNode): readonly string[] | null {
  const node = workflow.entries.get("outputs")?.value;
  if (!node) return [];
  return node.kind === "map" ? [...node.entries.keys()] : null;
}

/** The workflow that is written in a step, and the step, by the ids of the steps that hold it, from the outside in. */
export function nestedIn(
  workflow: MapNode,
  ids: readonly string[],
): { step: MapNode; map: MapNode }[] | null {
  const found: { step: MapNode; map: MapNode }[] = [];
  let at = workflow;
  for (const id of ids) {
    const step = stepsOf(at).find((each) => idOf(each) === id);
    const map = step?.entries.get("workflow")?.value;
    if (!step || map?.kind !== "map") return null;
    found.push({ step, map });
    at = map;
  }
  return found;
}
