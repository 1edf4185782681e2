import type { JournalLine } from "../core/event.ts";
import { foldAll } from "../core/fold.ts";
import { placeName } from "../core/ids.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { filesOf } from "../core/output-value.ts";
import { toRecord } from "../core/record.ts";
import type { RunState } from "../core/state.ts";
import type { Workflow } from "../core/workflow.ts";
import { gateDigest } from "../steps/approval.ts";
import { nestedOutputs } from "../steps/nested.ts";
import { ATTEMPT_FILES, attemptPath, RUN_FILES } from "../store/layout.ts";
import { jsonOf } from "./canon.ts";
import { sha256 } from "./canon-cut.ts";
import { isCanonicalId, PLACEHOLDERS } from "./canon-places.ts";
import { type Recorded, readNested } from "./replay-record.ts";
import { runSchemas } from "./verify-schema.ts";

export interface IntegrityFinding {
  readonly path: string;
  readonly message: string;
}

type Files = ReadonlyMap<string, string>;

/** What of `run.json` the journal alone can say again, whatever version of wf says it. */
const FOLDED = ["status", "reason", "inputs", "options", "steps", "outputs", "iterations"] as const;
const CUT = /^<(?:cut|binary)> (\d+) bytes, sha256 ([0-9a-f]{64})/;

/**
 * Whether the files of a fixture agree with each other, and are of the form that records have; those of its nested runs
 * too. Raises FIXTURE_INVALID.
 */
export function integrityFindings(recorded: Recorded, workflow: Workflow): IntegrityFinding[] {
  return [...findingsIn({ recorded, workflow, folder: "", definitions: new Set() })];
}

/** A run of a fixture: the outermost one, or a nested one. */
interface Checked {
  readonly recorded: Recorded;
  readonly workflow: Workflow;
  /** With `/` at its end; empty for the outermost. */
  readonly folder: string;
  /** Digests of the files of the definitions around it, which it may share. */
  readonly definitions: ReadonlySet<string>;
}

function* findingsIn(checked: Checked): Generator<IntegrityFinding> {
  const { recorded, folder } = checked;
  const { files, lines, created } = recorded;
  const found: IntegrityFinding[] = [];
  const say = (path: string, message: string) => found.push({ path: folder + path, message });
  const definitions = new Set([...checked.definitions, ...definitionDigests(files)]);
  const run = json(files, RUN_FILES.snapshot);
  if (!run) say(RUN_FILES.snapshot, "it is missing, or no JSON object");
  else checkRun(run, checked, say);
  const own = files.get(RUN_FILES.definition);
  const digest = created.workflow.sha256;
  if (own === undefined ? !definitions.has(digest) : sha256(own) !== digest) {
    say(RUN_FILES.definition, "it is not the definition of the recorded digest");
  }
  checkSchemas(lines, say);
  for (const line of lines) if (line.event === "attempt_ended") checkAttempt(line.record, files, say);
  checkGates(files, lines, say);
  checkStray(files, lines, say);
  yield* found;
  yield* nestedFindings({ ...checked, definitions });
}

function* nestedFindings({ recorded, workflow, folder, definitions }: Checked): Generator<IntegrityFinding> {
  const steps = new Map(workflow.steps.map((step) => [step.id, step]));
  for (const path of recorded.nested.keys()) {
    const step = steps.get(path.split("/")[1] ?? "");
    const nested = readNested(recorded, path, "the fixture");
    if (step?.type !== "workflow" || !nested) {
      yield { path: folder + path, message: "it is no run of its step" };
      continue;
    }
    const { workflow: inner } = step.definition;
    yield* findingsIn({ recorded: nested, workflow: inner, folder: `${folder}${path}/`, definitions });
    const fault = disagreement(recorded.lines, nested, inner, path);
    if (fault !== null) yield { path: folder + path, message: fault };
  }
}

/** A file of a run's own definition, by its path in the run. */
export function isOfDefinition(path: string): boolean {
  return /^(?:workflow\.yaml$|prompts\/|workflows\/)/.test(path);
}

function definitionDigests(files: Files): string[] {
  return [...files].flatMap(([path, text]) => (isOfDefinition(path) ? [sha256(text)] : []));
}

/** A nested run that its attempt says something else of. */
function disagreement(
  around: readonly JournalLine[],
  { lines }: Recorded,
  workflow: Workflow,
  folder: string,
): string | null {
  const ended = around.find(
    (line) => line.event === "attempt_ended" && `${attemptPath(line.record)}/${ATTEMPT_FILES.run}` === folder,
  );
  if (ended?.event !== "attempt_ended" || ended.record.status !== "succeeded") return null;
  const { record } = ended;
  const state = folded(workflow, lines);
  // What its own journal can not say has been told of.
  if (typeof state === "string") return null;
  if (state.status !== "succeeded") return `it is ${state.status}, and its attempt succeeded`;
  const outputs = nestedOutputs(workflow, record, toRecord(state, 0));
  const due = record.outputs as unknown as Json;
  return isSame(outputs as unknown as Json, due) ? null : "its outputs are not those of its attempt";
}

/** A sentence if the lines can not follow each other. */
function folded(workflow: Workflow, lines: readonly JournalLine[]): RunState | string {
  try {
    return foldAll(workflow, lines);
  } catch (error) {
    return (error as Error).message;
  }
}

