import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import type { AttemptRecord, JournalLine } from "../core/event.ts";
import { type AttemptName, type PlaceName, placeName } from "../core/ids.ts";
import type { AttemptPlace, InputsNotes, ReuseSource } from "../core/input-parts.ts";
import { filesOf } from "../core/output-value.ts";
import { WfError } from "../core/problem.ts";
import type { FileDigests } from "../steps/file-digests.ts";
import { readInputs } from "../steps/inputs-record.ts";
import { ATTEMPT_FILES, attemptDir, attemptPath, nestedDir } from "../store/layout.ts";
import { readRun } from "../store/open-run.ts";
import type { Observer, ReuseRequest } from "./api.ts";

/** A finished attempt that may be taken over. */
export interface EarlierAttempt {
  readonly place: AttemptPlace;
  readonly runDir: string;
  /** The attempt's folder; absolute, as `runDir`. */
  readonly dir: string;
  readonly record: AttemptRecord;
  /** Null if the journal was not asked. */
  readonly logs: { readonly stdoutBytes: number; readonly stderrBytes: number } | null;
}

/** One with certain inputs, and what stands beside these in its `inputs.json`. */
export interface FoundAttempt extends EarlierAttempt {
  readonly notes: InputsNotes;
}

type Ended = JournalLine & { readonly event: "attempt_ended" };

/** A run from which attempts may be taken: what of it has finished, by its journal. */
export class EarlierRun {
  readonly runDir: string;
  readonly runId: string;
  /** What it was to reuse itself. */
  readonly source: ReuseSource | null;
  readonly #ended = new Map<string, Ended[]>();
  readonly #nested = new Map<string, AttemptName>();
  readonly #byKey = new Map<string, ReadonlyMap<string, FoundAttempt>>();

  /** `workflowId`: it has to be a run of this workflow. Raises `WfError`: REUSE_REFUSED. */
  constructor(runDir: string, workflowId: string) {
    this.runDir = runDir;
    const lines = linesOf(runDir);
    const created = lines[0];
    if (created?.event !== "run_created") throw refused(runDir, "its journal holds nothing");
    if (created.workflow.id !== workflowId) {
      throw refused(
        runDir,
        `it is a run of the workflow ${created.workflow.id}, not of ${workflowId}`,
        `wf ls --workflow ${workflowId} lists those that can be named`,
      );
    }
    this.runId = created.run;
    this.source = sourceOf(lines);
    const edited = editedAttempts(lines);
    for (const line of lines) {
      if (line.event === "attempt_started") this.#nested.set(placeName(line), line);
      if (line.event !== "attempt_ended" || line.record.status !== "succeeded") continue;
      if (edited.has(attemptPath(line.record))) continue;
      const of = this.#ended.get(line.record.step) ?? [];
      if (of.push(line) === 1) this.#ended.set(line.record.step, of);
    }
  }

  /** Whether any attempt has finished. */
  get hasFinished(): boolean {
    return this.#ended.size > 0;
  }

  /** The newest finished attempt of the step, or of any of its items, with this key. */
  find(step: string, key: string): FoundAttempt | null {
    let known = this.#byKey.get(step);
    if (!known) {
      const found = new Map<string, FoundAttempt>();
      for (const ended of this.#ended.get(step) ?? []) {
        const attempt = this.#attempt(ended);
        const inputs = readInputs(attempt.dir);
        if (inputs) found.set(inputs.key, { ...attempt, notes: inputs.volatile ?? {} });
      }
      known = found;
      this.#byKey.set(step, known);
    }
    return known.get(key) ?? null;
  }

  /** The newest finished attempt of the very step or item. */
  newest({ step, item }: PlaceName): EarlierAttempt | null {
    const ended = this.#ended.get(step)?.findLast(({ record }) => record.item === item);
    return ended ? this.#attempt(ended) : null;
  }

  /** The newest run that was nested in the step or item, however it ended. */
  nested({ step, item }: PlaceName): string | null {
    const last = this.#nested.get(placeName({ step, item }));
    const dir = last && nestedDir(this.runDir, last);
    return dir !== undefined && existsSync(dir) ? dir : null;
  }

  #attempt({ record, volatile }: Ended): EarlierAttempt {
    const path = attemptPath(record);
    const { stdoutBytes, stderrBytes } = volatile;
    return {
      place: { run: this.runId, path },
      runDir: this.runDir,
      dir: attemptDir(this.runDir, record),
      record,
      logs: { stdoutBytes, stderrBytes },
    };
  }
}

/** The run that a request names; null if it names none, or lists none that can be used. Raises REUSE_REFUSED. */
export function earlierRun(
  reuse: ReuseRequest | undefined,
  workflowId: string,
  observer: Observer | undefined,
): EarlierRun | null {
  if (reuse === undefined) return null;
  if (typeof reuse === "string") return new EarlierRun(resolve(reuse), workflowId);
  for (const dir of reuse(workflowId)) {
    try {
      const run = new EarlierRun(resolve(dir), workflowId);
      if (run.hasFinished) return run;
    } catch (error) {
      if (!(error instanceof WfError)) throw error;
      observer?.note?.(`${error.message}; the one before it is looked at`);
    }
  }
  observer?.note?.(`there is no earlier run of ${workflowId} that could be reused: everything is done`);
  return null;
}

