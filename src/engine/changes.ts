import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { type Affected, affectedSteps, changedInputs } from "../core/change.ts";
import type { RunEvent } from "../core/event.ts";
import type { Json } from "../core/json.ts";
import { WfError } from "../core/problem.ts";
import { nodeAt, type RunState } from "../core/state.ts";
import type { Workflow } from "../core/workflow.ts";
import { resolveInputs } from "../language/inputs.ts";
import { gatherSecrets } from "../secrets/supply.ts";
import { syncDir } from "../store/atomic-file.ts";
import { writeTree } from "../store/create-run.ts";
import { definitionFolder, RUN_FILES } from "../store/layout.ts";
import type { ResumeRequest } from "./api.ts";
import { type LoadedFile, loadFile } from "./load.ts";
import { effectiveLimits } from "./new-run.ts";
import { recordEnd } from "./record-end.ts";
import type { Session } from "./session.ts";

/** What a resume changes of a run; everything has been checked, and nothing written. */
export interface Change {
  readonly workflow: Workflow;
  readonly inputs: Readonly<Record<string, Json>>;
  readonly events: readonly RunEvent[];
  /** The new definition, and the folder in the run that it gets. */
  readonly definition: { readonly folder: string; readonly loaded: LoadedFile } | null;
  /** In file order. */
  readonly affected: readonly Affected[];
}

/**
 * Compares a run with the definition and the inputs that it is to go on with; null if nothing is asked for. Raises all
 * that is wrong with these, and WRONG_STATE.
 */
export function planChange(
  state: RunState,
  request: ResumeRequest,
  {
    project,
    changes,
  }: {
    readonly project: string /** How often the definition has changed so far. */;
    readonly changes: number;
  },
): Change | null {
  const { workflow: file, inputs: given = [] } = request;
  if (file === undefined && given.length === 0) return null;
  if (state.status === "succeeded") throw hasSucceeded(state);
  const loaded = file === undefined ? null : loadFile(file, state.workflow.id);
  const workflow = loaded?.workflow ?? state.workflow;
  if (workflow.shape !== state.workflow.shape) throw otherShape(workflow, state);
  const inputs = inputsOf(workflow, state, request);
  const events: RunEvent[] = [];
  const steps = new Set(state.steps.map(({ step }) => step.id));
  const redo = (found: readonly Affected[]) =>
    found.map(({ step }) => step).filter((step) => steps.has(step));
  const byDefinition = affectedSteps(state.workflow, workflow, { before: state.inputs, after: state.inputs });
  const isChanged = loaded && (loaded.sha256 !== state.source.sha256 || byDefinition.length > 0);
  const folder = definitionFolder(changes + 2);
  if (isChanged) {
    events.push({
      event: "definition_changed",
      what: "workflow",
      old: state.source.sha256,
      new: loaded.sha256,
      file: `${folder}/${RUN_FILES.definition}`,
      source: `project:${relative(project, resolve(file as string))}`,
      limits: { ...effectiveLimits(workflow.limits, request.maxParallel) },
      redo: redo(byDefinition),
    });
  }
  const byInput: Affected[] = [];
  let before: Readonly<Record<string, Json>> = state.inputs;
  for (const what of changedInputs({ before: state.inputs, after: inputs })) {
    const now = inputs[what] ?? null;
    const after = { ...before, [what]: now };
    const found = affectedSteps(workflow, workflow, { before, after });
    byInput.push(...found);
    events.push({
      event: "input_changed",
      what,
      old: before[what] ?? null,
      new: now,
      redo: redo(found),
    });
    before = after;
  }
  const why = new Map([...byInput, ...byDefinition].map((each) => [each.step, each]));
  const affected = workflow.steps.flatMap(({ id }) => why.get(id) ?? []);
  return { workflow, inputs, events, definition: isChanged ? { folder, loaded } : null, affected };
}

/** The recorded values, as far as they are still declared, and what is given beside them. */
function inputsOf(
  workflow: Workflow,
  state: RunState,
  request: ResumeRequest,
): Readonly<Record<string, Json>> {
  const { inputs: given = [], secrets, env = process.env } = request;
  const declared = workflow.inputs.filter(({ secret }) => !secret).map(({ name }) => name);
  const kept = declared.flatMap((name) => {
    const value = state.inputs[name] ?? null;
    return value === null ? [] : [{ name, value, from: "file" as const }];
  });
  const resolved = resolveInputs(workflow, [...kept, ...given], gatherSecrets(workflow, secrets, env));
  if (!resolved.ok) throw new WfError(resolved.problems);
  return resolved.inputs;
}

/** Puts the new definition into the run, and records what changes; open gates of steps that are done again close. */
export function applyChange(session: Session, change: Change): void {
  const { state, places, sync } = session;
  if (change.definition) writeDefinition(places.runDir, change.definition, sync);
  const affected = new Set(change.affected.map(({ step }) => step));
  for (const index of [...state.waiting]) {
    const { step, attempts: attempt } = nodeAt(state, index);
    if (!affected.has(step.id)) continue;
    const error = { code: "STALE", message: "the definition or an input of the step has changed since" };
    recordEnd(session, { index, attempt }, { status: "canceled", error });
  }
  for (const event of change.events) session.record(event);
}

/** Whole before the journal names it; one that the journal does not name was left by a crash. */
function writeDefinition(
  runDir: string,
  { folder, loaded }: NonNullable<Change["definition"]>,
  sync: boolean,
): void {
  const root = join(runDir, folder);
  if (existsSync(root)) rmSync(root, { recursive: true });
  mkdirSync(root, { recursive: true });
  writeTree(root, { [RUN_FILES.definition]: loaded.bytes, ...Object.fromEntries(loaded.files) }, [], sync);
  if (!sync) return;
  syncDir(join(runDir, RUN_FILES.definitions));
  syncDir(runDir);
}

/** What a person is told of it. */
export function changeNotes({ events, affected }: Change): string[] {
  if (events.length === 0) return ["neither the definition nor an input differs: the run goes on as it is"];
  if (affected.length === 0) return ["what changed concerns no step: all results stay"];
  return affected.map(({ step, because }) => `${step} is done again, if it was done: ${because}`);
}

function hasSucceeded({ runId }: RunState): WfError {
  return new WfError({
    code: "WRONG_STATE",
    message: `run '${runId}' has succeeded: there is nothing to go on with`,
    hint: `start another:  wf run FILE --reuse ${runId}, or wf fork ${runId}@STEP`,
  });
}

function otherShape(workflow: Workflow, state: RunState): WfError {
  return new WfError({
    code: "WRONG_SHAPE",
    message: `the workflow ${workflow.id} is a ${workflow.shape} now, and the run goes through a ${state.workflow.shape}`,
    hint: `start another:  wf run FILE --reuse ${state.runId}`,
  });
}
