import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type AttemptName, placeName } from "../core/ids.ts";
import { MAX_ENVIRONMENT_BYTES, MAX_VARIABLE_BYTES } from "../core/limits.ts";
import type { RunState, StepNode } from "../core/state.ts";
import { renderTemplate, type TemplateScope } from "../core/template.ts";
import type { Template, Workflow } from "../core/workflow.ts";
import { revealed, type Secrets } from "../secrets/secrets.ts";
import { ATTEMPT_FILES } from "../store/layout.ts";
import { asText, type Places, pathsOf, runScope, variableName } from "./scope.ts";

export type Environment = Readonly<Record<string, string>>;

/** What of an outer `wf` run may reach the steps of this one. Secrets reach only what the workflow gives them to. */
const INHERITED = /^(?!WF_)|^WF_(?:RUNS_DIR|DEBUG)$/;

/**
 * The environment all steps of a run share: the engine's own, the workflow's `env` as far as it does not depend on a
 * step, and the run's `WF_*` names.
 */
export function runEnvironment(
  state: RunState,
  places: Places,
  parent: Readonly<Record<string, string | undefined>>,
): Environment {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(parent)) {
    if (value !== undefined && INHERITED.test(name)) env[name] = value;
  }
  const scope = runScope(state, places);
  for (const [name, template] of Object.entries(state.workflow.env)) {
    if (!isOfAttempt(template, places.secrets)) assign(env, name, template, scope);
  }
  env.WF_RUN_ID = state.runId;
  env.WF_RUN_DIR = places.runDir;
  env.WF_WORKFLOW_ID = state.workflow.id;
  for (const { input, name, text, large } of inputVariables(state)) {
    if (!large && !places.secrets.values.has(input)) env[name] = text;
  }
  return env;
}

/** `WF_INPUT_<NAME>` of each input; a large one reaches only the scripts that name it, and by file. */
export function inputVariables(
  state: RunState,
): { input: string; name: string; text: string; large: boolean }[] {
  let total = 0;
  return Object.entries(state.inputs).flatMap(([input, value]) => {
    const text = asText(value);
    if (text === null) return [];
    const bytes = Buffer.byteLength(text);
    const large = bytes > MAX_VARIABLE_BYTES || total + bytes > MAX_ENVIRONMENT_BYTES / 2;
    if (!large) total += bytes;
    return [{ input, name: variableName("WF_INPUT_", input), text, large }];
  });
}

/** What one attempt has beyond that; null takes a variable away. */
export function attemptEnvironment(
  node: StepNode,
  workflow: Workflow,
  scope: TemplateScope,
  at: { readonly attemptDir: string; readonly cookie: string; readonly secrets: Secrets },
): Record<string, string | null> {
  const env: Record<string, string | null> = {};
  const open = { ...scope, inputs: revealed(scope.inputs, at.secrets) };
  for (const [name, template] of Object.entries(workflow.env)) {
    if (isOfAttempt(template, at.secrets)) assign(env, name, template, open);
  }
  const { step } = node;
  const ofAgent = "agent" in step ? step.agent.env : {};
  for (const [name, template] of Object.entries({ ...ofAgent, ...step.env }))
    assign(env, name, template, open);
  for (const [name, value] of at.secrets.values) env[variableName("WF_INPUT_", name)] = value;
  env.WF_STEP_ID = node.step.id;
  env.WF_ATTEMPT = String(scope.workflow.attempt);
  env.WF_ATTEMPT_ID = at.cookie;
  env.WF_ATTEMPT_DIR = at.attemptDir;
  env.WF_OUTPUTS = join(at.attemptDir, ATTEMPT_FILES.outputs);
  env.WF_OUTPUT = join(at.attemptDir, ATTEMPT_FILES.output);
  env.WF_STEP_SUMMARY = join(at.attemptDir, ATTEMPT_FILES.summary);
  for (const [key, path] of Object.entries(scope.workflow.output_paths ?? {})) {
    env[variableName("WF_OUTPUT_", key)] = path;
  }
  return env;
}

/** Tells apart the copies of a run that are driven at the same time. */
let engineMark: string | undefined;

/** A name for the processes of one attempt that no other attempt anywhere has; an outer run's names stay in front. */
export function newCookie(runId: string, name: AttemptName, outer: string | undefined): string {
  engineMark ??= randomBytes(4).toString("hex");
  const own = `${runId}/${placeName(name)}/${name.attempt}/${engineMark}`;
  return outer ? `${outer},${own}` : own;
}

/** Not the same in all attempts, or a secret, which goes no other way than to the step. */
function isOfAttempt(template: Template, secrets: Secrets): boolean {
  for (const { segments } of pathsOf([template])) {
    const ofRun =
      (segments[0] === "inputs" && !secrets.values.has(segments[1] ?? "")) ||
      (segments[0] === "workflow" && (segments[1] ?? "").startsWith("run_"));
    if (!ofRun) return true;
  }
  return false;
}

function assign(
  env: Record<string, string | null>,
  name: string,
  template: Template,
  scope: TemplateScope,
): void {
  const text = asText(renderTemplate(template, scope));
  if (text !== null) env[name] = text;
  else delete env[name];
}