/** Raises REUSE_REFUSED for whatever is wrong with the run. */
function linesOf(runDir: string): readonly JournalLine[] {
  try {
    const reading = readRun(runDir);
    if (reading.kind === "current") return reading.lines;
  } catch (error) {
    if (!(error instanceof WfError)) throw error;
    throw refused(runDir, error.message, error.hint);
  }
  throw refused(runDir, "it is an older record, without a journal");
}

function refused(runDir: string, why: string, hint = "name another run, or leave --reuse out"): WfError {
  return new WfError({
    code: "REUSE_REFUSED",
    message: `nothing can be taken from the run ${runDir}: ${why}`,
    hint,
  });
}

/** Attempts that left something else than what their run has of them now; by their folder in the run. */
export function editedAttempts(lines: readonly JournalLine[]): ReadonlySet<string> {
  return new Set(lines.flatMap((line) => (line.event === "output_changed" ? [attemptPath(line)] : [])));
}

/** The last that the run was told. */
export function sourceOf(lines: readonly JournalLine[]): ReuseSource | null {
  let source: ReuseSource | null = null;
  for (const line of lines) {
    if (line.event === "run_created" || line.event === "engine_started")
      source = line.volatile.reuse ?? source;
  }
  return source;
}

/** How a run names another: from its own folder, if both lie in one, since they may be moved together. */
export function sourceFor(runDir: string, earlier: EarlierRun): ReuseSource {
  const isBeside = dirname(resolve(runDir)) === dirname(resolve(earlier.runDir));
  return {
    run: earlier.runId,
    dir: isBeside ? relative(runDir, earlier.runDir) : resolve(earlier.runDir),
  };
}

export function dirOf(runDir: string, { dir }: ReuseSource): string {
  return isAbsolute(dir) ? dir : join(runDir, dir);
}

/** The attempts of a step or item of the run that is driven itself which have succeeded, newest first. */
export function* ownAttempts(
  runDir: string,
  runId: string,
  place: PlaceName,
  count: number,
): Generator<EarlierAttempt> {
  for (let attempt = count; attempt > 0; attempt -= 1) {
    const name = { ...place, attempt };
    const dir = attemptDir(runDir, name);
    const record = readRecord(dir);
    if (record?.status !== "succeeded") continue;
    yield { place: { run: runId, path: attemptPath(name) }, runDir, dir, record, logs: null };
  }
}

function readRecord(dir: string): AttemptRecord | null {
  try {
    return JSON.parse(readFileSync(join(dir, ATTEMPT_FILES.record), "utf8")) as AttemptRecord;
  } catch {
    return null;
  }
}

/** Why an attempt can not be taken over although its inputs are the same, as the end of a sentence; null if it can. */
export function faultOf(attempt: FoundAttempt, digests: FileDigests): string | null | Promise<string | null> {
  const { changedMeanwhile } = attempt.notes;
  if (changedMeanwhile) return `${changedMeanwhile.join(", ")} while it ran`;
  const fault = whatIsMissing(attempt) ?? whatNamesTheRun(attempt);
  if (fault !== null) return fault;
  const files = Object.entries(attempt.record.outputs).flatMap(([key, output]) =>
    [...filesOf(output)].map((file) => ({ key, ...file })),
  );
  const judge = (found: Awaited<ReturnType<FileDigests["of"]>>) => {
    const changed = files.find(({ sha256 }, index) => found[index]?.sha256 !== sha256);
    const at = changed ? found[files.indexOf(changed)] : null;
    return changed
      ? `its output ${changed.key} ${at ? "has changed since" : "is gone"} (${changed.file})`
      : null;
  };
  const why = (error: unknown) => `its outputs can not be read: ${(error as Error).message}`;
  try {
    const found = digests.of(
      attempt.runDir,
      files.map(({ file }) => file),
    );
    return found instanceof Promise ? found.then(judge, why) : judge(found);
  } catch (error) {
    return why(error);
  }
}

/** What the wrapper left, and the script. */
function whatIsMissing({ dir, record, logs }: EarlierAttempt): string | null {
  const { script, stdout, stderr, exit } = ATTEMPT_FILES;
  const due = [
    [script, null],
    [stdout, logs?.stdoutBytes ?? null],
    [stderr, logs?.stderrBytes ?? null],
  ] as const;
  for (const [name, bytes] of due) {
    const size = sizeOrNull(join(dir, name));
    if (size === null) return `its ${name} is gone`;
    if (bytes !== null && size < bytes) return `its ${name} has ${size} bytes of ${bytes}`;
  }
  return exitText(join(dir, exit)) === `${record.exitCode}\n` ? null : `its ${exit} is gone, or another one`;
}

function sizeOrNull(path: string): number | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isFile() ? stat.size : null;
}

function exitText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

/** A shorter id may be a word that means something else. */
const NAMING_CHARACTERS = 8;

/** What would lead from a new run into another one, which may be gone tomorrow. */
function whatNamesTheRun({ place, runDir, record }: EarlierAttempt): string | null {
  const names = [runDir, place.run].filter((name) => name.length >= NAMING_CHARACTERS);
  for (const [key, output] of Object.entries(record.outputs)) {
    if (!("value" in output)) continue;
    const text = JSON.stringify(output.value);
    if (names.some((name) => text.includes(name))) return `the value of its output ${key} names its run`;
  }
  return null;
}

/** `steps/build/attempt-1 of the run 2026…`, for a person. */
export function placeText({ run, path }: AttemptPlace): string {
  return `${path} of run ${run}`;
}
