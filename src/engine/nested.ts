import { existsSync, renameSync } from "node:fs";
import { join, posix } from "node:path";
import type { Failure, JournalLine, RunReason, Usage } from "../core/event.ts";
import { foldAll } from "../core/fold.ts";
import { type AttemptName, nestedRunId } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { WfError } from "../core/problem.ts";
import { type RunRecord, toRecord } from "../core/record.ts";
import { nodeOf } from "../core/state.ts";
import type { NestedStep } from "../core/workflow.ts";
import { resolveInputs } from "../language/inputs.ts";
import type { AnswerBook } from "../review/answer-book.ts";
import { acceptSecrets } from "../secrets/supply.ts";
import { ATTEMPT_FILES, attemptDir, CREATING_PREFIX, nestedDir, RUN_FILES } from "../store/layout.ts";
import { removeBuilds } from "../store/left-over.ts";
import { readRun } from "../store/open-run.ts";
import { shareTree } from "../store/share-tree.ts";
import type { Outcome, ResumeRequest } from "./api.ts";
import { attendRequests } from "./attend-requests.ts";
import { Clock } from "./clock.ts";
import { driveAndRelease } from "./conclude.ts";
import type { DriveGroup, InnerOptions } from "./drive-group.ts";
import { EarlierRun } from "./earlier-run.ts";
import { definitionsIn, sha256 } from "./load.ts";
import { nestedFiles } from "./nested-files.ts";
import { createSession } from "./new-run.ts";
import { repairSnapshot, resume } from "./resume.ts";
import { ReuseSources } from "./reuse-sources.ts";
import type { Session } from "./session.ts";

/** The attempt whose run is driven, and what it is given. */
export interface NestedAttempt {
  readonly outer: Session;
  readonly group: DriveGroup;
  readonly step: NestedStep;
  readonly name: AttemptName;
  /** It goes on with what an earlier attempt has done. */
  readonly goesOn: boolean;
  readonly inputs: Readonly<Record<string, Json>>;
  readonly secrets: ReadonlyMap<string, string>;
  /** The environment its steps start from. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Stay at gates and limits. */
  readonly wait: boolean;
  /** It was asked to stop before there was anything to stop. */
  isStopped(): boolean;
}

export type NestedEnd =
  | { readonly waiting: RunReason; readonly until: string | null }
  | { readonly ended: RunRecord; readonly usage: Usage | null }
  /** There is no run. */
  | { readonly failure: Failure }
  | { readonly notRun: true };

/**
 * Drives the run of an attempt until it has ended or waits: creates it, goes on with it, or takes the end that it has
 * come to already. What is wrong with the step itself is a failure; all else is raised.
 */
export async function driveNested(attempt: NestedAttempt): Promise<NestedEnd> {
  const { outer, name, goesOn } = attempt;
  const runDir = nestedDir(outer.places.runDir, name);
  try {
    if (!existsSync(runDir)) {
      if (attempt.isStopped()) return { notRun: true };
      removeBuilds(attemptDir(outer.places.runDir, name));
      const before = goesOn ? runBefore(outer.places.runDir, name) : null;
      if (before === null) return endOf(await begin(attempt));
      copyRun(before, runDir, outer.sync);
      return endOf(await goOn(attempt, runDir));
    }
    const ended = endedRecord(attempt, runDir);
    if (!ended) return endOf(await goOn(attempt, runDir));
    await repairSnapshot(requestOf(attempt, runDir));
    return endOf({ record: ended });
  } catch (error) {
    if (!(error instanceof WfError) || error.exitCode !== 2) throw error;
    const { code, message, hint } = error;
    return { failure: { code, message, ...(hint !== undefined && { hint }) } };
  }
}

function endOf({ record }: Pick<Outcome, "record">): NestedEnd {
  const { usage, waitingUntil } = record.volatile;
  if (record.status === "waiting" && record.reason) {
    return { waiting: record.reason, until: waitingUntil ?? null };
  }
  const tokens = usage && usage.unknown > 0 && usage.tokens === 0 ? null : usage?.tokens;
  const costUsd = usage && usage.unknownCost > 0 && usage.costUsd === 0 ? null : usage?.costUsd;
  const used = usage ? { tokens: tokens ?? null, costUsd: costUsd ?? null } : null;
  return { ended: record, usage: used };
}

