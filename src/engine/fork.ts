import { join, posix, resolve } from "node:path";
import type { AttemptRecord, ForkedFrom, JournalLine, RunEvent } from "../core/event.ts";
import { foldAll } from "../core/fold.ts";
import { linesBefore } from "../core/fork.ts";
import { initialState } from "../core/initial-state.ts";
import { WfError } from "../core/problem.ts";
import type { DefinitionIn, RunState } from "../core/state.ts";
import type { Workflow } from "../core/workflow.ts";
import type { Secrets } from "../secrets/secrets.ts";
import { secretsAgain } from "../secrets/supply.ts";
import { readGate } from "../steps/approval.ts";
import { createRun } from "../store/create-run.ts";
import { attemptDir } from "../store/layout.ts";
import { removeLeftOvers } from "../store/left-over.ts";
import { readRun } from "../store/open-run.ts";
import type { Shared } from "../store/share-tree.ts";
import { type History, takeHistory } from "../store/take-history.ts";
import { gitState } from "../system/git.ts";
import type { DriveOptions, ForkRequest, Outcome } from "./api.ts";
import { attendRequests } from "./attend-requests.ts";
import { createdIn, projectOf, sourceChanged } from "./check-resume.ts";
import { Clock } from "./clock.ts";
import { driveAndRelease, rememberingAttempt } from "./conclude.ts";
import { changedInputs, changedOutputs, type Edit, withEdits } from "./fork-edits.ts";
import { requireRunId, requireStep } from "./given-names.ts";
import { definitionsIn, loadCopy } from "./load.ts";
import { buildFor, engineStarted, holdRun, newRunId, recordedProjectOf } from "./new-run.ts";
import type { Session } from "./session.ts";

type Created = JournalLine & { readonly event: "run_created" };

/** A fork of which everything is checked and nothing is written. */
interface CheckedFork {
  readonly parentDir: string;
  readonly created: Created;
  readonly definition: Uint8Array;
  /** The one that the other run was created with, and those that it went on with. */
  readonly workflow: Workflow;
  readonly definitionIn: DefinitionIn;
  readonly project: string;
  readonly secrets: Secrets;
  /** What is shared, after `run_created`. */
  readonly lines: readonly JournalLine[];
  readonly inputs: readonly RunEvent[];
  readonly edits: readonly Edit[];
  readonly runsDir: string;
}

/**
 * Makes a new run that shares what came before a step of another one, and drives it from there until it has ended or
 * waits. The other run is only read. Raises `WfError`: with exit codes 2, 4 and 5 nothing was written; with 6 the new
 * run, if it exists, can be resumed.
 */
export async function fork(request: ForkRequest): Promise<Outcome> {
  const checked = checkFork(request);
  const { observer, last } = rememberingAttempt(request.observer);
  const options: DriveOptions = { ...request, observer };
  const session = await create(request, checked, options);
  const outcome = await driveAndRelease(session, options);
  if (outcome.moreRequests) return attendRequests(outcome, options);
  const attempt = last();
  return attempt ? { ...outcome, attempt } : outcome;
}

function checkFork(request: ForkRequest): CheckedFork {
  const parentDir = resolve(request.runDir);
  const { lines, definition, created } = readParent(parentDir);
  if (created.parent !== undefined) {
    throw new WfError({
      code: "WRONG_STATE",
      message: `run '${created.run}' is a part of another run, and can not be forked by itself`,
      hint: `fork the run around it:  wf fork RUN@${created.parent.step}`,
    });
  }
  const workflow = loadCopy(parentDir, definition, created.workflow);
  const definitionIn = definitionsIn(parentDir, created.workflow);
  const { workflow: present } = foldAll(workflow, lines, definitionIn);
  requireStep(present, request.step, "RUN@STEP");
  if (request.runId !== undefined) requireRunId(request.runId);
  const before = linesBefore({ workflow, lines, definitionIn }, request.step, request.attempt);
  if ("why" in before) {
    throw new WfError({
      code: "WRONG_STATE",
      message: `run '${created.run}' can not be forked there: ${before.why}`,
      hint: `look:  wf status ${created.run}`,
    });
  }
  const [, ...shared] = before.lines;
  const state = foldAll(workflow, before.lines, definitionIn);
  if (request.until !== undefined) requireStep(state.workflow, request.until, "--until");
  const secrets = secretsAgain(state.workflow, state.inputs, request.secrets, request.env ?? process.env);
  const project = projectOf(parentDir, created, request.project);
  const runsDir = resolve(request.runsDir || process.env.WF_RUNS_DIR || join(project, ".wf", "runs"));
  const inputs = changedInputs(state, request.inputs);
  const edits = changedOutputs(state, request.outputs, secrets);
  return {
    parentDir,
    created,
    definition,
    workflow,
    definitionIn,
    project,
    secrets,
    lines: withEdits(shared, edits),
    inputs,
    edits,
    runsDir,
  };
}

