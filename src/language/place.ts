import type { Selection } from "./load.ts";
import type { MapNode, Node } from "./node.ts";
import { hasInput, idOf, nestedIn, stepsOf } from "./outline.ts";
import { chooseWorkflow } from "./workbook.ts";
import type { Surroundings } from "./workflow.ts";
import type { OpenFile } from "./workflow-files.ts";

/** Where a workflow stands. */
export interface Place {
  readonly file: OpenFile;
  readonly map: MapNode;
  readonly around: Surroundings;
  /** Of a workbook, the id of its workflow; then the ids of the steps that hold it, from the outside in. */
  readonly at: readonly string[];
}

/** The workflow that was asked for; null if there is none, which has been reported. */
export function placeOf(file: OpenFile, selection: Selection): Place | null {
  return selection.step === undefined
    ? choose(file, selection.id)
    : select(file, selection.step, selection.id);
}

/** A workflow that is not in a step. */
export function topOf(file: OpenFile, map: MapNode): Place {
  const at = file.book.isWorkbook ? [idOf(map) ?? ""] : [];
  return { file, map, at, around: file.book.around };
}

/** A workflow that is written in a step; it shares what the workflow around it has. Of `env` it is given the values when it runs. */
export function inStep(from: Place, map: MapNode, stepId: string): Place {
  const { around } = from;
  const own = (key: string): Node[] => {
    const node = from.map.entries.get(key)?.value;
    return node ? [node] : [];
  };
  const [shell = around.shell] = own("shell");
  const outside = {
    hasInput: (name: string) => hasInput(from.map, name),
    hasStep: (id: string) => stepsOf(from.map).some((step) => idOf(step) === id),
  };
  return {
    file: from.file,
    map,
    at: [...from.at, stepId],
    around: {
      agents: [...around.agents, ...own("agents")],
      providers: [...around.providers, ...own("providers")],
      ...(shell ? { shell } : {}),
      limits: around.limits,
      inStep: { id: stepId, outside },
    },
  };
}

function choose(file: OpenFile, id: string | undefined): Place | null {
  const { book, root, reader } = file;
  const choice = chooseWorkflow(book, id);
  if (choice?.ok) return topOf(file, choice.map);
  const at = book.isWorkbook ? root.entries.get("workflows") : root.entries.get("id")?.value;
  if (choice) reader.problems.add("UNKNOWN_WORKFLOW", at ?? root, choice.message, choice.hint);
  return book.isWorkbook ? null : topOf(file, root);
}

function select(file: OpenFile, step: string, id: string | undefined): Place | null {
  const { book, root, reader } = file;
  const ids = step.split("/");
  const top = book.isWorkbook ? book.workflows.get(ids.shift() ?? "") : root;
  const nested = top ? nestedIn(top, ids) : null;
  let place = top ? topOf(file, top) : null;
  for (const [index, { map }] of (nested ?? []).entries())
    place = place && inStep(place, map, ids[index] as string);
  const own = place && (idOf(place.map) ?? ids.at(-1));
  if (nested && nested.length > 0 && (id === undefined || id === own)) return place;
  const what = id === undefined ? "no workflow" : `no workflow "${id}"`;
  const at = { start: root.start, end: root.start + 1 };
  reader.problems.add("UNKNOWN_WORKFLOW", at, `there is ${what} in a step "${step}" of this file`);
  return null;
}
