import { existsSync, readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import type { JournalLine, RunOptions } from "../core/event.ts";
import { foldAll } from "../core/fold.ts";
import { placeName } from "../core/ids.ts";
import { WfError } from "../core/problem.ts";
import type { DefinitionIn } from "../core/state.ts";
import type { Workflow } from "../core/workflow.ts";
import type { AnswerFixture } from "../review/answer-fixture.ts";
import type { Secrets } from "../secrets/secrets.ts";
import { secretsAgain } from "../secrets/supply.ts";
import { FileDigests } from "../steps/file-digests.ts";
import { Journal } from "../store/journal.ts";
import { RUN_FILES } from "../store/layout.ts";
import { claim } from "../store/lock.ts";
import { readDefinition, readRun, readSnapshotIfCurrent } from "../store/open-run.ts";
import { readCreated } from "../store/read-created.ts";
import { recordedProject, sourcePath } from "../store/recorded-project.ts";
import { recoverJournal } from "../store/recover.ts";
import { VERSION } from "../system/version.ts";
import { fixtureAgain } from "./answer-source.ts";
import type { Outcome, ResumeRequest } from "./api.ts";
import { tellChangedInputs } from "./changed-inputs.ts";
import { applyChange, type Change, changeNotes, planChange } from "./changes.ts";
import { Clock } from "./clock.ts";
import { driveAndRelease, letGo, rememberingAttempt } from "./conclude.ts";
import { hasNewRequests, takeRequests } from "./control.ts";
import type { InnerOptions } from "./drive-group.ts";
import { type EarlierRun, earlierRun } from "./earlier-run.ts";
import { definitionsIn, loadCopy, sha256 } from "./load.ts";
import { hasNewWithin } from "./nested-requests.ts";
import { raiseLimits, requireUnspent } from "./raise-limits.ts";
import { repairRecords } from "./repair.ts";
import { Session } from "./session.ts";
import { engineStarted, requireStep } from "./start.ts";

/**
 * Goes on with a run from its journal. A run that has succeeded is left as it is. Raises `WfError`: 2 (wrong state,
 * spent limit, no project; nothing was written), 4 (driven by another engine), 5 (damaged), 6.
 */
export function resume(request: ResumeRequest & InnerOptions): Promise<Outcome> {
  return goOn(request, "resume");
}

/** Performs one attempt of one step, and stops. What is open is settled first, what is to be skipped is skipped. */
export function executeNext(request: ResumeRequest): Promise<Outcome> {
  return goOn(request, "next");
}

async function goOn(request: ResumeRequest & InnerOptions, how: "resume" | "next"): Promise<Outcome> {
  const runDir = resolve(request.runDir);
  const isPlain = request.from === undefined && !request.workflow && !request.inputs?.length;
  const finished = isPlain ? readSnapshotIfCurrent(runDir) : null;
  if (finished?.status === "succeeded") {
    await tellOfFinished(runDir, request);
    return { runDir, record: finished, signal: null };
  }
  if (!request.inside) refuseNested(runDir);
  const checked = await checkResume(runDir, request);
  const { observer, last } = rememberingAttempt(request.observer);
  const options: InnerOptions = { ...request, observer };
  const session = await reopen(runDir, checked, options);
  let settleOnly = false;
  try {
    requireUnspent(session.state, checked.limits);
    if (session.state.status === "succeeded" && request.from === undefined) return leaveAsItIs(session);
    // What was cut off is settled first: `--from` sends back only what has ended.
    const isRedone = request.from !== undefined || checked.change !== null;
    settleOnly = isRedone && session.state.running.size > 0;
    if (checked.sourceChanged) session.note(checked.sourceChanged);
    const { earlier, fixture } = checked;
    const answers = request.answers === undefined ? undefined : fixture?.source;
    session.record({
      ...engineStarted(how, { project: checked.project, runDir }, { earlier, ...(answers && { answers }) }),
      ...(request.from !== undefined && !settleOnly && { from: request.from }),
      ...(Object.keys(checked.limits).length > 0 && { limits: checked.limits }),
    });
    if (checked.change && !settleOnly) {
      applyChange(session, checked.change);
      for (const note of changeNotes(checked.change)) session.note(note);
    }
    session.commit();
    const { state, places, digests } = session;
    await tellChangedInputs(state, places, digests, (sentence) => session.note(sentence));
  } catch (error) {
    letGo(session);
    throw error;
  }
  if (settleOnly) {
    await driveAndRelease(session, { ...options, attempts: 0 });
    return goOn(request, how);
  }
  const bounded = how === "next" ? { ...options, attempts: 1 } : options;
  const outcome = await driveAndRelease(session, bounded);
  if (outcome.moreRequests) return attendRequests(outcome, bounded);
  const attempt = last();
  return attempt ? { ...outcome, attempt } : outcome;
}

/** A run that has succeeded stays as it is; that files which it read are others now is worth saying. */
async function tellOfFinished(runDir: string, request: ResumeRequest): Promise<void> {
  const { note } = request.observer ?? {};
  // Most workflows name no files, and a run of 10,000 steps need not be read for that.
  if (!note || !Buffer.from(readDefinition(runDir)).includes("input_files")) return;
  const reading = readRun(runDir);
  const created = reading.kind === "current" ? reading.lines[0] : undefined;
  if (reading.kind !== "current" || created?.event !== "run_created") return;
  const workflow = loadCopy(runDir, reading.definition, created.workflow);
  const state = foldAll(workflow, reading.lines, definitionsIn(runDir, created.workflow));
  const project = projectOf(runDir, created, request.project);
  await tellChangedInputs(state, { runDir, project }, new FileDigests(), note);
}

/**
 * Claims a run once more for requests that came when its engine had already let go, until there are none: decisions
 * and a cancel of a run that waits are carried out, everything else is refused.
 */
export async function attendRequests(outcome: Outcome, options: InnerOptions): Promise<Outcome> {
  let latest: Outcome & { readonly moreRequests?: boolean } = outcome;
  do {
    try {
      latest = await attendOnce(latest, options);
    } catch (error) {
      // Another engine was faster: they are its business now.
      if (error instanceof WfError && error.code === "RUN_LOCKED") return outcome;
      throw error;
    }
  } while (latest.moreRequests);
  return latest;
}

async function attendOnce(
  outcome: Outcome,
  options: InnerOptions,
): Promise<Outcome & { readonly moreRequests?: boolean }> {
  const { runDir } = outcome;
  const { secrets, env, inside } = options;
  const request = { runDir, ...(secrets && { secrets }), ...(env && { env }), ...(inside && { inside }) };
  const checked = await checkResume(runDir, request);
  const session = await reopen(runDir, checked, options);
  const { state } = session;
  const { reason, waitingUntil: until } = state;
  if (state.status === "waiting")
    session.record(engineStarted("resume", { project: checked.project, runDir }));
  const changed = takeRequests(session) || hasNewWithin(state, runDir);
  if (!changed && state.status === "running" && reason !== null) {
    session.record({ event: "run_waiting", reason, ...(until !== null && { volatile: { until } }) });
  }
  session.commit();
  if (state.status === "running") {
    // `wf next` has made its one attempt.
    return driveAndRelease(session, options.attempts === undefined ? options : { ...options, attempts: 0 });
  }
  session.writeSnapshot();
  const record = session.toRecord();
  letGo(session);
  return { ...outcome, record, moreRequests: hasNewRequests(session) };
}

/** Brings the snapshot of a run that has ended up to its journal, should a crash have left it behind. */
export async function repairSnapshot(request: ResumeRequest & InnerOptions): Promise<void> {
  if (readSnapshotIfCurrent(request.runDir) !== null) return;
  const session = await reopen(request.runDir, await checkResume(request.runDir, request), request);
  session.writeSnapshot();
  letGo(session);
}

function hasSucceeded(lines: readonly JournalLine[]): boolean {
  const last = lines.at(-1);
  return last?.event === "run_ended" && last.status === "succeeded";
}

function succeeded(runId: string): WfError {
  return new WfError({
    code: "WRONG_STATE",
    message: `run '${runId}' has succeeded, and stays as it is: nothing in it is done again`,
    hint: `start another, which does what has changed:  wf run FILE --reuse ${runId}`,
  });
}

/** Only the engine of the run around it knows what it is given and what becomes of it. */
function refuseNested(runDir: string): void {
  const parent = readCreated(runDir)?.parent;
  if (!parent) return;
  throw new WfError({
    code: "WRONG_STATE",
    message: `${runDir} is the run of attempt ${parent.attempt} of ${placeName(parent)}, a part of another run`,
    hint: "the run around it can be resumed, and goes on with it",
  });
}

const AT_A_LIMIT = new Set(["ITERATION_LIMIT", "RUN_TIMEOUT", "BUDGET"]);

interface CheckedResume {
  readonly workflow: Workflow;
  readonly definitionIn: DefinitionIn;
  readonly change: Change | null;
  readonly project: string;
  readonly limits: ReturnType<typeof raiseLimits>;
  readonly sourceChanged: string | null;
  readonly durability: RunOptions["durability"];
  readonly secrets: Secrets;
  readonly earlier: EarlierRun | null;
  /** What answers its attempts; of a nested run the run around it knows. */
  readonly fixture: AnswerFixture | null;
}

/** Everything that can be refused before anything is written. */
async function checkResume(runDir: string, request: ResumeRequest & InnerOptions): Promise<CheckedResume> {
  const reading = readRun(runDir);
  if (reading.kind === "legacy") {
    throw new WfError({
      code: "LEGACY_RUN",
      message: `run '${reading.record.runId}' can not be resumed: it was written before inputs and a journal were recorded`,
      hint: "start it anew with wf run",
    });
  }
  const { definition, lines } = reading;
  const created = lines[0];
  if (created?.event !== "run_created") throw damaged(runDir, "its journal does not begin with run_created");
  if (sha256(definition) !== created.workflow.sha256) {
    throw damaged(runDir, `${RUN_FILES.definition} is not the one that the run was created with`);
  }
  const workflow = loadCopy(runDir, definition, created.workflow);
  const definitionIn = definitionsIn(runDir, created.workflow);
  const project = projectOf(runDir, created, request.project);
  const changes = lines.filter(({ event }) => event === "definition_changed").length;
  const isAsked = request.workflow !== undefined || (request.inputs ?? []).length > 0;
  const state = isAsked || changes > 0 ? foldAll(workflow, lines, definitionIn) : null;
  const change = state && planChange(state, request, { project, changes });
  const present = change?.workflow ?? state?.workflow ?? workflow;
  for (const each of new Set([present, state?.workflow ?? workflow])) {
    if (request.from !== undefined) requireStep(each, request.from, "--from");
  }
  if (request.from !== undefined && hasSucceeded(lines)) throw succeeded(created.run);
  if (request.until !== undefined) requireStep(present, request.until, "--until");
  const limits = raiseLimits(request.limits ?? {}, present);
  const last = lines.findLast(({ event }) => event === "run_ended" || event === "run_waiting");
  const code = last?.event === "run_ended" || last?.event === "run_waiting" ? last.reason?.code : undefined;
  // Looked at again under the claim; but a refusal that can be foreseen leaves no trace in the run.
  if (AT_A_LIMIT.has(code ?? "")) requireUnspent(state ?? foldAll(workflow, lines), limits);
  return {
    workflow,
    definitionIn,
    change,
    project,
    limits,
    // Who names a definition knows that it is another.
    sourceChanged: isAsked || changes > 0 ? null : sourceChanged(project, created),
    durability: created.options.durability,
    secrets: secretsAgain(
      present,
      change?.inputs ?? state?.inputs ?? created.inputs,
      request.secrets,
      request.env ?? process.env,
    ),
    earlier: earlierRun(request.reuse, workflow.id, request.observer),
    fixture: request.inside ? null : await fixtureAgain(request, lines, { workflowId: workflow.id, project }),
  };
}

async function reopen(runDir: string, checked: CheckedResume, options: InnerOptions): Promise<Session> {
  const observer = options.observer ?? {};
  const clock = new Clock();
  const held = await claim(runDir, {
    version: VERSION,
    onWaiting: (owner, ms) =>
      observer.note?.(
        `process ${owner.pid} on ${owner.host} may still drive it; taking over if it is silent for ${ms / 1000} s`,
      ),
  });
  try {
    const { durability } = checked;
    const recovered = recoverJournal(runDir, { durability });
    if (recovered.cut) {
      observer.note?.(
        `${recovered.cut.bytes} bytes at the end of the journal were torn (${recovered.cut.what}); kept in ${recovered.cut.file}`,
      );
    }
    const state = foldAll(checked.workflow, recovered.lines, checked.definitionIn);
    const { seq, length } = recovered;
    const journal = Journal.open(runDir, { seq, epoch: held.epoch, run: state.runId, length, durability });
    const depth = options.inside?.depth ?? 0;
    const places = { runDir, project: checked.project, secrets: checked.secrets, depth };
    repairRecords(runDir, state, recovered.lines);
    const { earlier, fixture } = checked;
    const run = { runDir, runId: state.runId, project: checked.project };
    const answers = options.inside?.answers ?? fixture?.bookFor(run, state.workflow) ?? null;
    return new Session({ places, state, claim: held, clock, journal, observer, earlier, answers });
  } catch (error) {
    held.release();
    throw error;
  }
}

/** Only the snapshot may lag behind a run that has ended. */
function leaveAsItIs(session: Session): Outcome {
  takeRequests(session);
  session.commit();
  session.writeSnapshot();
  const record = session.toRecord();
  letGo(session);
  return { runDir: session.places.runDir, record, signal: null };
}

type Created = JournalLine & { event: "run_created" };

/** `--project`, else the way from the run, else the recorded folder. */
export function projectOf(
  runDir: string,
  { volatile, workflow }: Created,
  given: string | undefined,
): string {
  if (given !== undefined) {
    if (existsSync(given)) return resolve(given);
    throw new WfError({ code: "PROJECT_NOT_FOUND", message: `--project: there is no folder ${given}` });
  }
  const { project, projectFromRun } = volatile;
  const found = recordedProject(runDir, { project, projectFromRun, source: workflow.source });
  if (found !== null) return found;
  throw new WfError({
    code: "PROJECT_NOT_FOUND",
    message: `the project folder of run '${basename(runDir)}' is not here: ${project}`,
    hint: "name it with --project",
  });
}

/** A run goes on with its own copy of the definition; that the file has changed since is worth saying. */
export function sourceChanged(project: string, { workflow }: Created): string | null {
  const path = sourcePath(project, workflow.source);
  try {
    if (sha256(readFileSync(path)) === workflow.sha256) return null;
    return `${path} has changed since the run was created; the run goes on with its copy`;
  } catch {
    return `${path} is not there any more; the run goes on with its copy`;
  }
}

export function damaged(runDir: string, what: string): WfError {
  return new WfError({
    code: "RUN_DAMAGED",
    message: `run '${basename(runDir)}' is damaged: ${what}`,
    hint: "restore it from a copy, or start a new run",
  });
}
