import { join } from "node:path";
import type { OutputValue } from "../core/event.ts";
import { type ExpressionScope, expressionReferences } from "../core/expression.ts";
import type { Json } from "../core/json.ts";
import { outputJson } from "../core/output-value.ts";
import { nodeAt, placeOf, type RunState, type StepNode } from "../core/state.ts";
import { renderTemplate, type TemplateScope, type TemplateStep } from "../core/template.ts";
import type { Expression, Template, TemplatePath } from "../core/workflow.ts";
import type { Secrets } from "../secrets/secrets.ts";
import { ATTEMPT_FILES, attemptDir, RUN_FILES } from "../store/layout.ts";

/** Where a run lives; absolute paths. */
export interface Places {
  readonly runDir: string;
  readonly project: string;
  readonly secrets: Secrets;
  /** How many runs this one is nested in. */
  readonly depth: number;
}

/** The part of a scope that names no step's outputs. */
export function runScope(state: RunState, { runDir }: Places): TemplateScope {
  return {
    inputs: state.inputs,
    steps: {},
    workflow: {
      run_id: state.runId,
      ...(state.ending && { status: state.ending.status, reason: state.ending.reason?.message ?? "" }),
      run_dir: runDir,
      run_workspace: join(runDir, RUN_FILES.workspace),
    },
  };
}

/** What the templates of one attempt see. Only the steps that they name are looked up: a graph may have 100,000. */
export function attemptScope(
  state: RunState,
  places: Places,
  node: StepNode,
  attempt: number,
  paths: Iterable<TemplatePath>,
): TemplateScope {
  const base = runScope(state, places);
  const own = { ...base.workflow, step_id: node.step.id, attempt };
  const outputs = join(attemptDir(places.runDir, { ...placeOf(node), attempt }), ATTEMPT_FILES.outputs);
  const output_paths: Record<string, string> = {};
  for (const { key, file } of node.step.outputs) {
    if (file) output_paths[key] = join(outputs, String(renderTemplate(file, { ...base, workflow: own })));
  }
  const schema = Object.fromEntries(node.step.outputs.map(({ key, schema }) => [key, schema ?? {}]));
  return {
    inputs: base.inputs,
    steps: stepScope(state, places, namedSteps(paths)),
    ...itemScope(node),
    workflow: {
      ...own,
      output_paths,
      output_paths_json: JSON.stringify(output_paths),
      output_schema_json: JSON.stringify(schema),
    },
  };
}

/** What an item of a `foreach` sees of itself. */
export function itemScope({ item }: StepNode): { item?: Json; item_index?: number } {
  return item ? { item: item.value, item_index: item.number } : {};
}

export function* namedSteps(paths: Iterable<TemplatePath>): Generator<string> {
  for (const { segments } of paths)
    if (segments[0] === "steps" && segments[1] !== undefined) yield segments[1];
}

/** @param members what is shown of a step's outputs; if not given, values, and files by their absolute path */
export function stepScope(
  state: RunState,
  { runDir }: Places,
  names: Iterable<string>,
  members = (outputs: Readonly<Record<string, OutputValue>>) => plainMembers(outputs, runDir),
): Readonly<Record<string, TemplateStep>> {
  const steps: Record<string, TemplateStep> = {};
  for (const name of names) {
    const index = state.indexOf.get(name);
    if (index === undefined) continue;
    const { state: at, outputs } = nodeAt(state, index);
    steps[name] = { status: at.status, outputs: members(outputs) };
  }
  return steps;
}

/** What a `when` sees; of the steps those that it names, or, if it speaks of all, those the step may see. */
export function expressionScope(
  state: RunState,
  places: Places,
  node: StepNode,
  when: Expression,
  parent: Readonly<Record<string, string | undefined>>,
): ExpressionScope {
  const references = expressionReferences(when.source).filter(({ segments }) => segments[0] === "steps");
  const names = references.some(({ segments }) => segments[1] === undefined)
    ? visibleSteps(state, node)
    : references.map(({ segments }) => segments[1] as string);
  const { inputs, workflow } = runScope(state, places);
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(parent)) {
    if (value !== undefined && !name.startsWith(SECRET_PREFIX)) env[name] = value;
  }
  for (const [name, template] of Object.entries(state.workflow.env)) {
    if (template.parts.every((part) => typeof part === "string")) env[name] = template.parts.join("");
  }
  const known = { ...workflow, id: state.workflow.id } as Readonly<Record<string, Json>>;
  return { inputs, steps: stepScope(state, places, names), workflow: known, env, ...itemScope(node) };
}

/** In a graph a step sees its ancestors, so that timing decides nothing. */
export function visibleSteps(state: RunState, node: StepNode): string[] {
  if (state.workflow.shape === "sequence") return state.steps.map(({ step }) => step.id);
  const seen = new Set(node.step.needs);
  for (const index of seen) for (const need of nodeAt(state, index).step.needs) seen.add(need);
  return [...seen].map((index) => nodeAt(state, index).step.id);
}

function plainMembers(
  outputs: Readonly<Record<string, OutputValue>>,
  runDir: string,
): Readonly<Record<string, Json>> {
  const values: Record<string, Json> = {};
  for (const [key, output] of Object.entries(outputs))
    values[key] = outputJson(output, ({ file }) => join(runDir, file));
  return values;
}

/** All paths in some templates. */
export function* pathsOf(templates: Iterable<Template>): Generator<TemplatePath> {
  for (const { parts } of templates) for (const part of parts) if (typeof part !== "string") yield part;
}

/** A value as text in an environment; null: the variable is not set. */
export function asText(value: Json): string | null {
  if (value === null) return null;
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Variables by which wf itself is given secrets. */
export const SECRET_PREFIX = "WF_SECRET_";

/** Upper case, and every character that a variable's name can not have becomes `_`. */
export function variableName(prefix: string, name: string): string {
  return `${prefix}${name.toUpperCase().replace(/[^A-Z0-9_]/g, "_")}`;
}
