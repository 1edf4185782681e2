import type { AttemptPlace, ReusedFrom } from "../core/input-parts.ts";
import type { RunState } from "../core/state.ts";
import { FileDigests } from "../steps/file-digests.ts";
import { readInputs } from "../steps/inputs-record.ts";
import { stepsWithChangedInputs } from "../steps/inputs-since.ts";
import { recordedProject } from "../store/recorded-project.ts";

/** Why the command of an attempt ran, or did not, by what its step depends on. */
export interface InputsStory {
  readonly key: string;
  /** It was taken over from this one. */
  readonly reusedFrom: ReusedFrom | null;
  /** The earlier attempt that might have been taken over. */
  readonly comparedWith: AttemptPlace | null;
  /** Why it was not, a sentence each. */
  readonly changed: readonly string[];
  /** Inputs that changed while the command ran: the attempt is never taken over. */
  readonly changedMeanwhile: readonly string[];
}

/** Null for an attempt that declares nothing that it depends on. `dir`: its folder. */
export function inputsStory(dir: string): InputsStory | null {
  const record = readInputs(dir);
  if (record === null) return null;
  const { reusedFrom, comparedWith, changed, changedMeanwhile } = record.volatile ?? {};
  return {
    key: record.key,
    reusedFrom: reusedFrom ?? null,
    comparedWith: comparedWith ?? null,
    changed: changed ?? [],
    changedMeanwhile: changedMeanwhile ?? [],
  };
}

/** Sentences by step; none if the project is not here. */
export async function inputsChangedSince(
  state: RunState,
  runDir: string,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const { project: recorded, projectFromRun, source } = state;
  const from = { project: recorded, projectFromRun, source: source.source };
  const project = recordedProject(runDir, from);
  if (project === null) return new Map();
  return stepsWithChangedInputs(state, { runDir, project }, new FileDigests());
}
