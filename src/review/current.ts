import { nameWithin } from "../core/ids.ts";
import type { PointerEntry } from "../core/record.ts";
import { viewNestedIfReadable } from "./inside.ts";
import { lastProgressAt } from "./last-progress.ts";
import type { ReadableRun } from "./view.ts";

/** Where a run is, as deep as that lies. */
export interface Current {
  /** `deploy/item-3/test`. */
  readonly name: string;
  readonly attempt: number;
}

/** The first of the pointer; null if there is none. */
export async function currentOf(
  { runDir, record }: Omit<ReadableRun, "folded">,
  within = "",
): Promise<Current | null> {
  const [first] = record.pointer;
  if (first === undefined) return null;
  const name = nameWithin(within, first);
  const nested = isActive(first) ? await viewNestedIfReadable(runDir, first) : null;
  return (nested && (await currentOf(nested, name))) ?? { name, attempt: first.attempt };
}

/** When a step of the run, or of an active one nested in it, last began, ended or was skipped; null if that is not known. */
export async function progressOf({ runDir, record }: Omit<ReadableRun, "folded">): Promise<string | null> {
  let latest = lastProgressAt(runDir);
  for (const entry of record.pointer.filter(isActive)) {
    const nested = await viewNestedIfReadable(runDir, entry);
    const at = nested && (await progressOf(nested));
    if (at !== null && (latest === null || at > latest)) latest = at;
  }
  return latest;
}

function isActive({ state }: PointerEntry): boolean {
  return state === "running" || state === "waiting";
}
