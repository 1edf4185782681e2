import type { AttemptRecord, Failure, FileOutput, OutputValue } from "../core/event.ts";
import type { AttemptName } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { mapFiles } from "../core/output-value.ts";
import type { RunRecord } from "../core/record.ts";
import { renderValue, TemplateError, templatesIn } from "../core/template.ts";
import type { NestedStep, OutputDeclaration, Template, ValueTemplate, Workflow } from "../core/workflow.ts";
import { ATTEMPT_FILES, attemptPath } from "../store/layout.ts";
import { checkSchema } from "./artifact.ts";
import { attemptEnvironment } from "./environment.ts";
import { type Collected, sentencesOf } from "./outputs.ts";
import { type AttemptContext, PreparationError } from "./prepare.ts";
import { attemptScope, pathsOf } from "./scope.ts";

/** What a nested run is given. */
export interface NestedValues {
  readonly inputs: Readonly<Record<string, Json>>;
  readonly secrets: ReadonlyMap<string, string>;
  /** The environment that its steps start from. */
  readonly env: Readonly<Record<string, string>>;
}

/** Renders what the step gives its run; raises `PreparationError` for a value that is not there. */
export function prepareNested(context: AttemptContext<NestedStep>): NestedValues {
  const { state, places, node, step, attempt, dir, base, cookie } = context;
  const given = Object.entries(step.with);
  const templates = [...given.flatMap(([, value]) => [...templatesIn(value)]), ...Object.values(step.env)];
  try {
    const scope = attemptScope(state, places, node, attempt, pathsOf(templates));
    const inputs: Record<string, Json> = {};
    const secrets = new Map<string, string>();
    for (const [name, template] of given) {
      const secret = secretNamed(template, places.secrets.values);
      const value = secret === undefined ? renderValue(template, scope) : null;
      if (secret !== undefined) secrets.set(name, secret);
      // What has no value is not given: a default of the other workflow counts.
      else if (value !== null) inputs[name] = value;
    }
    const own = attemptEnvironment(node, state.workflow, scope, {
      attemptDir: dir,
      cookie,
      secrets: places.secrets,
    });
    return { inputs, secrets, env: openOnly({ ...base, ...own }, places.secrets.values) };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new PreparationError({ code: "TEMPLATE_ERROR", message: error.message });
  }
}

/** The value of the secret that a template is exactly. */
function secretNamed(value: ValueTemplate, secrets: ReadonlyMap<string, string>): string | undefined {
  const parts = "template" in value ? value.template.parts : [];
  const [part] = parts;
  if (parts.length !== 1 || typeof part !== "object" || part.segments[0] !== "inputs") return undefined;
  return secrets.get(part.segments[1] ?? "");
}

/** Without what holds a secret: the logs of the other run mask only those that it is given. */
function openOnly(
  env: Readonly<Record<string, string | null>>,
  secrets: ReadonlyMap<string, string>,
): Record<string, string> {
  const values = [...secrets.values()];
  const open = Object.entries(env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== null && !values.some((secret) => entry[1]?.includes(secret)),
  );
  return Object.fromEntries(open);
}

/** The outputs of a nested run that has succeeded, as those of the step, checked against what the step declares. */
export function collectNested(step: NestedStep, name: AttemptName, record: RunRecord): Collected {
  const outputs = nestedOutputs(step.definition.workflow, name, record);
  const details: Record<string, string> = {};
  for (const declared of step.outputs) {
    const fault = faultOf(declared, outputs[declared.key]);
    if (fault !== null) details[declared.key] = fault;
  }
  if (Object.keys(details).length === 0) return { outputs, security: [] };
  return { outputs: {}, security: [], failure: unfit(details, step, outputs) };
}

function faultOf({ required, schema }: OutputDeclaration, output: OutputValue | undefined): string | null {
  if (!output || ("value" in output && output.value === null)) return required ? "is not there" : null;
  if (!("value" in output)) return null;
  const checked = checkSchema(schema, output.value);
  return "problem" in checked ? checked.problem : null;
}

function unfit(
  details: Readonly<Record<string, string>>,
  step: NestedStep,
  outputs: AttemptRecord["outputs"],
): Failure {
  const missing = Object.keys(details).some((key) => outputs[key] === undefined);
  return {
    code: missing ? "OUTPUT_MISSING" : "OUTPUT_INVALID",
    message: `its run succeeded, but the outputs did not pass: ${sentencesOf(details)}`,
    hint: `they are the outputs of the workflow ${step.definition.workflow.id}`,
    details,
  };
}

/** The outputs of a run as those of the attempt that it is: artifacts stay artifacts, by their path in the outer run. */
export function nestedOutputs(
  workflow: Pick<Workflow, "outputs">,
  name: AttemptName,
  record: RunRecord,
): Record<string, OutputValue> {
  const folder = `${attemptPath(name)}/${ATTEMPT_FILES.run}`;
  const renamed = (file: FileOutput): FileOutput => ({ ...file, file: `${folder}/${file.file}` });
  const templates = Object.entries(workflow.outputs);
  return Object.fromEntries(
    templates.map(([key, template]) => {
      const output = outputNamed(template, record);
      if (output && !("value" in output)) return [key, mapFiles(output, renamed)];
      return [key, { value: record.outputs[key] ?? null }];
    }),
  );
}

/** The output of a step that a template is exactly. */
function outputNamed({ parts }: Template, { steps }: RunRecord): OutputValue | undefined {
  const [part] = parts;
  if (parts.length !== 1 || typeof part !== "object") return undefined;
  const [root, step = "", field, key = "", ...more] = part.segments;
  if (root !== "steps" || field !== "outputs" || more.length > 0) return undefined;
  return steps[step]?.outputs?.[key];
}
