import type { RunState } from "../core/state.ts";
import type { FileDigests } from "../steps/file-digests.ts";
import { redoCommand, stepsWithChangedInputs } from "../steps/inputs-since.ts";

/** More steps are counted. */
const TOLD_STEPS = 5;

/** Tells of steps that have passed, and so stay as they are, though their input files have changed since. */
export async function tellChangedInputs(
  state: RunState,
  places: { readonly runDir: string; readonly project: string },
  digests: FileDigests,
  note: (sentence: string) => void,
): Promise<void> {
  const changed = [...(await stepsWithChangedInputs(state, places, digests))];
  for (const [step, sentences] of changed.slice(0, TOLD_STEPS)) {
    const again = redoCommand(state.status, state.runId, step);
    note(`${step} has passed, and stays as it is: ${sentences.join(", ")} since; ${again} does it again`);
  }
  const more = changed.length - TOLD_STEPS;
  if (more > 0) note(`the input files of ${more} more step${more === 1 ? "" : "s"} have changed since`);
}