type Say = (path: string, message: string) => void;

/** A file in the folder of an attempt. */
const IN_ATTEMPT = /^steps\/[^/]+\/(?:item-\d+\/)?attempt-\d+\/(.+)$/;

function checkRun(run: JsonObject, { recorded, workflow, folder }: Checked, say: Say): void {
  const { snapshot } = RUN_FILES;
  const isNested = folder !== "";
  if (run.format !== "wf.run/1") say(snapshot, "its format is not wf.run/1");
  if (!isCanonicalId(run.runId) || (run.runId === PLACEHOLDERS.runId) === isNested)
    say(snapshot, `its runId is not ${PLACEHOLDERS.runId}${isNested ? " and what names its attempt" : ""}`);
  // A nested run is left as it is when its attempt is stopped.
  if (!isNested && !["succeeded", "failed", "canceled"].includes(String(run.status)))
    say(snapshot, "the run has not ended");
  if ("volatile" in run) say(snapshot, "it has a volatile part");
  const state = folded(workflow, recorded.lines);
  if (typeof state === "string") {
    say(RUN_FILES.journal, state);
    return;
  }
  const due = toRecord(state, 0) as unknown as JsonObject;
  for (const key of FOLDED) {
    if (!isSame(run[key], due[key])) say(snapshot, `its ${key} is not what the journal says`);
  }
}

/** The lines have been given what their canonical form lacks; all else is held against the schema of the journal. */
function checkSchemas(lines: readonly JournalLine[], say: Say): void {
  const schemas = runSchemas();
  for (const [index, line] of lines.entries()) {
    // What it has been given for a process that nobody knows would not pass.
    const fault = line.event === "engine_started" ? null : schemas.lineFault(line.event, line);
    if (fault !== null) say(RUN_FILES.journal, `line ${index + 1}: ${fault}`);
  }
}

function checkAttempt(
  record: (JournalLine & { event: "attempt_ended" })["record"],
  files: Files,
  say: Say,
): void {
  const path = `${attemptPath(record)}/${ATTEMPT_FILES.record}`;
  const written = json(files, path);
  if (!written) say(path, "it is missing, or no JSON object");
  else if (!isSame(written, record as unknown as Json)) say(path, "it is not what the journal says");
  for (const [key, output] of Object.entries(record.outputs)) {
    for (const file of filesOf(output)) {
      // Those of a nested run are looked at there.
      if (file.file.startsWith(`${attemptPath(record)}/${ATTEMPT_FILES.run}/`)) continue;
      const text = files.get(file.file);
      if (text === undefined)
        say(file.file, `it is missing, and is the output ${key} of ${placeName(record)}`);
      else if (!isFile(text, file)) say(file.file, "its size and digest are not those that were recorded");
    }
  }
}

function isFile(text: string, { bytes, sha256: digest }: { bytes: number; sha256: string }): boolean {
  const cut = CUT.exec(text);
  if (cut) return Number(cut[1]) === bytes && cut[2] === digest;
  return Buffer.byteLength(text) === bytes && sha256(text) === digest;
}

function checkGates(files: Files, lines: readonly JournalLine[], say: Say): void {
  const digests = new Map<string, Json | undefined>();
  for (const path of files.keys()) {
    const [, name] = IN_ATTEMPT.exec(path) ?? [];
    if (name !== ATTEMPT_FILES.gate) continue;
    const gate = json(files, path);
    digests.set(path, gate?.digest);
    if (!gate || gate.digest !== gateDigest(gate.message, gate.shows)) {
      say(path, "its digest is not that of its message and of what it shows");
    }
  }
  for (const line of lines) {
    if (line.event !== "decision") continue;
    const path = `${attemptPath(line)}/${ATTEMPT_FILES.gate}`;
    if (digests.get(path) !== line.digest) say(path, "the decision is of something else than it shows");
  }
}

/** Folders of attempts that the journal does not know. */
function checkStray(files: Files, lines: readonly JournalLine[], say: Say): void {
  const known = new Set(
    lines.flatMap((line) => (line.event === "attempt_started" ? [attemptPath(line)] : [])),
  );
  const stray = new Set<string>();
  for (const path of files.keys()) {
    if (!path.startsWith(`${RUN_FILES.steps}/`)) continue;
    const [folder = path] = /^steps\/[^/]+\/(?:item-\d+\/)?[^/]+/.exec(path) ?? [];
    if (!known.has(folder)) stray.add(folder);
  }
  for (const folder of stray) say(folder, "the journal knows no such attempt");
}

function json(files: Files, path: string): JsonObject | null {
  return jsonOf(files.get(path) ?? "");
}

/** As JSON: the order of keys says nothing, and a member that is undefined is none. */
function isSame(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((each, at) => isSame(each, b[at]));
  }
  if (!isJsonObject(a) || !isJsonObject(b)) return false;
  let left = Object.keys(b).filter((key) => b[key] !== undefined).length;
  for (const key of Object.keys(a)) {
    if (a[key] === undefined) continue;
    if (!Object.hasOwn(b, key) || !isSame(a[key], b[key])) return false;
    left -= 1;
  }
  return left === 0;
}