async function begin(attempt: NestedAttempt): Promise<Outcome> {
  const { outer, step, name, inputs: values, secrets: given } = attempt;
  const { definition } = step;
  const { workflow } = definition;
  const { state, places } = outer;
  const inputs = resolveInputs(
    workflow,
    Object.entries(values).map(([input, value]) => ({ name: input, value, from: "file" as const })),
    given,
  );
  if (!inputs.ok) throw new WfError(inputs.problems);
  const secrets = acceptSecrets(given);
  const { bytes, files } = nestedFiles(places.runDir, definition);
  const { source } = state.source;
  const session = createSession(
    {
      runsDir: attemptDir(places.runDir, name),
      folder: ATTEMPT_FILES.run,
      runId: nestedRunId(state.runId, name),
      loaded: { bytes, sha256: sha256(bytes), workflow, files },
      source: definition.file === undefined ? source : besides(source, definition.file),
      ...(definition.step !== undefined && { step: definition.step }),
      parent: { step: name.step, ...(name.item !== undefined && { item: name.item }), attempt: name.attempt },
      inputs: inputs.inputs,
      options: state.options,
      git: state.git,
      places: { secrets, project: places.project, depth: places.depth + 1 },
      earlier: earlierNested(outer, name, workflow.id),
      bookFor: () => answersWithin(outer, name),
    },
    new Clock(),
    outer.observerWithin(name, nestedDir(places.runDir, name)),
  );
  const options = optionsOf(attempt);
  const outcome = await driveAndRelease(session, options);
  return outcome.moreRequests ? attendRequests(outcome, options) : outcome;
}

/** The run of the same step or item in the run that the outer one reuses. */
function earlierNested(outer: Session, name: AttemptName, workflowId: string): EarlierRun | null {
  const dir = new ReuseSources(outer).nested(name);
  try {
    return dir === null ? null : new EarlierRun(dir, workflowId);
  } catch (error) {
    if (!(error instanceof WfError)) throw error;
    return null;
  }
}

/** What answers the attempts of the run; the attempt that it is has been started. */
function answersWithin({ answers, state }: Session, name: AttemptName): AnswerBook | null {
  return answers?.within(name, nodeOf(state, name.step, name.item).counted - 1) ?? null;
}

function goOn(attempt: NestedAttempt, runDir: string): Promise<Outcome> {
  return resume(requestOf(attempt, runDir));
}

function requestOf(attempt: NestedAttempt, runDir: string): ResumeRequest & InnerOptions {
  return { ...optionsOf(attempt), runDir, project: attempt.outer.places.project };
}

function optionsOf(attempt: NestedAttempt): InnerOptions {
  const { outer, group, name, secrets, env, wait } = attempt;
  return {
    inside: { group, depth: outer.places.depth + 1, answers: answersWithin(outer, name) },
    secrets: Object.fromEntries(secrets),
    env,
    ...(wait && { wait }),
    observer: outer.observerWithin(name, nestedDir(outer.places.runDir, name)),
  };
}

/** `project:ci/release.yaml` and `sub/build.yaml` make `project:ci/sub/build.yaml`. */
function besides(source: string, file: string): string {
  const [, prefix = "", path = ""] = /^(project:)?(.*)$/.exec(source) ?? [];
  return prefix + posix.join(posix.dirname(path), file);
}

/** The run of the newest attempt before this one that has any; of one that succeeded nothing is left to go on with. */
function runBefore(runDir: string, { attempt, ...place }: AttemptName): string | null {
  for (let n = attempt - 1; n > 0; n--) {
    const before = nestedDir(runDir, { ...place, attempt: n });
    if (!existsSync(before)) continue;
    const last = linesOf(before).at(-1);
    return last?.event === "run_ended" && last.status === "succeeded" ? null : before;
  }
  return null;
}

/** Whole or not at all: what is there under its name is a run. */
function copyRun(from: string, to: string, sync: boolean): void {
  const making = join(to, "..", `${CREATING_PREFIX}${ATTEMPT_FILES.run}`);
  // What lies under `steps/` belongs to attempts that have ended; all else is still written to.
  shareTree(from, making, { sync, copied: (path) => !path.startsWith(`${RUN_FILES.steps}/`) });
  renameSync(making, to);
}

/**
 * The end that the run has come to already; null if it has not. A copy of an earlier attempt's run that nobody has gone
 * on with yet has not come to its end: it is to be gone on with.
 */
function endedRecord({ outer, step, name, goesOn }: NestedAttempt, runDir: string): RunRecord | null {
  const lines = linesOf(runDir);
  const last = lines.at(-1);
  if (last?.event !== "run_ended") return null;
  const before = goesOn ? runBefore(outer.places.runDir, name) : null;
  if (before !== null && linesOf(before).at(-1)?.seq === last.seq) return null;
  const { workflow } = step.definition;
  return toRecord(foldAll(workflow, lines, definitionsIn(runDir, step.definition)), 0);
}

function linesOf(runDir: string): readonly JournalLine[] {
  const found = readRun(runDir);
  return found.kind === "current" ? found.lines : [];
}
