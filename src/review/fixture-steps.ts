import { foldAll } from "../core/fold.ts";
import { itemsOf } from "../core/fold-fan.ts";
import { nameWithin } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { type StepRecord, stepRecord } from "../core/record.ts";
import type { RunState, StepNode } from "../core/state.ts";
import type { Workflow } from "../core/workflow.ts";
import { ATTEMPT_FILES, attemptPath } from "../store/layout.ts";
import { type Recorded, readNested } from "./replay-record.ts";

/** A line of the table of a fixture's page. */
export interface StepRow {
  /** From the outermost run: `build`, `check/item-3`, `deploy/test`. */
  readonly name: string;
  readonly record: StepRecord;
  /** Of an item. */
  readonly value?: Json;
}

/** Items of a step that have a line of their own; lines in all. */
const MAX_ITEMS = 20;
const MAX_ROWS = 200;

/** The steps of a run with their items and, of the newest attempts, the steps of nested runs; `left`: lines left out. */
export function stepRows(
  recorded: Recorded,
  workflow: Workflow,
): { readonly rows: readonly StepRow[]; readonly left: number } {
  const all = [...rowsOf(recorded, workflow, "")];
  return { rows: all.slice(0, MAX_ROWS), left: Math.max(0, all.length - MAX_ROWS) };
}

function* rowsOf(recorded: Recorded, workflow: Workflow, within: string): Generator<StepRow> {
  const state = folded(recorded, workflow);
  for (const node of state?.steps ?? []) {
    const { id: step } = node.step;
    const name = nameWithin(within, { step });
    yield { name, record: stepRecord(node) };
    if (!node.fan) yield* nestedRows(recorded, node, name);
    for (const item of node.fan ? itemsOf(node.fan).slice(0, MAX_ITEMS) : []) {
      const itemName = nameWithin(within, { step, item: item.item?.number });
      yield { name: itemName, record: stepRecord(item), value: item.item?.value ?? null };
      yield* nestedRows(recorded, item, itemName);
    }
  }
}

function* nestedRows(recorded: Recorded, node: StepNode, name: string): Generator<StepRow> {
  const { step, item } = node;
  if (step.type !== "workflow") return;
  for (let attempt = node.attempts; attempt > 0; attempt -= 1) {
    const folder = `${attemptPath({ step: step.id, item: item?.number, attempt })}/${ATTEMPT_FILES.run}`;
    const nested = readNested(recorded, folder, "the fixture");
    if (!nested) continue;
    yield* rowsOf(nested, step.definition.workflow, name);
    return;
  }
}

/** Null if the journal can not be followed: that is found where its files are held against each other. */
function folded({ lines }: Recorded, workflow: Workflow): RunState | null {
  try {
    return foldAll(workflow, lines);
  } catch {
    return null;
  }
}
