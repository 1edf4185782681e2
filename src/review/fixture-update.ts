import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { foldAll } from "../core/fold.ts";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import { toRecord } from "../core/record.ts";
import { NO_SECRETS } from "../secrets/secrets.ts";
import { gateDigest } from "../steps/approval.ts";
import { replaceFile } from "../store/atomic-file.ts";
import { ioError } from "../store/io-error.ts";
import { ATTEMPT_FILES, attemptPath, RUN_FILES } from "../store/layout.ts";
import { formatRecord } from "../store/record-text.ts";
import { findProject } from "../system/project.ts";
import { jsonOf } from "./canon.ts";
import { sha256 } from "./canon-cut.ts";
import type { CanonForm } from "./canon-form.ts";
import { fixtureForm, refuseDifferences, refuseSecrets } from "./fixture.ts";
import { isOfDefinition } from "./fixture-integrity.ts";
import { PAGE, pageOf } from "./fixture-page.ts";
import { type Difference, replayOn } from "./replay.ts";
import { type Definition, presentDefinition, recordedDefinition } from "./replay-definition.ts";
import type { DifferenceKind } from "./replay-difference.ts";
import { type Recorded, readLines, readNested, readRecorded } from "./replay-record.ts";

export interface Updated {
  readonly folder: string;
  /** The workflow file that it was brought up to; null: it is not there any more, and only the page was made anew. */
  readonly workflow: string | null;
  /** Files that were written or removed, relative to the fixture. */
  readonly changed: readonly string[];
}

/** What can be taken over while the steps do what they did. */
const TEXTS: ReadonlySet<DifferenceKind> = new Set(["script", "prompt", "context", "gate", "needs"]);

const FILES: Readonly<Partial<Record<DifferenceKind, string>>> = {
  script: ATTEMPT_FILES.script,
  prompt: ATTEMPT_FILES.prompt,
  context: ATTEMPT_FILES.context,
  gate: ATTEMPT_FILES.gate,
};

/**
 * Brings a fixture up to the present workflow: its definition, scripts, prompts and page. Runs nothing, so that what the
 * steps did stays; a workflow that takes another way needs a new run. Raises FIXTURE_REFUSED; then nothing was written.
 *
 * @param workflow the file; absent: the one that the run was started with, if it is in the fixture's project
 */
export async function updateFixture(folder: string, name: string, workflow?: string): Promise<Updated> {
  const form = await fixtureForm(folder, name);
  const recorded = readRecorded(form, name);
  const before = recordedDefinition(recorded, name);
  const selection = recorded.created.workflow;
  const file = workflow ?? sourceFile(folder, selection.source);
  const files = new Map(recorded.files);
  let present = before;
  if (file !== null) {
    present = presentDefinition(file, selection);
    const { differences } = await replayOn(recorded, { present, before, folder });
    const others = differences.filter(({ kind }) => !TEXTS.has(kind));
    refuseDifferences(others, `${name} needs a new run, and wf fixture save RUN DIR`);
    const runs = [...runsIn(recorded, present, name)];
    for (const run of runs) nameDefinition(files, run);
    takeDefinition(files, present);
    for (const difference of differences) takeText(files, difference);
    for (const { folder: of } of runs) fitDecisions(files, of);
    for (const run of runs) foldAgain(files, run);
  }
  const updated = [...files].map(([path, text]) => ({ path, text }));
  refuseSecrets(updated, name, NO_SECRETS);
  const page = pageOf(readRecorded(updated, name), present.workflow);
  const changed = [...write(folder, form, files), ...writePage(folder, page)];
  return { folder, workflow: file, changed };
}

function sourceFile(folder: string, source: string): string | null {
  const path = source.startsWith("project:") ? source.slice("project:".length) : "";
  const file = join(findProject(folder), path);
  return path !== "" && existsSync(file) ? file : null;
}

/** A run of the fixture: the outermost one, or a nested one. */
interface RunIn {
  /** With `/` at its end; empty for the outermost. */
  readonly folder: string;
  /** What it goes by now. */
  readonly present: Definition;
}

function* runsIn(recorded: Recorded, present: Definition, name: string, folder = ""): Generator<RunIn> {
  yield { folder, present };
  const steps = new Map(present.workflow.steps.map((step) => [step.id, step]));
  for (const path of recorded.nested.keys()) {
    const step = steps.get(path.split("/")[1] ?? "");
    const nested = readNested(recorded, path, name);
    if (step?.type !== "workflow" || !nested) continue;
    yield* runsIn(nested, present.inside(step), `${name}/${path}`, `${folder}${path}/`);
  }
}

