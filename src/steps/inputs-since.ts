import type { RunStatus } from "../core/event.ts";
import { changedFiles } from "../core/input-changes.ts";
import type { InputParts } from "../core/input-parts.ts";
import { placeOf, type RunState, type StepNode } from "../core/state.ts";
import { attemptDir } from "../store/layout.ts";
import type { FileDigests } from "./file-digests.ts";
import { contentOf } from "./input-files.ts";
import { readInputs } from "./inputs-record.ts";
import { PreparationError } from "./prepare.ts";

/** What does a step again whose input files have changed: a run that has succeeded is not gone on with. */
export function redoCommand(status: RunStatus, run: string, step: string): string {
  return status === "succeeded" ? `wf run FILE --reuse ${run}` : `wf resume ${run} --from ${step}`;
}

/** Steps that have passed and whose input files are not what they were, with a sentence for each difference. */
export async function stepsWithChangedInputs(
  state: RunState,
  { runDir, project }: { readonly runDir: string; readonly project: string },
  digests: FileDigests,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>();
  for (const node of state.steps) {
    const { step } = node;
    if (step.type !== "command" || !step.inputFiles) continue;
    const passed = (node.fan?.nodes ?? [node]).filter(({ state: at }) => at.status === "succeeded");
    if (passed.length === 0) continue;
    const now = await present(project, step.inputFiles, digests);
    const changes = passed.flatMap((each) => changesOf(runDir, each, now));
    if (changes.length > 0) found.set(step.id, [...new Set(changes)]);
  }
  return found;
}

/** A sentence instead, where the files can not be what they were. */
async function present(
  project: string,
  inputFiles: Parameters<typeof contentOf>[1],
  digests: FileDigests,
): Promise<InputParts["files"] | string> {
  try {
    return await contentOf(project, { ...inputFiles, absent: [] }, digests);
  } catch (error) {
    if (error instanceof PreparationError) return error.message;
    throw error;
  }
}

function changesOf(runDir: string, node: StepNode, now: InputParts["files"] | string): string[] {
  if (node.state.status !== "succeeded") return [];
  const record = readInputs(attemptDir(runDir, { ...placeOf(node), attempt: node.state.attempt }));
  if (record === null) return [];
  return typeof now === "string" ? [now] : changedFiles(record.files, now);
}
