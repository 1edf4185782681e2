import { existsSync, readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import type { JournalLine, RunOptions } from "../core/event.ts";
import { foldAll } from "../core/fold.ts";
import { WfError } from "../core/problem.ts";
import type { DefinitionIn } from "../core/state.ts";
import type { Workflow } from "../core/workflow.ts";
import type { AnswerFixture } from "../review/answer-fixture.ts";
import type { Secrets } from "../secrets/secrets.ts";
import { secretsAgain } from "../secrets/supply.ts";
import { RUN_FILES } from "../store/layout.ts";
import { readRun } from "../store/open-run.ts";
import { recordedProject, sourcePath } from "../store/recorded-project.ts";
import { fixtureAgain } from "./answer-source.ts";
import type { ResumeRequest } from "./api.ts";
import { type Change, planChange } from "./changes.ts";
import type { InnerOptions } from "./drive-group.ts";
import { type EarlierRun, earlierRun } from "./earlier-run.ts";
import { requireStep } from "./given-names.ts";
import { definitionsIn, loadCopy, sha256 } from "./load.ts";
import { raiseLimits, requireUnspent } from "./raise-limits.ts";

const AT_A_LIMIT = new Set(["ITERATION_LIMIT", "RUN_TIMEOUT", "BUDGET"]);

/** A resumption of which everything is checked and nothing is written. */
export interface CheckedResume {
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
export async function checkResume(
  runDir: string,
  request: ResumeRequest & InnerOptions,
): Promise<CheckedResume> {
  const reading = readRun(runDir);
  if (reading.kind === "legacy") {
    throw new WfError({
      code: "LEGACY_RUN",
      message: `run '${reading.record.runId}' can not be resumed: it was written before inputs and a journal were recorded`,
      hint: "start it anew with wf run",
    });
  }
  const { definition, lines } = reading;
  const created = createdIn(runDir, reading);
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

type Created = JournalLine & { event: "run_created" };

/** The first line of a run's journal, and the definition that belongs to it. Raises RUN_DAMAGED. */
export function createdIn(
  runDir: string,
  { definition, lines }: { readonly definition: Uint8Array; readonly lines: readonly JournalLine[] },
): Created {
  const created = lines[0];
  if (created?.event !== "run_created") throw damaged(runDir, "its journal does not begin with run_created");
  if (sha256(definition) === created.workflow.sha256) return created;
  throw damaged(runDir, `${RUN_FILES.definition} is not the one that the run was created with`);
}

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

function damaged(runDir: string, what: string): WfError {
  return new WfError({
    code: "RUN_DAMAGED",
    message: `run '${basename(runDir)}' is damaged: ${what}`,
    hint: "restore it from a copy, or start a new run",
  });
}
