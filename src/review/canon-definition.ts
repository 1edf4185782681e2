import type { RunRecord } from "../core/record.ts";
import { orderOf, type StepOrder, scanNeeds } from "./canon-order.ts";
import { definitionOf } from "./view.ts";

/** What of a definition its runs' canonical forms depend on. */
export interface Ordering {
  /** Ids, in the order of the file. */
  readonly steps: readonly string[];
  readonly order: StepOrder;
  readonly redact: readonly string[];
}

/**
 * Read from the definition only as far as there is need: in a sequence nothing is reordered, and most graphs show their
 * needs at a glance. Raises RUN_DAMAGED.
 */
export async function orderingOf(runDir: string, record: RunRecord, definition: string): Promise<Ordering> {
  const steps = Object.keys(record.steps);
  if (!definition.includes("\\") && !definition.includes("redact")) {
    if (!definition.includes("needs"))
      return { steps, order: { shape: "sequence", rank: new Map() }, redact: [] };
    const scanned = scanNeeds(definition, steps);
    if (scanned) return { steps, order: orderOf("graph", scanned), redact: [] };
  }
  const workflow = await definitionOf(runDir, record.workflow);
  return { steps, order: orderOf(workflow.shape, workflow.steps), redact: workflow.redact };
}
