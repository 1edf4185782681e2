import type { Json } from "../core/json.ts";
import type { GivenFile, Selection } from "./load.ts";
import { type MapNode, toJson } from "./node.ts";
import { idOf, itemsOf, nestedIn, stepsOf } from "./outline.ts";
import { parseYaml } from "./parse.ts";
import { Problems } from "./report.ts";
import { decode, type SourceText } from "./source.ts";

/** Where something stands, and what it says there. */
export interface KeyPosition {
  /** From 1. */
  readonly line: number;
  readonly value: Json;
  /** Key and value as they are written, from that line on. */
  readonly text: readonly string[];
}

export interface StepPosition {
  /** Of its `id`. */
  readonly line: number;
  readonly keys: ReadonlyMap<string, KeyPosition>;
}

/** Where the parts of a workflow stand in its file. */
export interface Positions {
  /** Those of `finally` too, by id. */
  readonly steps: ReadonlyMap<string, StepPosition>;
  /** Of the workflow itself, such as `limits` and `outputs`. */
  readonly keys: ReadonlyMap<string, KeyPosition>;
}

const NOWHERE: Positions = { steps: new Map(), keys: new Map() };

/** Of a file that has been loaded without a problem; of any other as much as can be found. */
export function positionsOf(file: Pick<GivenFile, "path" | "bytes">, selection: Selection): Positions {
  const decoded = decode(file.path, file.bytes);
  if (!decoded.ok) return NOWHERE;
  const { source } = decoded;
  const root = parseYaml(new Problems(source));
  const map = root?.kind === "map" ? workflowIn(root, selection) : undefined;
  if (!map) return NOWHERE;
  const steps = new Map<string, StepPosition>();
  for (const step of stepsOf(map)) {
    const at = step.entries.get("id");
    const value = at?.value;
    if (!at || value?.kind !== "scalar" || steps.has(String(value.value))) continue;
    steps.set(String(value.value), { line: lineOf(source, at.start), keys: keysOf(step, source) });
  }
  return { steps, keys: keysOf(map, source) };
}

function workflowIn(root: MapNode, { id, step }: Selection): MapNode | undefined {
  const isWorkbook = root.entries.has("workflows");
  const ids = step === undefined ? [] : step.split("/");
  const wanted = step === undefined ? id : ids[0];
  if (!isWorkbook) return step === undefined ? root : nestedIn(root, ids)?.at(-1)?.map;
  const top = itemsOf(root, "workflows").find((map) => idOf(map) === wanted);
  return step === undefined || !top ? top : nestedIn(top, ids.slice(1))?.at(-1)?.map;
}

/** What stands there is read only when it is asked for: a workflow's value is that of all its steps. */
function keysOf(map: MapNode, source: SourceText): Map<string, KeyPosition> {
  const keys = new Map<string, KeyPosition>();
  for (const [name, entry] of map.entries) {
    keys.set(name, {
      line: lineOf(source, entry.start),
      get value() {
        return toJson(entry.value);
      },
      get text() {
        return source.text.slice(entry.start, entry.value.end).split("\n");
      },
    });
  }
  return keys;
}

function lineOf(source: SourceText, offset: number): number {
  return source.place({ start: offset, end: offset }).position.line;
}