/** Says in a run's records by what it goes now. Its files stand in the outermost run alone. */
function nameDefinition(files: Map<string, string>, { folder, present }: RunIn): void {
  for (const path of files.keys()) {
    if (path.startsWith(folder) && isOfDefinition(path.slice(folder.length))) files.delete(path);
  }
  const digest = sha256(present.bytes);
  const withDigest = (record: JsonObject): JsonObject => {
    const { workflow } = record;
    return { ...record, workflow: { ...(isJsonObject(workflow) ? workflow : {}), sha256: digest } };
  };
  changeRecord(files, folder + RUN_FILES.snapshot, withDigest);
  changeLines(files, folder, (line) => (line.event === "run_created" ? withDigest(line) : line));
}

function takeDefinition(files: Map<string, string>, { bytes, files: named }: Definition): void {
  const text = (of: Uint8Array) => Buffer.from(of).toString("utf8");
  for (const [path, of] of named) files.set(path, text(of));
  files.set(RUN_FILES.definition, text(bytes));
}

function takeText(files: Map<string, string>, { kind, folder, actual }: Difference): void {
  const file = FILES[kind];
  if (file === undefined || folder === null) return;
  const path = `${folder}/${file}`;
  if (kind !== "gate") files.set(path, actual);
  else
    changeRecord(files, path, (gate) => ({
      ...gate,
      message: actual,
      digest: gateDigest(actual, gate.shows),
    }));
}

/** A decision repeats the digest of what its gate shows. */
function fitDecisions(files: Map<string, string>, folder: string): void {
  changeLines(files, folder, (line) => {
    if (line.event !== "decision") return line;
    const attempt = attemptPath({ step: String(line.step), attempt: Number(line.attempt) });
    const gate = jsonOf(files.get(`${folder}${attempt}/${ATTEMPT_FILES.gate}`) ?? "");
    return gate?.digest === undefined ? line : { ...line, digest: gate.digest };
  });
}

/** What `run.json` says of the steps, in the order of the present file. */
function foldAgain(files: Map<string, string>, { folder, present }: RunIn): void {
  const journal = folder + RUN_FILES.journal;
  const state = foldAll(present.workflow, readLines(files.get(journal), journal));
  const steps = toRecord(state, 0).steps as unknown as JsonObject;
  changeRecord(files, folder + RUN_FILES.snapshot, (record) => ({ ...record, steps }));
}

function changeRecord(
  files: Map<string, string>,
  path: string,
  change: (record: JsonObject) => JsonObject,
): void {
  const text = files.get(path);
  if (text !== undefined) files.set(path, formatRecord(change(JSON.parse(text) as JsonObject)));
}

/** `folder`: of the run whose journal it is, with `/` at its end. */
function changeLines(
  files: Map<string, string>,
  folder: string,
  change: (line: JsonObject) => JsonObject,
): void {
  const path = folder + RUN_FILES.journal;
  const lines = (files.get(path) ?? "").split("\n").filter((text) => text !== "");
  const changed = lines.map((text) => `${JSON.stringify(change(JSON.parse(text) as JsonObject))}\n`);
  files.set(path, changed.join(""));
}

function write(folder: string, form: CanonForm, files: ReadonlyMap<string, string>): string[] {
  const before = new Map(form.map(({ path, text }) => [path, text]));
  const gone = [...before.keys()].filter((path) => !files.has(path));
  const changed = [...files].filter(([path, text]) => before.get(path) !== text);
  try {
    for (const path of gone) rmSync(join(folder, path));
    for (const [path, text] of changed) put(folder, path, text);
  } catch (error) {
    throw ioError(error, `write to ${folder}`);
  }
  return [...gone, ...changed.map(([path]) => path)].sort();
}

function writePage(folder: string, page: string): string[] {
  try {
    if (existsSync(join(folder, PAGE)) && readFileSync(join(folder, PAGE), "utf8") === page) return [];
    put(folder, PAGE, page);
  } catch (error) {
    throw ioError(error, `write to ${folder}`);
  }
  return [PAGE];
}

function put(folder: string, path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  replaceFile(join(folder, path), text, { sync: false });
}
