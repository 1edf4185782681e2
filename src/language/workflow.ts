import { idFault } from "../core/ids.ts";
import type { Step, Template, Workflow } from "../core/workflow.ts";
import { readEnv, readShell } from "./environment.ts";
import { checkAncestors, checkCycles, readNeeds } from "./graph.ts";
import { readInputs } from "./input-declarations.ts";
import { readLimits, type WorkbookLimits } from "./limits.ts";
import { Names, VIEWS } from "./names.ts";
import type { MapNode, Node } from "./node.ts";
import { checkKeys, type Reader } from "./read.ts";
import { checkPattern } from "./schema.ts";
import { readStep } from "./step.ts";

const WORKFLOW_KEYS = {
  what: "a workflow",
  known: [
    "id",
    "version",
    "description",
    "tags",
    "inputs",
    "env",
    "shell",
    "limits",
    "on_failure",
    "redact",
    "steps",
    "outputs",
  ],
  unsupported: ["agents", "providers", "finally"],
};

/** What a workbook shares with its workflows. */
export interface Surroundings {
  readonly env?: Node;
  readonly limits: WorkbookLimits;
}

/** Reads a workflow; whatever is wrong with it has been reported to the reader. */
export function readWorkflow(map: MapNode, book: Surroundings, reader: Reader): Workflow {
  checkKeys(map, WORKFLOW_KEYS, reader.problems);
  const get = (key: string): Node | undefined => map.entries.get(key)?.value;
  const id = readId(map, "the workflow", reader) ?? "";
  const description = reader.string(get("description"), "`description`");
  const version = readVersion(get("version"), reader);
  const inputs = readInputs(get("inputs"), reader);
  const found = findSteps(map, reader);
  const names = new Names(
    reader.problems,
    inputs.map((input) => input.name),
    found.ids,
  );
  const limits = readLimits(get("limits"), found.maps.length, book.limits, reader);
  const shape = found.maps.some((step) => step.map.entries.has("needs")) ? "graph" : "sequence";
  const env = {
    ...readEnv(book.env, reader, names, VIEWS.workflowEnv),
    ...readEnv(get("env"), reader, names, VIEWS.workflowEnv),
  };
  const steps = readSteps(found, shape, { limits, shell: readShell(get("shell"), reader), reader, names });
  return {
    id,
    ...(version === null ? {} : { version }),
    ...(description === null ? {} : { description }),
    tags: reader.texts(get("tags"), "`tags`").map((tag) => tag.value),
    shape,
    inputs,
    env,
    limits: limits.limits,
    onFailure: readOnFailure(get("on_failure"), shape, reader),
    redact: readRedact(get("redact"), reader),
    steps,
    outputs: readRunOutputs(get("outputs"), reader, names),
  };
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

function readVersion(node: Node | undefined, reader: Reader): string | number | null {
  if (!node) return null;
  const value = node.kind === "scalar" ? node.value : null;
  if (typeof value === "string" || typeof value === "number") return value;
  return reader.wrongType(node, "`version`", "text or a number");
}

interface FoundStep {
  readonly map: MapNode;
  readonly id: string;
}

interface FoundSteps {
  readonly maps: readonly FoundStep[];
  /** The first step of each id. */
  readonly ids: ReadonlyMap<string, number>;
}

function findSteps(map: MapNode, reader: Reader): FoundSteps {
  const node = map.entries.get("steps")?.value;
  if (!node) {
    reader.problems.add(
      "MISSING_KEY",
      { start: map.start, end: map.start + 1 },
      "the workflow has no `steps`",
    );
    return { maps: [], ids: new Map() };
  }
  const list = reader.list(node, "`steps`");
  if (list?.items.length === 0) reader.problems.add("BAD_VALUE", list, "a workflow has at least one step");
  const maps: FoundStep[] = [];
  const ids = new Map<string, number>();
  const places = new Map<string, number>();
  for (const item of list?.items ?? []) {
    const step = reader.map(item, "a step");
    if (!step) continue;
    const id = readId(step, "a step", reader) ?? "";
    const at = step.entries.get("id")?.value ?? step;
    if (ids.has(id) && id !== "") {
      const { line } = reader.problems.source.place({ start: places.get(id) ?? 0, end: 0 }).position;
      reader.problems.add("DUPLICATE_ID", at, `two steps have the id "${id}"; the first is in line ${line}`);
    } else if (id !== "") {
      ids.set(id, maps.length);
      places.set(id, at.start);
    }
    maps.push({ map: step, id });
  }
  return { maps, ids };
}

type StepParts = Omit<Parameters<typeof readStep>[4], "shape" | "steps">;

function readSteps({ maps, ids }: FoundSteps, shape: "sequence" | "graph", parts: StepParts): Step[] {
  const { reader, names } = parts;
  const needs = maps.map(({ map, id }) => readNeeds(map.entries.get("needs")?.value, id, ids, reader));
  const allIds = maps.map(({ id }) => id);
  if (shape === "graph") {
    for (const { map, id } of maps) {
      if (map.entries.has("needs")) continue;
      const at = map.entries.get("id")?.value ?? { start: map.start, end: map.start + 1 };
      const hint = "other steps have `needs`: if this one needs nothing, write `needs: []`";
      reader.problems.add("MIXED_SHAPE", at, `step ${id} has no \`needs\``, hint);
    }
  }
  const around = { ...parts, shape, steps: ids };
  const steps = maps.map(({ map, id }, index) =>
    readStep(map, id, index, needs[index]?.indexes ?? [], around),
  );
  if (shape === "graph" && !checkCycles(needs, allIds, reader.problems)) {
    checkAncestors(names.references, needs, allIds, reader.problems);
  }
  return steps.filter((step) => step !== null);
}

function readOnFailure(
  node: Node | undefined,
  shape: "sequence" | "graph",
  reader: Reader,
): "stop" | "continue" {
  const value = reader.choice(node, "`on_failure`", ["stop", "continue"]) ?? "stop";
  if (node && value === "continue" && shape === "sequence") {
    const hint = "it is for workflows with `needs`; a single step can have `allow_failure: true`";
    reader.problems.add("WRONG_SHAPE", node, "`on_failure: continue` has no meaning in a sequence", hint);
    return "stop";
  }
  return value;
}

function readRedact(node: Node | undefined, reader: Reader): string[] {
  const texts = reader.texts(node, "`redact`");
  return texts.filter((text) => !checkPattern(text.value, text, reader)).map((text) => text.value);
}

function readRunOutputs(node: Node | undefined, reader: Reader, names: Names): Record<string, Template> {
  const found: Record<string, Template> = {};
  const map =
    node && reader.map(node, "`outputs`", "write `outputs: { name: '{{steps.build.outputs.name}}' }`");
  for (const [name, entry] of map?.entries ?? []) {
    const text = reader.text(entry.value, `the output "${name}"`);
    if (text) found[name] = names.template(text, VIEWS.workflowOutput);
  }
  return found;
}
