import { placeName } from "../core/ids.ts";
import { nodeAt, placeOf, type RunState } from "../core/state.ts";

const MAX_NAMES = 5;

/** `a, b and 3 more`: nodes by their indexes. */
export function names(state: RunState, indexes: readonly number[]): string {
  const ids = indexes.slice(0, MAX_NAMES).map((index) => placeName(placeOf(nodeAt(state, index))));
  const more = indexes.length - ids.length;
  return more > 0 ? `${ids.join(", ")} and ${more} more` : ids.join(", ");
}

export function needsText(state: RunState, needs: readonly number[]): string {
  const [first] = needs;
  if (needs.length === 1 && first !== undefined) {
    const { step, state: at } = nodeAt(state, first);
    return `it needs ${step.id}, which ${PASSED[at.status] ?? "was passed"}`;
  }
  return `it needs ${names(state, needs)}, which were passed`;
}

const PASSED: Readonly<Record<string, string>> = {
  succeeded: "succeeded",
  skipped: "was skipped",
  failed: "failed, and may",
};
