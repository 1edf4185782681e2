import { randomInt } from "node:crypto";
import { homedir, tmpdir } from "node:os";
import { isAbsolute, join, relative } from "node:path";
import type { AnswerSource } from "../core/answers.ts";
import type { EffectiveLimits, RunEvent, RunOptions } from "../core/event.ts";
import { fold } from "../core/fold.ts";
import { initialState } from "../core/initial-state.ts";
import type { Json } from "../core/json.ts";
import type { RunState } from "../core/state.ts";
import type { Limits } from "../core/workflow.ts";
import type { AnswerBook } from "../review/answer-book.ts";
import type { Places } from "../steps/scope.ts";
import { type CreatedRun, createRun, type RunBuild } from "../store/create-run.ts";
import { Journal } from "../store/journal.ts";
import { RUN_FILES } from "../store/layout.ts";
import { snapshotOf } from "../store/snapshot.ts";
import { ownIdentity } from "../system/identity.ts";
import { VERSION } from "../system/version.ts";
import type { Observer } from "./api.ts";
import type { Clock } from "./clock.ts";
import { type EarlierRun, sourceFor } from "./earlier-run.ts";
import type { LoadedFile } from "./load.ts";
import { Session } from "./session.ts";

/** A run that is about to be created; everything has been checked. */
export interface NewRun {
  readonly runsDir: string;
  /** Its name in `runsDir`. */
  readonly folder: string;
  readonly runId: string;
  readonly loaded: LoadedFile;
  readonly source: string;
  /** A definition that stands in a step of the file. */
  readonly step?: string;
  readonly parent?: (RunEvent & { event: "run_created" })["parent"];
  readonly inputs: Readonly<Record<string, Json>>;
  readonly options: RunOptions;
  readonly maxParallel?: number;
  readonly git: { readonly commit: string; readonly dirty: boolean } | null;
  readonly places: Omit<Places, "runDir">;
  /** Its finished attempts may be taken over. */
  readonly earlier: EarlierRun | null;
  /** The fixture that answers its attempts; a nested run has that of the run around it. */
  readonly answers?: AnswerSource;
  /** What answers them, once the run is there; null: nothing does. */
  bookFor(runDir: string): AnswerBook | null;
}

/** Makes the directory of a run, whole or not at all, and takes hold of it. */
export function createSession(run: NewRun, clock: Clock, observer: Observer): Session {
  const { workflow, bytes, files } = run.loaded;
  const { durability } = run.options;
  const state = initialState(workflow);
  const made = createRun(run.runsDir, run.folder, {
    runId: run.runId,
    definition: bytes,
    files: Object.fromEntries(files),
    firstLines: firstLines(run),
    ...buildFor(state, durability, clock),
  });
  const { places, earlier } = run;
  const session = holdRun(made, state, places, {
    clock,
    observer,
    earlier,
    answers: run.bookFor(made.runDir),
  });
  for (const line of made.lines) observer.event?.(line, session.state);
  return session;
}

/** What all builds of a run have in common; its first lines are folded into `state`. */
export function buildFor(
  state: RunState,
  durability: RunOptions["durability"],
  clock: Clock,
): Pick<RunBuild, "snapshot" | "durability" | "at" | "version"> {
  return {
    snapshot: (written, length) => {
      for (const line of written) fold(state, line);
      return snapshotOf(state, length);
    },
    durability,
    at: new Date(clock.now()),
    version: VERSION,
  };
}

/** The project as a run's first line names it: also by the way from the run, if that lies in it. */
export function recordedProjectOf(
  project: string,
  runDir: string,
): { readonly project: string; readonly projectFromRun?: string } {
  const back = relative(runDir, project);
  const inside = !relative(project, runDir).startsWith("..") && !isAbsolute(back);
  return { project, ...(inside && { projectFromRun: back }) };
}

