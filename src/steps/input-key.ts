import { createHash } from "node:crypto";
import type { FileOutput, OutputValue } from "../core/event.ts";
import { artifactMark } from "../core/input-changes.ts";
import { canonicalText, INPUTS_FORMAT, type InputParts, type PartValue } from "../core/input-parts.ts";
import type { Json } from "../core/json.ts";
import { MAX_SHOWN_VALUE_BYTES } from "../core/limits.ts";
import { outputJson } from "../core/output-value.ts";
import type { RunState, StepNode } from "../core/state.ts";
import { lookup, renderTemplate, type TemplateScope } from "../core/template.ts";
import type { CommandStep, Step, Template, TemplatePath } from "../core/workflow.ts";
import type { Secrets } from "../secrets/secrets.ts";
import { ATTEMPT_FILES } from "../store/layout.ts";
import { pathsOfStep } from "./command.ts";
import {
  attemptScope,
  itemScope,
  namedSteps,
  type Places,
  pathsOf,
  stepScope,
  variableName,
} from "./scope.ts";

/** Where templates are rendered. */
export interface Around {
  readonly state: RunState;
  readonly places: Places;
  readonly node: StepNode;
}

/** An attempt of a step that declares what it depends on. */
export interface InputsContext extends Around {
  readonly step: CommandStep;
}

/** Whether attempts of the step have an `inputs.json`. */
export function declaresInputs(step: CommandStep): boolean {
  return step.cache || step.inputFiles !== undefined;
}

export interface Inputs {
  readonly key: string;
  readonly parts: InputParts;
}

/** The key of an attempt and what it is made of. Raises `TemplateError` where preparing the attempt would. */
export function inputsOf(context: InputsContext, files: InputParts["files"]): Inputs {
  const { state, step } = context;
  const scope = keyScope(context, pathsOfStep(state, step));
  const parts: InputParts = {
    format: INPUTS_FORMAT,
    type: "command",
    shell: step.shell,
    script: sha256(step.script.text),
    values: valuesOf(context, scope),
    env: rendered({ ...state.workflow.env, ...step.env }, scope),
    workspace: step.workspaceMode,
    ...(step.cwd && { cwd: shortened(renderTemplate(step.cwd, scope)) }),
    outputs: shortened(declared(step)),
    ...(step.gate && { decides: true as const }),
    files,
    absent: [...(step.inputFiles?.absent ?? [])].sort(),
  };
  return { key: keyOf(parts), parts };
}

/** What templates come to, as far as it is the same in each run. Raises `TemplateError`. */
export function partsOfTemplates(
  around: Around,
  templates: Readonly<Record<string, Template>>,
): Record<string, PartValue> {
  return rendered(templates, keyScope(around, pathsOf(Object.values(templates))));
}

function rendered(
  templates: Readonly<Record<string, Template>>,
  scope: TemplateScope,
): Record<string, PartValue> {
  const sorted = Object.entries(templates).sort(byName);
  return Object.fromEntries(
    sorted.map(([name, template]) => [name, shortened(renderTemplate(template, scope))]),
  );
}

export function keyOf(parts: InputParts): string {
  return sha256(canonicalText(parts));
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Whether the command is given a secret: what it makes of it can not be kept, and no key depends on it. */
export function namesSecret(state: RunState, secrets: Secrets, step: CommandStep): boolean {
  if (secrets.none) return false;
  for (const { segments } of pathsOfStep(state, step)) {
    if (segments[0] === "inputs" && secrets.values.has(segments[1] ?? "")) return true;
  }
  return [...secrets.values.keys()].some((name) => namesInput(step, name));
}

function namesInput({ script }: CommandStep, input: string): boolean {
  return new RegExp(`\\b${variableName("WF_INPUT_", input)}\\b`).test(script.text);
}

/** What templates come to, as far as it is the same in each run: names for the run's own folders, artifacts by their content. */
function keyScope({ state, places, node }: Around, paths: Iterable<TemplatePath>): TemplateScope {
  const { item: _, ...anywhere } = node;
  const somewhere = { ...places, runDir: "<run>" };
  const { runId } = state;
  return {
    ...attemptScope({ ...state, runId: "<run-id>" }, somewhere, anywhere, 0, []),
    ...itemScope(node),
    steps: stepScope(state, places, namedSteps(paths), (outputs) => markedMembers(outputs, runId)),
  };
}

function markedMembers(
  outputs: Readonly<Record<string, OutputValue>>,
  runId: string,
): Readonly<Record<string, Json>> {
  // A chosen id may be part of a word.
  const id = new RegExp(`(?<![A-Za-z0-9])${runId.replaceAll(".", "\\.")}(?![A-Za-z0-9])`, "g");
  const mark = ({ file, sha256 }: FileOutput) => {
    const name = file.slice(file.indexOf(`/${ATTEMPT_FILES.outputs}/`) + ATTEMPT_FILES.outputs.length + 2);
    return artifactMark(name.replaceAll(id, "<run-id>"), sha256);
  };
  return Object.fromEntries(Object.entries(outputs).map(([key, output]) => [key, outputJson(output, mark)]));
}

/** Of every template in the script, and of the inputs whose variables it names. */
function valuesOf({ state, step }: InputsContext, scope: TemplateScope): Record<string, PartValue> {
  const { text, variables } = step.script;
  const values = new Map<string, PartValue>();
  for (const { path } of variables) values.set(path.segments.join("."), shortened(lookup(path, scope)));
  if (text.includes("WF_INPUT_")) {
    for (const [name, value] of Object.entries(state.inputs)) {
      if (namesInput(step, name)) values.set(`inputs.${name}`, shortened(value));
    }
  }
  return Object.fromEntries([...values].sort(byName));
}

/** What a step declares to leave behind. */
export function declared({ outputs }: Step): Json {
  return outputs.map(({ key, required, parsed, schema, file }) => ({
    key,
    required,
    parsed,
    ...(schema && { schema }),
    ...(file && { file: file.source }),
  }));
}

function shortened(value: Json): PartValue {
  const text = JSON.stringify(value);
  const bytes = Buffer.byteLength(text);
  return bytes > MAX_SHOWN_VALUE_BYTES ? { bytes, sha256: sha256(text) } : { value };
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
