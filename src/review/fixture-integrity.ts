import type { JournalLine } from "../core/event.ts";
import { foldAll } from "../core/fold.ts";
import { placeName } from "../core/ids.ts";
import type { Json, JsonObject } from "../core/json.ts";
import { toRecord } from "../core/record.ts";
import type { RunState } from "../core/state.ts";
import type { Workflow } from "../core/workflow.ts";
import { nestedOutputs } from "../steps/nested.ts";
import { ATTEMPT_FILES, attemptPath, RUN_FILES } from "../store/layout.ts";
import { sha256 } from "./canon-cut.ts";
import { isCanonicalId, PLACEHOLDERS } from "./canon-places.ts";
import { checkAttempts, type Files, isSame, json, type Say } from "./fixture-attempts.ts";
import { type Recorded, readNested } from "./replay-record.ts";
import { runSchemas } from "./verify-schema.ts";

export interface IntegrityFinding {
  readonly path: string;
  readonly message: string;
}

/** What of `run.json` the journal alone can say again, whatever version of wf says it. */
const FOLDED = ["status", "reason", "inputs", "options", "steps", "outputs", "iterations"] as const;

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
  checkAttempts(files, lines, say);
  yield* found;
  yield* nestedFindings({ ...checked, definitions });
}

function* nestedFindings({ recorded, workflow, folder, definitions }: Checked): Generator<IntegrityFinding> {
  const steps = new Map(workflow.steps.map((step) => [step.id, step]));
  for (const line of recorded.lines) {
    if (line.event !== "attempt_ended" || steps.get(line.record.step)?.type !== "workflow") continue;
    const { status, error } = line.record;
    const path = `${attemptPath(line.record)}/${ATTEMPT_FILES.run}`;
    // One that was stopped or failed early may have none.
    const isDue = status === "succeeded" || error?.code === "NESTED_FAILED";
    if (isDue && !recorded.nested.has(path))
      yield { path: folder + path, message: `it is missing, and is the run of ${placeName(line.record)}` };
  }
  for (const path of recorded.nested.keys()) {
    const step = steps.get(path.split("/")[1] ?? "");
    const nested = readNested(recorded, path, "the fixture");
    if (step?.type !== "workflow") {
      yield { path: folder + path, message: "its step has no run" };
      continue;
    }
    if (!nested) {
      yield { path: `${folder}${path}/${RUN_FILES.journal}`, message: "it is missing" };
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
