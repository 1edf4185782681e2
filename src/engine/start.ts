import { dirname, join, relative, resolve } from "node:path";
import type { Json } from "../core/json.ts";
import { WfError } from "../core/problem.ts";
import { resolveInputs } from "../language/inputs.ts";
import type { AnswerFixture } from "../review/answer-fixture.ts";
import type { Secrets } from "../secrets/secrets.ts";
import { acceptSecrets, gatherSecrets } from "../secrets/supply.ts";
import { removeLeftOvers } from "../store/left-over.ts";
import { gitState } from "../system/git.ts";
import { findProject } from "../system/project.ts";
import { fixtureFor } from "./answer-source.ts";
import type { DriveOptions, Outcome, StartRequest } from "./api.ts";
import { attendRequests } from "./attend-requests.ts";
import { Clock } from "./clock.ts";
import { driveAndRelease, rememberingAttempt } from "./conclude.ts";
import { type EarlierRun, earlierRun } from "./earlier-run.ts";
import { requireRunId, requireStep } from "./given-names.ts";
import { type LoadedFile, loadFile } from "./load.ts";
import { createSession, newRunId } from "./new-run.ts";
import type { Session } from "./session.ts";

/** A start of which everything is checked and nothing is written. */
export interface CheckedStart {
  readonly file: string;
  readonly loaded: LoadedFile;
  /** A mark for each secret. */
  readonly inputs: Readonly<Record<string, Json>>;
  readonly secrets: Secrets;
  readonly project: string;
  readonly runsDir: string;
  readonly earlier: EarlierRun | null;
  readonly answers: AnswerFixture | null;
}

/**
 * Creates a run and drives it until it has ended or waits. Raises `WfError`: with exit code 2 nothing was written;
 * with 6 the run, if it exists, can be resumed.
 */
export async function start(request: StartRequest): Promise<Outcome> {
  const checked = await checkStart(request);
  const { observer, last } = rememberingAttempt(request.observer);
  const session = await create({ ...request, observer }, checked);
  observer.created?.({ runId: session.state.runId, runDir: session.places.runDir });
  const options: DriveOptions = { ...request, observer };
  const outcome = await driveAndRelease(session, options);
  if (outcome.moreRequests) return attendRequests(outcome, options);
  const attempt = last();
  return attempt ? { ...outcome, attempt } : outcome;
}

/** Checks the file, the inputs and the options. Raises all problems of the first of them that has any. */
export async function checkStart(request: StartRequest): Promise<CheckedStart> {
  const loaded = loadFile(request.file, request.workflowId);
  const { workflow } = loaded;
  const given = gatherSecrets(workflow, request.secrets, request.env ?? process.env);
  const resolved = await resolveInputs(workflow, request.inputs, given);
  if (!resolved.ok) throw new WfError(resolved.problems);
  const secrets = acceptSecrets(given);
  const { until, runId } = request;
  if (until !== undefined) requireStep(loaded.workflow, until, "--until");
  if (runId !== undefined) requireRunId(runId);
  const project = findProject(dirname(resolve(request.file)));
  const runsDir = resolve(request.runsDir || process.env.WF_RUNS_DIR || join(project, ".wf", "runs"));
  return {
    file: resolve(request.file),
    loaded,
    inputs: resolved.inputs,
    secrets,
    project,
    runsDir,
    earlier: earlierRun(request.reuse, workflow.id, request.observer),
    answers: await fixtureFor(request, { workflowId: workflow.id, project }),
  };
}

async function create(request: StartRequest, checked: CheckedStart): Promise<Session> {
  const { file, loaded, inputs, secrets, project, runsDir, earlier, answers } = checked;
  const clock = new Clock();
  const git = await gitState(project);
  removeLeftOvers(runsDir);
  const runId = request.runId ?? newRunId(loaded.workflow.id, new Date(clock.now()));
  const source = `project:${relative(project, file)}`;
  const { durability = "power", keepGoing, maxParallel, observer = {} } = request;
  const options = { durability, ...(keepGoing && { keep_going: true }) };
  return createSession(
    {
      ...{ runsDir, folder: runId, runId, loaded, source, inputs, options, git },
      ...(maxParallel !== undefined && { maxParallel }),
      places: { secrets, project, depth: 0 },
      earlier,
      ...(answers && { answers: answers.source }),
      bookFor: (runDir) => answers?.bookFor({ runDir, runId, project }, loaded.workflow) ?? null,
    },
    clock,
    observer,
  );
}
