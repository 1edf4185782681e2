import { type Stats, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { JournalLine } from "../core/event.ts";
import { WfError } from "../core/problem.ts";
import type { RunRecord } from "../core/record.ts";
import type { DefinitionIn, RunState } from "../core/state.ts";
import type { Workflow } from "../core/workflow.ts";
import type { Selection } from "../language/load.ts";
import { readCopies } from "../store/copies.ts";
import { damaged } from "../store/damage.ts";
import { ioError } from "../store/io-error.ts";
import { RUN_FILES } from "../store/layout.ts";
import type { LegacyRunRecord } from "../store/legacy-record.ts";
import { readDefinition } from "../store/open-run.ts";
import { readTrusted } from "../store/recover.ts";
import { readSnapshot, readSnapshotFile } from "../store/snapshot.ts";
import { type Liveness, liveness } from "./liveness.ts";

/** A run as it is now, for whoever only reads: no lock was taken and nothing written. */
export type RunView = CurrentView | LegacyView;

export interface CurrentView {
  readonly kind: "current";
  readonly runDir: string;
  readonly record: RunRecord;
  readonly liveness: Liveness;
  /** It says that it runs, and nobody drives it: it was cut off. */
  readonly interrupted: boolean;
  /** What is wrong with the files and did not keep it from being read; sentences. */
  readonly notes: readonly string[];
  /** Present if `run.json` alone was not enough. */
  readonly folded?: { readonly state: RunState; readonly lines: readonly JournalLine[] };
}

export type ReadableRun = Pick<CurrentView, "runDir" | "record" | "folded">;

/** From before inputs were recorded. */
export interface LegacyView {
  readonly kind: "legacy";
  /** A file `<run-id>.json`, or a folder with `run.json`. */
  readonly path: string;
  readonly record: LegacyRunRecord;
}

/**
 * Raises RUN_NOT_FOUND (no run is there), RUN_DAMAGED, FORMAT_UNKNOWN, IO_ERROR.
 * `path`: a run directory, or the file of an older record.
 */
export async function viewRun(path: string): Promise<RunView> {
  if (isFile(path)) return viewFile(path);
  const snapshot = readSnapshot(path);
  if (snapshot.kind === "legacy") return { kind: "legacy", path, record: snapshot.record };
  const size = journalSize(path);
  if (snapshot.kind === "current" && size === snapshot.record.volatile.journalBytes) {
    return view(path, snapshot.record, []);
  }
  if (snapshot.kind !== "current" && size === undefined) {
    if (snapshot.kind === "missing") throw noRun(path);
    throw damaged(`${join(path, RUN_FILES.snapshot)}: ${snapshot.why}, and there is no journal beside it`);
  }
  const { lines, validBytes } = readTrusted(path, snapshot.kind === "current" ? snapshot.record : null);
  const { toRecord } = await import("../core/record.ts");
  const state = await foldRun(path, lines);
  const notes =
    snapshot.kind === "current"
      ? []
      : [
          `run.json can not be used (${snapshot.why}); this is what the journal says, and wf resume rebuilds it`,
        ];
  return { ...view(path, toRecord(state, validBytes), notes), folded: { state, lines } };
}

/** The journal of a run, up to its torn end if it has one. */
export function linesOf({ runDir, record, folded }: ReadableRun): readonly JournalLine[] {
  return folded?.lines ?? readTrusted(runDir, record).lines;
}

/** The state and the journal that it is folded from: what the snapshot has no room for, such as each item of a `foreach`. */
export async function foldedRun(run: ReadableRun): Promise<NonNullable<CurrentView["folded"]>> {
  const lines = linesOf(run);
  return run.folded ?? { state: await foldRun(run.runDir, lines), lines };
}

/**
 * A definition that the run goes by: the copy in its directory that `selection` names, which is the present one if it
 * is what `run.json` says of the workflow. Raises RUN_DAMAGED.
 */
export async function definitionOf(
  runDir: string,
  selection: Selection & { readonly file?: string },
): Promise<Workflow> {
  const path = join(runDir, selection.file ?? RUN_FILES.definition);
  const bytes = readDefinition(runDir, selection.file);
  const { loadWorkflow } = await import("../language/load.ts");
  const loaded = loadWorkflow({ path, bytes, readFile: readCopies(dirname(path)) }, selection);
  if (loaded.ok) return loaded.workflow;
  throw damaged(`${path} is not the workflow that was started: ${loaded.problems[0]?.message}`);
}

/** The definition that the run began with, and those that it went on with. Raises RUN_DAMAGED. */
export async function definitionsOf(
  runDir: string,
  first: Selection & { readonly file?: string },
  lines: readonly JournalLine[],
): Promise<{ readonly workflow: Workflow; readonly definitionIn: DefinitionIn }> {
  const known = new Map<string, Workflow>();
  for (const line of lines) {
    if (line.event !== "definition_changed") continue;
    known.set(line.file, await definitionOf(runDir, { ...first, file: line.file }));
  }
  const definitionIn = (file: string) => {
    const workflow = known.get(file);
    if (!workflow) throw damaged(`${join(runDir, file)} is named by no line of the journal`);
    return workflow;
  };
  return { workflow: await definitionOf(runDir, first), definitionIn };
}

async function foldRun(runDir: string, lines: readonly JournalLine[]): Promise<RunState> {
  const created = lines[0];
  if (created?.event !== "run_created") throw damaged(`${join(runDir, RUN_FILES.journal)} holds no line`);
  const { workflow, definitionIn } = await definitionsOf(runDir, created.workflow, lines);
  const { foldAll } = await import("../core/fold.ts");
  try {
    return foldAll(workflow, lines, definitionIn);
  } catch (error) {
    throw damaged(`${join(runDir, RUN_FILES.journal)}: ${(error as Error).message}`);
  }
}

function view(runDir: string, record: RunRecord, notes: readonly string[]): CurrentView {
  const driver = liveness(runDir);
  const active = record.status === "running" || record.status === "queued";
  return {
    kind: "current",
    runDir,
    record,
    liveness: driver,
    interrupted: active && driver.state === "nobody",
    notes,
  };
}

function viewFile(path: string): LegacyView {
  const snapshot = readSnapshotFile(path);
  if (snapshot.kind === "legacy") return { kind: "legacy", path, record: snapshot.record };
  const why = snapshot.kind === "current" ? "it is the run.json of a run; name its folder" : snapshot.why;
  throw new WfError({
    code: "RUN_NOT_FOUND",
    message: `${path} is no run: ${why}`,
    hint: "wf ls lists the runs",
  });
}

function noRun(path: string): WfError {
  return new WfError({
    code: "RUN_NOT_FOUND",
    message: `${path} is no run directory: it holds neither ${RUN_FILES.snapshot} nor ${RUN_FILES.journal}`,
    hint: "wf ls lists the runs",
  });
}

function journalSize(runDir: string): number | undefined {
  return statOrUndefined(join(runDir, RUN_FILES.journal))?.size;
}

function isFile(path: string): boolean {
  return statOrUndefined(path)?.isFile() ?? false;
}

function statOrUndefined(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw ioError(error, `look at ${path}`);
  }
}
