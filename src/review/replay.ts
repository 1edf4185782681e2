import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { RunStatus } from "../core/event.ts";
import { prepareExpressions } from "../core/expression.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { WfError } from "../core/problem.ts";
import type { Workflow } from "../core/workflow.ts";
import { type GivenFile, loadWorkflow, type Selection } from "../language/load.ts";
import { type Positions, positionsOf } from "../language/positions.ts";
import { noting, type ReadNamed } from "../store/copies.ts";
import { errnoOf, ioError } from "../store/io-error.ts";
import { copyPath, RUN_FILES } from "../store/layout.ts";
import { readBeside } from "../system/read-beside.ts";
import { canonicalForm } from "./canon.ts";
import { Blame, type Difference, Findings, type Located } from "./replay-difference.ts";
import { type Counts, ReplayDrive } from "./replay-drive.ts";
import { invalid, type Recorded, readRecorded } from "./replay-record.ts";

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

/** A definition, checked, and where its parts stand. */
export interface Definition extends Located {
  readonly workflow: Workflow;
  readonly bytes: Uint8Array;
  /** Of the files that it names, as a run keeps them; by their path in the run. */
  readonly files: ReadonlyMap<string, Uint8Array>;
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
  await prepareExpressions(present.workflow);
  const findings = new Findings(new Blame(present, before));
  const inputs = presentInputs(recorded, present.workflow, findings);
  const parts = { recorded, present: present.workflow, before: before.workflow, inputs, folder };
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

/** The definition that a record was made with: the copy in it. Raises FIXTURE_INVALID. */
export function recordedDefinition({ created, files }: Recorded, name: string): Definition {
  const text = files.get(RUN_FILES.definition);
  if (text === undefined) throw invalid(`${name} has no ${RUN_FILES.definition}`);
  const readFile: ReadNamed = (path, use) => {
    const found = files.get(copyPath(path, use));
    return found === undefined ? null : Buffer.from(found);
  };
  const file = { path: join(name, RUN_FILES.definition), bytes: Buffer.from(text) };
  try {
    return load(file, readFile, created.workflow);
  } catch (error) {
    if (!(error instanceof WfError)) throw error;
    throw invalid(`${file.path} is not a workflow that this version reads: ${error.message}`);
  }
}

/** Raises FILE_NOT_FOUND, IO_ERROR, and all that is wrong with it. */
export function presentDefinition(path: string, selection: Selection): Definition {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw ioError(error, `read ${path}`);
    throw new WfError({ code: "FILE_NOT_FOUND", message: `there is no file ${path}` });
  }
  return load({ path, bytes }, readBeside(dirname(path)), selection);
}

function load(file: GivenFile, read: ReadNamed, selection: Selection): Definition {
  const { readFile, found } = noting(read);
  const loaded = loadWorkflow({ ...file, readFile }, selection);
  if (!loaded.ok) throw new WfError(loaded.problems);
  let positions: Positions | undefined;
  return {
    workflow: loaded.workflow,
    bytes: file.bytes,
    files: found,
    file: file.path,
    positions: () => {
      positions ??= positionsOf(file, selection);
      return positions;
    },
  };
}

/** The recorded inputs, and the defaults of those that have been declared since. */
function presentInputs({ created }: Recorded, { inputs }: Workflow, findings: Findings): JsonObject {
  const given = created.inputs;
  const names = inputs.map(({ name }) => name);
  const differ = (message: string, expected: string, actual: string) => {
    const place = findings.blame.workflow("inputs");
    findings.differ({ kind: "inputs", message, expected, actual, place });
  };
  for (const name of Object.keys(given)) {
    if (names.includes(name)) continue;
    differ(`the input ${name} is not declared any more`, name, names.join(", ") || "no inputs");
  }
  const present: Record<string, Json> = {};
  for (const { name, secret, optional, default: byDefault } of inputs) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    const wasSecret = isJsonObject(value ?? null) && Object.hasOwn(value as JsonObject, "$secret");
    if ((value ?? null) !== null && wasSecret !== secret) {
      const word = (is: boolean) => (is ? "a secret" : "no secret");
      differ(`the input ${name} is ${word(secret)} now`, word(wasSecret), word(secret));
    }
    if (value === undefined && byDefault === undefined && !optional) {
      differ(`the record has no value for the input ${name}`, Object.keys(given).join(", ") || "none", name);
    }
    present[name] = value ?? byDefault ?? null;
  }
  return present;
}

function statusOf({ files }: Recorded): RunStatus {
  const { status } = JSON.parse(files.get(RUN_FILES.snapshot) ?? "{}") as { status?: RunStatus };
  return status ?? "running";
}