/** Takes hold of a run that has just been created. */
export function holdRun(
  { runDir, claim, seq, length }: CreatedRun,
  state: RunState,
  places: Omit<Places, "runDir">,
  parts: {
    readonly clock: Clock;
    readonly observer: Observer;
    readonly earlier: EarlierRun | null;
    readonly answers: AnswerBook | null;
  },
): Session {
  const { runId: run, options } = state;
  const { durability } = options;
  const journal = Journal.open(runDir, { seq, epoch: claim.epoch, run, length, durability });
  const at = { ...places, runDir };
  const session = new Session({ ...parts, places: at, state, claim, journal });
  session.snapshotIsCurrent();
  return session;
}

/** `run_created`, what was clamped, and the first `engine_started`: a run on disk always has an engine that drove it. */
function firstLines(run: NewRun): RunEvent[] {
  const { loaded, inputs, options, git, source, step, parent, maxParallel, earlier, answers } = run;
  const { workflow, sha256 } = loaded;
  const { project } = run.places;
  const runDir = join(run.runsDir, run.folder);
  const clamped = workflow.steps.flatMap((each): RunEvent[] => {
    if (each.timeoutClampedFromMs === undefined || each.timeoutMs === undefined) return [];
    const { timeoutClampedFromMs: from, timeoutMs: to } = each;
    return [{ event: "limit_clamped", step: each.id, limit: "timeout_ms", from, to }];
  });
  return [
    {
      event: "run_created",
      format: "wf.run/1",
      workflow: {
        id: workflow.id,
        file: RUN_FILES.definition,
        sha256,
        source,
        ...(step !== undefined && { step }),
      },
      ...(parent && { parent }),
      inputs,
      limits: effectiveLimits(workflow.limits, maxParallel),
      options,
      volatile: {
        ...recordedProjectOf(project, runDir),
        ...(git && { git }),
        ...(earlier && { reuse: sourceFor(runDir, earlier) }),
        ...(answers && { answers }),
      },
    },
    ...clamped,
    engineStarted("start", { project, runDir }),
  ];
}

export function engineStarted(
  how: (RunEvent & { event: "engine_started" })["how"],
  { project, runDir }: { readonly project: string; readonly runDir: string },
  told: { readonly earlier: EarlierRun | null; readonly answers?: AnswerSource } = { earlier: null },
): RunEvent & { event: "engine_started" } {
  const { pid, host, machineId, pidNamespace } = ownIdentity();
  const { earlier, answers } = told;
  // The usual one is known anywhere, and stands in scripts that mean no place in particular (`${TMPDIR:-/tmp}`).
  const tmp = tmpdir() === "/tmp" ? {} : { tmp: tmpdir() };
  return {
    event: "engine_started",
    how,
    version: VERSION,
    volatile: {
      ...{ pid, host, machineId, pidNamespace, project, runDir, home: homedir(), ...tmp },
      ...(earlier && { reuse: sourceFor(runDir, earlier) }),
      ...(answers && { answers }),
    },
  };
}

export function effectiveLimits(limits: Limits, maxParallel: number | undefined): EffectiveLimits {
  const max_parallel = maxParallel ?? limits.maxParallel;
  return {
    max_total_iterations: limits.maxTotalIterations,
    ...(limits.runTimeoutMs !== undefined && { run_timeout_ms: limits.runTimeoutMs }),
    ...(max_parallel !== undefined && { max_parallel }),
    ...(limits.budget.maxTokens !== undefined && { max_tokens: limits.budget.maxTokens }),
    ...(limits.budget.maxCostUsd !== undefined && { max_cost_usd: limits.budget.maxCostUsd }),
  };
}

/** `<date>-<time>-<workflow>-<4 letters>`, in UTC. */
export function newRunId(workflow: string, now: Date): string {
  const [date = "", time = ""] = now.toISOString().replace(/[-:]/g, "").split(/[T.]/);
  const letters = Array.from({ length: 4 }, () => "abcdefghijkmnpqrstuvwxyz23456789"[randomInt(32)]).join("");
  return `${date}-${time}-${workflow}-${letters}`;
}
