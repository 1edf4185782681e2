import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { RunStatus } from "../core/event.ts";
import { prepareExpressions } from "../core/expression.ts";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import { WfError } from "../core/problem.ts";
import type { Workflow } from "../core/workflow.ts";
import { type GivenFile, loadWorkflow } from "../language/load.ts";
import { type Positions, positionsOf } from "../language/positions.ts";
import { errnoOf, ioError } from "../store/io-error.ts";
import { RUN_FILES } from "../store/layout.ts";
import { readBeside } from "../system/read-beside.ts";
import { canonicalForm } from "./canon.ts";
import type { CanonForm } from "./canon-form.ts";
import { Blame, type Difference, type Located } from "./replay-difference.ts";
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
  const form = await canonicalForm(path);
  return await replayForm(form, { folder: path, name, ...(workflow !== undefined && { workflow }) });
}

/** `folder`: where the record stands; `name` and `workflow` as for `replay`. */
export async function replayForm(
  form: CanonForm,
  { folder, name, workflow }: { readonly folder: string; readonly name: string; readonly workflow?: string },
): Promise<Replayed> {
  const recorded = readRecorded(form, name);
  const before = recordedDefinition(recorded, name);
  const { id } = recorded.created.workflow;
  const present = workflow === undefined ? before : presentDefinition(workflow, id);
  return await replayOn(recorded, { present, before, folder });
}

/** The part of it that reads no file but those of the record, and so can be told to tests. */
export async function replayOn(
  recorded: Recorded,
  { present, before, folder }: { present: Definition; before: Definition; folder: string },
): Promise<Replayed> {
  await prepareExpressions(present.workflow);
  const blame = new Blame(present, before);
  const { inputs, differences } = presentInputs(recorded, present.workflow, blame);
  const drive = new ReplayDrive({
    recorded,
    present: present.workflow,
    before: before.workflow,
    blame,
    inputs,
    folder,
  });
  if (differences.length === 0) drive.run();
  return {
    workflow: present.workflow.id,
    definition: present.file,
    status: statusOf(recorded),
    counts: drive.counts,
    notes: drive.notes,
    differences: [...differences, ...drive.differences],
  };
}

/** The definition that a record was made with: the copy in it. Raises FIXTURE_INVALID. */
export function recordedDefinition({ created, files }: Recorded, name: string): Definition {
  const text = files.get(RUN_FILES.definition);
  if (text === undefined) throw invalid(`${name} has no ${RUN_FILES.definition}`);
  const readFile = (path: string) => {
    const found = files.get(`${RUN_FILES.prompts}/${path}`);
    return found === undefined ? null : Buffer.from(found);
  };
  const file = { path: join(name, RUN_FILES.definition), bytes: Buffer.from(text), readFile };
  try {
    return load(file, created.workflow.id);
  } catch (error) {
    if (!(error instanceof WfError)) throw error;
    throw invalid(`${file.path} is not a workflow that this version reads: ${error.message}`);
  }
}

/** Raises FILE_NOT_FOUND, IO_ERROR, and all that is wrong with it. */
export function presentDefinition(path: string, id: string): Definition {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw ioError(error, `read ${path}`);
    throw new WfError({ code: "FILE_NOT_FOUND", message: `there is no file ${path}` });
  }
  return load({ path, bytes, readFile: readBeside(dirname(path)) }, id);
}

function load(file: GivenFile, id: string): Definition {
  const files = new Map<string, Uint8Array>();
  const readFile = (path: string) => {
    const bytes = file.readFile?.(path) ?? null;
    if (bytes) files.set(`${RUN_FILES.prompts}/${path}`, bytes);
    return bytes;
  };
  const loaded = loadWorkflow({ ...file, readFile }, { id });
  if (!loaded.ok) throw new WfError(loaded.problems);
  let positions: Positions | undefined;
  return {
    workflow: loaded.workflow,
    bytes: file.bytes,
    files,
    file: file.path,
    positions: () => {
      positions ??= positionsOf(file, loaded.workflow.id);
      return positions;
    },
  };
}

/** The recorded inputs, and the defaults of those that have been declared since. */
function presentInputs(
  { created }: Recorded,
  { inputs }: Workflow,
  blame: Blame,
): { inputs: JsonObject; differences: Difference[] } {
  const given = new Map(Object.entries(created.inputs));
  const differences: Difference[] = [];
  const differ = (message: string, expected: string, actual: string) => {
    const place = blame.workflow("inputs");
    differences.push({ kind: "inputs", step: null, attempt: null, message, expected, actual, place });
  };
  const names = new Set(inputs.map(({ name }) => name));
  for (const name of given.keys()) {
    if (names.has(name)) continue;
    differ(`the input ${name} is not declared any more`, name, [...names].join(", ") || "no inputs");
  }
  const present = inputs.flatMap((input): [string, JsonObject[string]][] => {
    const { name, secret, optional } = input;
    const value = given.get(name);
    const isSecret = isJsonObject(value ?? null) && value !== undefined && "$secret" in (value as JsonObject);
    if (value !== undefined && value !== null && isSecret !== secret) {
      differ(`the input ${name} is ${secret ? "a secret now" : "no secret any more"}`, name, name);
    }
    if (value !== undefined) return [[name, value]];
    if (input.default === undefined && !optional) {
      differ(`the record has no value for the input ${name}`, [...given.keys()].join(", ") || "none", name);
    }
    return [[name, input.default ?? null]];
  });
  return { inputs: Object.fromEntries(present), differences };
}

function statusOf({ files }: Recorded): RunStatus {
  const { status } = JSON.parse(files.get(RUN_FILES.snapshot) ?? "{}") as { status?: RunStatus };
  return status ?? "running";
}
