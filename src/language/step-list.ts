import { idFault } from "../core/ids.ts";
import type { Step } from "../core/workflow.ts";
import { checkAncestors, checkCycles, readNeeds } from "./graph.ts";
import type { MapNode } from "./node.ts";
import type { Reader } from "./read.ts";
import { type FoundStep, readStep, type StepSurroundings } from "./step.ts";

/** The steps of a workflow and of its `finally`, in this order, as they stand in the file. */
export interface FoundSteps {
  readonly steps: readonly FoundStep[];
  /** How many of them are not of `finally`. */
  readonly mainSteps: number;
  /** Index of the first step of each id. */
  readonly ids: ReadonlyMap<string, number>;
}

/** The `id` of a workflow or step; null if there is none, or none that is text. */
export function readId(map: MapNode, what: string, reader: Reader): string | null {
  const node = map.entries.get("id")?.value;
  if (!node) {
    reader.problems.add(
      "MISSING_KEY",
      { start: map.start, end: map.start + 1 },
      `${what} has no \`id\``,
      "write `id: a-name`",
    );
    return null;
  }
  const id = reader.string(node, "`id`");
  const fault = id === null ? null : idFault(id);
  if (fault) reader.problems.add("BAD_ID", node, `the id "${id}" ${fault}`);
  return id;
}

export function findSteps(map: MapNode, reader: Reader): FoundSteps {
  const steps: FoundStep[] = [];
  const ids = new Map<string, number>();
  const places = new Map<string, number>();
  const find = (key: "steps" | "finally") => {
    const node = map.entries.get(key)?.value;
    const list = node && reader.list(node, `\`${key}\``);
    for (const item of list?.items ?? []) {
      const step = reader.map(item, "a step");
      if (!step) continue;
      const id = readId(step, "a step", reader) ?? "";
      const at = step.entries.get("id")?.value ?? step;
      if (ids.has(id) && id !== "") {
        const { line } = reader.problems.source.place({ start: places.get(id) ?? 0, end: 0 }).position;
        const message = `two steps have the id "${id}"; the first is in line ${line}`;
        reader.problems.add("DUPLICATE_ID", at, message);
      } else if (id !== "") {
        ids.set(id, steps.length);
        places.set(id, at.start);
      }
      steps.push({ map: step, id, index: steps.length, isFinally: key === "finally" });
    }
    return list;
  };
  if (!map.entries.has("steps")) {
    const at = { start: map.start, end: map.start + 1 };
    reader.problems.add("MISSING_KEY", at, "the workflow has no `steps`");
  }
  const main = find("steps");
  if (main?.items.length === 0) reader.problems.add("BAD_VALUE", main, "a workflow has at least one step");
  const mainSteps = steps.length;
  find("finally");
  return { steps, mainSteps, ids };
}

/** A graph if one of the steps has `needs`. */
export function shapeOf({ steps }: FoundSteps): "sequence" | "graph" {
  return steps.some(({ map, isFinally }) => !isFinally && map.entries.has("needs")) ? "graph" : "sequence";
}

export function readSteps(
  { steps, mainSteps, ids }: FoundSteps,
  parts: Omit<StepSurroundings, "steps" | "mainSteps">,
): Step[] {
  const { reader, names, shape } = parts;
  const main = steps.slice(0, mainSteps);
  const needs = main.map(({ map, id }) =>
    readNeeds(map.entries.get("needs")?.value, id, ids, mainSteps, reader),
  );
  if (shape === "graph") checkShape(main, reader);
  const around = { ...parts, steps: ids, mainSteps };
  const read = steps.map((step, index) => readStep(step, needs[index]?.indexes ?? [], around));
  names.settle();
  const mainIds = main.map(({ id }) => id);
  if (shape === "graph" && !checkCycles(needs, mainIds, reader.problems)) {
    checkAncestors(names.references, needs, mainIds, reader.problems);
  }
  return read.filter((step) => step !== null);
}

function checkShape(steps: readonly FoundStep[], reader: Reader): void {
  for (const { map, id } of steps) {
    if (map.entries.has("needs")) continue;
    const at = map.entries.get("id")?.value ?? { start: map.start, end: map.start + 1 };
    const hint = "other steps have `needs`: if this one needs nothing, write `needs: []`";
    reader.problems.add("MIXED_SHAPE", at, `step ${id} has no \`needs\``, hint);
  }
}