/** Raises RUN_NOT_FOUND, LEGACY_RUN, RUN_LOCKED, RUN_DAMAGED, FORMAT_UNKNOWN. */
function readParent(runDir: string) {
  const reading = readRun(runDir);
  if (reading.kind === "legacy") {
    throw new WfError({
      code: "LEGACY_RUN",
      message: `run '${reading.record.runId}' can not be forked: it was written before inputs and a journal were recorded`,
      hint: "start the workflow anew with wf run",
    });
  }
  const { lines, definition, liveness } = reading;
  const created = createdIn(runDir, reading);
  if (liveness.driver !== null && liveness.alive === "alive") {
    throw new WfError({
      code: "RUN_LOCKED",
      message: `run '${created.run}' is driven by process ${liveness.driver.pid} on ${liveness.driver.host}: what it shares is not settled yet`,
      hint: `wait until it ends, or stop it:  wf cancel ${created.run}`,
    });
  }
  return { lines, definition, created };
}

async function create(request: ForkRequest, checked: CheckedFork, options: DriveOptions): Promise<Session> {
  const {
    parentDir,
    created,
    definition,
    workflow,
    definitionIn,
    project,
    secrets,
    lines,
    inputs,
    edits,
    runsDir,
  } = checked;
  const observer = options.observer ?? {};
  const clock = new Clock();
  const git = await gitState(project);
  removeLeftOvers(runsDir);
  const runId = request.runId ?? newRunId(workflow.id, new Date(clock.now()));
  const durability = request.durability ?? created.options.durability;
  const sync = durability === "power";
  const runDir = join(runsDir, runId);
  const { git: _, projectFromRun: __, reuse: ___, answers: ____, ...volatile } = created.volatile;
  const events: RunEvent[] = [
    {
      ...eventOf(created),
      limits: {
        ...created.limits,
        ...(request.maxParallel !== undefined && { max_parallel: request.maxParallel }),
      },
      options: { ...created.options, durability, ...(request.keepGoing && { keep_going: true }) },
      volatile: {
        ...volatile,
        ...recordedProjectOf(project, runDir),
        ...(git && { git }),
        forkedFrom: forkedFrom(request, created),
      },
    },
    engineStarted("fork", { project, runDir }),
    ...inputs,
    ...edits.map(({ change }) => change),
  ];
  let shared: Shared | undefined;
  const history = historyOf(checked);
  const state = initialState(workflow, definitionIn);
  const made = createRun(runsDir, runId, {
    definition,
    history: lines,
    firstLines: events,
    fill: (folder) => {
      shared = takeHistory(parentDir, folder, history, { sync });
    },
    ...buildFor(state, durability, clock),
  });
  const session = holdRun(
    made,
    state,
    { project, secrets, depth: 0 },
    { clock, observer, earlier: null, answers: null },
  );
  observer.created?.({ runId, runDir: made.runDir });
  if (shared) observer.note?.(sharedText(state, history.attempts.length, shared));
  const changed = sourceChanged(project, created);
  if (changed) observer.note?.(changed);
  for (const line of made.lines.slice(1 + lines.length)) observer.event?.(line, state);
  return session;
}

function historyOf({ parentDir, lines, edits }: CheckedFork): History {
  const attempts = lines.flatMap((line): AttemptRecord[] =>
    line.event === "attempt_ended" ? [line.record] : [],
  );
  const edited = new Set(
    attempts.flatMap((record) => {
      const gate = readGate(attemptDir(parentDir, record));
      return gate?.shows.map(({ file, sha256 }) => `${sha256} ${file}`) ?? [];
    }),
  );
  const replaced = edits.flatMap(({ change, from }): [string, string][] =>
    "file" in change.new ? [[change.new.file, from]] : [],
  );
  return {
    attempts,
    requests: lines.flatMap((line) =>
      line.event === "request_taken" || line.event === "request_refused" ? [line.file] : [],
    ),
    definitions: lines.flatMap((line) =>
      line.event === "definition_changed" ? [posix.dirname(line.file)] : [],
    ),
    epoch: lines.at(-1)?.epoch ?? 0,
    replaced: new Map(replaced),
    wasEdited: (file, digest) => edited.has(`${digest} ${file}`),
  };
}

function eventOf({ seq: _, at: __, epoch: ___, run: ____, ...event }: Created): RunEvent & {
  readonly event: "run_created";
} {
  return event;
}

function forkedFrom({ step, attempt }: ForkRequest, { run, volatile }: Created): ForkedFrom {
  const before = volatile.forkedFrom;
  const earlier = before && [{ run: before.run, step: before.step }, ...(before.earlier ?? [])];
  return { run, step, ...(attempt !== undefined && { attempt }), ...(earlier && { earlier }) };
}

/** `2 attempts of r are shared (6 files linked, 1 copied)`. */
function sharedText(
  { forkedFrom }: RunState,
  attempts: number,
  { cloned, linked, copied, leftOut }: Shared,
): string {
  const how = [
    ...(cloned > 0 ? [`${cloned} reflinked`] : []),
    ...(linked > 0 ? [`${linked} linked`] : []),
    ...(copied > 0 ? [`${copied} copied`] : []),
  ];
  const files = how.length === 0 ? "" : ` (files: ${how.join(", ")})`;
  const missing = leftOut.length === 0 ? "" : `; left out, since they are no files: ${leftOut.join(", ")}`;
  return `${attempts} ${attempts === 1 ? "attempt" : "attempts"} of ${forkedFrom?.run} shared${files}${missing}`;
}
