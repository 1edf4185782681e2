import { resolve } from "node:path";
import { foldAll } from "../core/fold.ts";
import { placeName } from "../core/ids.ts";
import { WfError } from "../core/problem.ts";
import { FileDigests } from "../steps/file-digests.ts";
import { readDefinition, readRun, readSnapshotIfCurrent } from "../store/open-run.ts";
import { readCreated } from "../store/read-created.ts";
import type { Outcome, ResumeRequest } from "./api.ts";
import { attendRequests } from "./attend-requests.ts";
import { tellChangedInputs } from "./changed-inputs.ts";
import { applyChange, changeNotes } from "./changes.ts";
import { checkResume, projectOf } from "./check-resume.ts";
import { driveAndRelease, letGo, rememberingAttempt } from "./conclude.ts";
import { takeRequests } from "./control.ts";
import type { InnerOptions } from "./drive-group.ts";
import { definitionsIn, loadCopy } from "./load.ts";
import { engineStarted } from "./new-run.ts";
import { requireUnspent } from "./raise-limits.ts";
import { reopen } from "./reopen.ts";
import type { Session } from "./session.ts";

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

/** Brings the snapshot of a run that has ended up to its journal, should a crash have left it behind. */
export async function repairSnapshot(request: ResumeRequest & InnerOptions): Promise<void> {
  if (readSnapshotIfCurrent(request.runDir) !== null) return;
  const session = await reopen(request.runDir, await checkResume(request.runDir, request), request);
  session.writeSnapshot();
  letGo(session);
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

/** Only the snapshot may lag behind a run that has ended. */
function leaveAsItIs(session: Session): Outcome {
  takeRequests(session);
  session.commit();
  session.writeSnapshot();
  const record = session.toRecord();
  letGo(session);
  return { runDir: session.places.runDir, record, signal: null };
}
