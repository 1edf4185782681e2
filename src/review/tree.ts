import { type AttemptName, nameWithin, type PlaceName } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { WfError } from "../core/problem.ts";
import type { StepRecord, StepStatus } from "../core/record.ts";
import type { Workflow } from "../core/workflow.ts";
import { readDefinition } from "../store/open-run.ts";
import { itemsOfStep, viewNested } from "./inside.ts";
import { type CurrentView, definitionOf } from "./view.ts";

/** A run with its steps, their items, and the runs nested in these, as far as the bounds allow. */
export interface RunTree {
  readonly view: CurrentView;
  /** Null where it says nothing that is shown, or can not be read. */
  readonly workflow: Workflow | null;
  readonly steps: readonly StepTree[];
  /** Of the steps that are left out: how many there are of each status. */
  readonly left: StatusCounts;
}

export interface StepTree extends PlaceName {
  /** From the outermost run: `deploy/item-3/test`. */
  readonly name: string;
  readonly record: StepRecord;
  /** Of an item. */
  readonly value?: Json;
  /** With `foreach`: those that are not left out. */
  readonly items: readonly StepTree[];
  readonly left: StatusCounts;
  /** The nested run of the newest attempt. */
  readonly nested: Nested;
}

export type Nested =
  | { readonly is: "none" }
  | { readonly is: "shown"; readonly tree: RunTree }
  /** There is one, and it is beyond the bounds. */
  | { readonly is: "left out" }
  | { readonly is: "unreadable"; readonly why: string };

export type StatusCounts = Readonly<Partial<Record<StepStatus, number>>>;

/** How much of a run is looked at. What failed or is active goes before the rest. */
export interface Bounds {
  /** Items of a step. */
  readonly items: number;
  /** Steps of a nested run. */
  readonly steps: number;
  /** How deep runs are shown in which nothing failed or is active. */
  readonly depth: number;
  /** Nested runs in all. */
  readonly runs: number;
}

export const EVERYTHING: Bounds = {
  items: Number.POSITIVE_INFINITY,
  steps: Number.POSITIVE_INFINITY,
  depth: Number.POSITIVE_INFINITY,
  runs: Number.POSITIVE_INFINITY,
};

/** `within`: the steps that the run is in, if it is a nested one. */
export async function treeOf(view: CurrentView, bounds: Bounds, within = ""): Promise<RunTree> {
  return new Grower(bounds).run(view, within, 0);
}

class Grower {
  readonly #bounds: Bounds;
  #runs = 0;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  async run(view: CurrentView, within: string, depth: number): Promise<RunTree> {
    const all = Object.entries(view.record.steps).map(([step, record]) => ({ step, record }));
    const { shown, left } = choose(
      all,
      depth === 0 ? Number.POSITIVE_INFINITY : this.#bounds.steps,
      "in place",
    );
    const steps: StepTree[] = [];
    for (const { step, record } of shown) steps.push(await this.#step(view, step, record, within, depth));
    return { view, workflow: await workflowOf(view), steps, left };
  }

  async #step(
    view: CurrentView,
    step: string,
    record: StepRecord,
    within: string,
    depth: number,
  ): Promise<StepTree> {
    const name = nameWithin(within, { step });
    if (record.items === undefined) {
      const nested = await this.#nested(view, { step, attempt: record.attempts }, record, name, depth);
      return { name, step, record, items: [], left: {}, nested };
    }
    const found = await itemsOfStep(view, step).catch(asProblem);
    if (found instanceof WfError) {
      const { total: _, ...left } = record.items;
      return { name, step, record, items: [], left, nested: { is: "unreadable", why: found.message } };
    }
    const { shown, left } = choose(found, this.#bounds.items, "urgent first");
    const items: StepTree[] = [];
    for (const { item, value, record: ofItem } of shown) {
      const itemName = nameWithin(within, { step, item });
      const attempt = { step, item, attempt: ofItem.attempts };
      const nested = await this.#nested(view, attempt, ofItem, itemName, depth);
      items.push({ name: itemName, step, item, record: ofItem, value, items: [], left: {}, nested });
    }
    return { name, step, record, items, left, nested: { is: "none" } };
  }

  async #nested(
    view: CurrentView,
    attempt: AttemptName,
    record: StepRecord,
    name: string,
    depth: number,
  ): Promise<Nested> {
    if (attempt.attempt === 0) return { is: "none" };
    const inner = await viewNested(view.runDir, attempt).catch(asProblem);
    if (inner instanceof WfError) return { is: "unreadable", why: inner.message };
    if (inner === null) return { is: "none" };
    const { items, runs, depth: deepest } = this.#bounds;
    const isQuiet = !isTelling(record);
    const isOneOfMany = attempt.item !== undefined && Number.isFinite(items);
    if (this.#runs >= runs || (isQuiet && (depth >= deepest || isOneOfMany))) return { is: "left out" };
    this.#runs += 1;
    return { is: "shown", tree: await this.run(inner, name, depth + 1) };
  }
}

function asProblem(error: unknown): WfError {
  if (error instanceof WfError) return error;
  throw error;
}

interface Choice<T> {
  readonly shown: readonly T[];
  readonly left: StatusCounts;
}

/** All if there are not too many, else what failed or is active. */
function choose<T extends { readonly record: StepRecord }>(
  all: readonly T[],
  most: number,
  order: "in place" | "urgent first",
): Choice<T> {
  if (all.length <= most) return { shown: all, left: {} };
  const urgent = all.filter(({ record }) => isTelling(record));
  urgent.sort((a, b) => URGENCY.indexOf(a.record.status) - URGENCY.indexOf(b.record.status));
  const chosen = new Set(urgent.slice(0, most));
  const left: Partial<Record<StepStatus, number>> = {};
  for (const each of all) {
    const { status } = each.record;
    if (!chosen.has(each)) left[status] = (left[status] ?? 0) + 1;
  }
  return { shown: order === "in place" ? all.filter((each) => chosen.has(each)) : [...chosen], left };
}

const URGENCY: readonly StepStatus[] = ["failed", "waiting", "running", "retrying", "canceled"];

/** Whether somebody who looks at a run wants to see it. */
export function isTelling({ status }: StepRecord): boolean {
  return URGENCY.includes(status);
}

/** The definition, where it says something that the record does not; reading it costs more than all the rest. */
async function workflowOf({ runDir, record, folded }: CurrentView): Promise<Workflow | null> {
  try {
    if (folded) return folded.state.workflow;
    const steps = Object.values(record.steps);
    const retried = steps.some(({ status, attempts }) => attempts > 1 || status === "retrying");
    const definition = retried ? null : Buffer.from(readDefinition(runDir));
    const isNeeded = retried || definition?.includes("finally") || definition?.includes("pools");
    return isNeeded ? await definitionOf(runDir, record.workflow) : null;
  } catch {
    // A run whose copy of the definition is gone can still be read.
    return null;
  }
}
