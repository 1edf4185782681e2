import { existsSync } from "node:fs";
import { join, sep } from "node:path";
import { itemsOf } from "../core/fold-fan.ts";
import type { AttemptName } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { WfError } from "../core/problem.ts";
import { type StepRecord, stepRecord } from "../core/record.ts";
import { nodeOf } from "../core/state.ts";
import { nestedDir, RUN_FILES } from "../store/layout.ts";
import { type CurrentView, foldedRun, type ReadableRun, viewRun } from "./view.ts";

/** One item of a step with `foreach`, as `run.json` would have it if it had room. */
export interface ItemView {
  readonly item: number;
  readonly value: Json;
  readonly record: StepRecord;
}

/** The items of a step's present list, in order; none if it has no `foreach`, or that has not begun. */
export async function itemsOfStep(run: ReadableRun, step: string): Promise<ItemView[]> {
  if (run.record.steps[step]?.items === undefined) return [];
  const { state } = await foldedRun(run);
  const { fan } = nodeOf(state, step);
  return (fan ? itemsOf(fan) : []).map((node, item) => ({
    item,
    value: node.item?.value ?? null,
    record: stepRecord(node),
  }));
}

/**
 * The run that an attempt is, as it is now; null if the attempt is none, or that run is not there yet. Raises
 * RUN_DAMAGED, FORMAT_UNKNOWN, IO_ERROR.
 */
export async function viewNested(runDir: string, name: AttemptName): Promise<CurrentView | null> {
  if (!hasNested(runDir, name)) return null;
  const view = await viewRun(nestedDir(runDir, name));
  return view.kind === "current" ? view : null;
}

/** The same; null as well if that run can not be read, for whoever can do without. */
export async function viewNestedIfReadable(runDir: string, name: AttemptName): Promise<CurrentView | null> {
  try {
    return await viewNested(runDir, name);
  } catch (error) {
    if (error instanceof WfError) return null;
    throw error;
  }
}

export function hasNested(runDir: string, name: AttemptName): boolean {
  return existsSync(nestedDir(runDir, name));
}

/** The run around a nested one: its directory, and the attempt of it that the nested run is. */
export interface Around {
  readonly runDir: string;
  readonly attempt: AttemptName;
}

/** By where it lies; null if it lies in no run. */
export function runAround(runDir: string): Around | null {
  const [, step = "", child = "", grandchild] =
    /\/steps\/([^/]+)\/([^/]+)(?:\/([^/]+))?\/run$/.exec(runDir.replaceAll(sep, "/")) ?? [];
  const attempt = numberIn("attempt", grandchild ?? child);
  const item = grandchild === undefined ? undefined : numberIn("item", child);
  if (attempt === null || item === null) return null;
  const name = { step, ...(item !== undefined && { item }), attempt };
  const around = runDir.slice(0, -nestedDir(sep, name).length);
  return existsSync(join(around, RUN_FILES.journal)) ? { runDir: around, attempt: name } : null;
}

/** `("item", "item-3")` → 3. */
function numberIn(word: string, name: string): number | null {
  const [, before, number] = /^([a-z]+)-(0|[1-9]\d{0,8})$/.exec(name) ?? [];
  return before === word ? Number(number) : null;
}
