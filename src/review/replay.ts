import type { RunStatus } from "../core/event.ts";
import { prepareExpressions } from "../core/expression.ts";
import { RUN_FILES } from "../store/layout.ts";
import { canonicalForm } from "./canon.ts";
import { PLACEHOLDERS } from "./canon-places.ts";
import { allWorkflows, type Definition, presentDefinition, recordedDefinition } from "./replay-definition.ts";
import { Blame, type Difference, Findings } from "./replay-difference.ts";
import { type Counts, ReplayDrive } from "./replay-drive.ts";
import { presentInputs } from "./replay-inputs.ts";
import { type Recorded, readRecorded } from "./replay-record.ts";
import { TextComparison } from "./replay-texts.ts";

export type { Difference } from "./replay-difference.ts";

export interface Replayed {
  /** The workflow's id. */
  readonly workflow: string;
  /** The file of the present definition, as messages call it. */
  readonly definition: string;
  /** As the record ends; it may go on after it. */
  readonly status: RunStatus;
  readonly counts: Readonly<Counts>;
  /** What could not be compared; sentences. */
  readonly notes: readonly string[];
  /** None: the present definition does what the record says. */
  readonly differences: readonly Difference[];
}

export interface ReplayRequest {
  /** A folder: a run, or the canonical form of one. */
  readonly path: string;
  /** As messages call the record. */
  readonly name: string;
  /** The present definition; absent: the one in the record. */
  readonly workflow?: string;
}

/**
 * Drives a definition with every attempt answered from a record, and says what it does otherwise. Runs nothing, writes
 * nothing. Raises FIXTURE_INVALID, what `canonicalForm` raises, and all that is wrong with the definition.
 */
export async function replay({ path, name, workflow }: ReplayRequest): Promise<Replayed> {
  const recorded = readRecorded(await canonicalForm(path), name);
  const before = recordedDefinition(recorded, name);
  return await replayAgainst(recorded, { before, folder: path, workflow });
}

/** `before`: the definition in the record; `folder`: where that stands; `workflow` as for `replay`. */
export async function replayAgainst(
  recorded: Recorded,
  given: { readonly before: Definition; readonly folder: string; readonly workflow: string | undefined },
): Promise<Replayed> {
  const { before, folder, workflow } = given;
  const present = workflow === undefined ? before : presentDefinition(workflow, recorded.created.workflow);
  return await replayOn(recorded, { present, before, folder });
}

/** The part of it that reads no file but those of the record, and so can be told to tests. */
export async function replayOn(
  recorded: Recorded,
  { present, before, folder }: { present: Definition; before: Definition; folder: string },
): Promise<Replayed> {
  const workflows = [...allWorkflows(present.workflow)];
  for (const each of workflows) await prepareExpressions(each);
  const redact = [...workflows, ...allWorkflows(before.workflow)].flatMap((each) => each.redact);
  const findings = new Findings(new Blame(present, before));
  const inputs = presentInputs(recorded, { before: before.workflow, present: present.workflow }, findings);
  const texts = new TextComparison([...new Set(redact)]);
  const runDirAt = () => PLACEHOLDERS.run;
  const parts = { recorded, name: folder, present, before, inputs, folder, texts, runDirAt };
  const drive = new ReplayDrive(parts, findings);
  if (findings.differences.length === 0) drive.run();
  return {
    workflow: present.workflow.id,
    definition: present.file,
    status: statusOf(recorded),
    counts: drive.counts,
    notes: findings.notes,
    differences: findings.differences,
  };
}

function statusOf({ files }: Recorded): RunStatus {
  const { status } = JSON.parse(files.get(RUN_FILES.snapshot) ?? "{}") as { status?: RunStatus };
  return status ?? "running";
}
