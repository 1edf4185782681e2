import { isUtf8 } from "node:buffer";
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { JournalLine, OutputValue, RunEvent } from "../core/event.ts";
import type { Json } from "../core/json.ts";
import { type Problem, type ProblemCode, WfError } from "../core/problem.ts";
import type { RunState, StepNode } from "../core/state.ts";
import { resolveInputs } from "../language/inputs.ts";
import { holdsSecret } from "../secrets/holds-secret.ts";
import type { Secrets } from "../secrets/secrets.ts";
import { checkedValue, checkSchema } from "../steps/artifact.ts";
import { fileDigest } from "../store/file-digest.ts";
import type { GivenInput, GivenOutput } from "./api.ts";

type InputChanged = RunEvent & { readonly event: "input_changed" };
type OutputChanged = RunEvent & { readonly event: "output_changed" };

/** Inputs that get another value, checked against what the workflow declares. Raises all that is wrong with them. */
export function changedInputs(
  { workflow, inputs }: RunState,
  given: readonly GivenInput[],
): readonly InputChanged[] {
  const names = new Set(given.map(({ name }) => name));
  // What is not given stays as it is, and is asked for by nobody.
  const declared = workflow.inputs.map((input) =>
    names.has(input.name) ? input : { ...input, optional: true },
  );
  const resolved = resolveInputs({ inputs: declared }, given);
  if (!resolved.ok) throw new WfError(resolved.problems);
  return [...names].flatMap((what): InputChanged[] => {
    const [old, now] = [inputs[what] ?? null, resolved.inputs[what] ?? null];
    if (JSON.stringify(old) === JSON.stringify(now)) return [];
    return [{ event: "input_changed", what, old, new: now }];
  });
}

/** An output that a fork has otherwise than the run that it is made from. */
export interface Edit {
  readonly change: OutputChanged;
  /** The file with its new content. */
  readonly from: string;
}

/** Outputs of shared steps that are replaced by what is in files. Raises all that is wrong with them. */
export function changedOutputs(
  state: RunState,
  given: readonly GivenOutput[],
  secrets: Secrets,
): readonly Edit[] {
  const edits: Edit[] = [];
  const problems: Problem[] = [];
  for (const each of given) {
    try {
      const node = stepWith(state, each);
      const edit = editOf(node, each, secrets);
      if (edits.some(({ change }) => change.step === edit.change.step && change.output === each.output))
        throw refusal(each, "USAGE", "it is given more than once");
      edits.push(edit);
    } catch (error) {
      if (!(error instanceof WfError)) throw error;
      problems.push(...error.problems);
    }
  }
  const [first, ...rest] = problems;
  if (first) throw new WfError([first, ...rest]);
  return edits;
}

/** The shared step whose output it is. */
function stepWith(state: RunState, given: GivenOutput): StepNode {
  const shared = state.steps.filter((node) => node.state.status === "succeeded");
  const all = shared.flatMap(({ step, outputs }) => Object.keys(outputs).map((key) => `${step.id}.${key}`));
  const hint = all.length === 0 ? "no step before it has outputs" : `outputs before it: ${all.join(", ")}`;
  const having = shared.filter(
    ({ step, outputs }) =>
      Object.hasOwn(outputs, given.output) && (given.step === undefined || given.step === step.id),
  );
  const [node, ...others] = having;
  if (node === undefined) throw refusal(given, "USAGE", "no shared step has such an output", hint);
  if (others.length === 0) return node;
  const names = having.map(({ step }) => `${step.id}.${given.output}`).join(", ");
  throw refusal(given, "USAGE", "several shared steps have such an output", `name one: ${names}`);
}

function editOf({ step, state, outputs, fan }: StepNode, given: GivenOutput, secrets: Secrets): Edit {
  const { output: key } = given;
  const old = outputs[key];
  if (fan || (old && "list" in old)) {
    const hint = `fork before it, with another list:  wf fork RUN@${step.id}`;
    throw refusal(given, "USAGE", `${step.id} has a foreach: its outputs are those of its items`, hint);
  }
  if (old === undefined || state.status !== "succeeded") throw new Error(`${step.id} has no output ${key}`);
  if (step.gate && key === "decision") {
    const hint = `fork before it:  wf fork RUN@${step.id}`;
    throw refusal(given, "USAGE", "what a gate has decided led to where the fork begins", hint);
  }
  const from = resolve(given.file);
  requireFile(from, given);
  if (holdsSecret(from, secrets))
    throw refusal(given, "INPUT_INVALID", `a secret of the run stands in ${given.file}`);
  const declared = step.outputs.find((each) => each.key === key);
  const change = { event: "output_changed", step: step.id, attempt: state.attempt, output: key } as const;
  if ("file" in old) {
    if (declared?.parsed && declared.schema) checkJson(given, declared.schema);
    const { file, ...was } = old;
    return { from, change: { ...change, old: { file }, new: { file, ...fileDigest(from) }, volatile: was } };
  }
  const text = textOf(given);
  const checked = declared ? checkedValue(declared, text) : { value: text };
  if ("problem" in checked)
    throw refusal(given, "INPUT_INVALID", `what is in ${given.file} ${checked.problem}`);
  return { from, change: { ...change, old, new: { value: checked.value } } };
}

function requireFile(path: string, given: GivenOutput): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw refusal(given, "FILE_NOT_FOUND", `there is no file ${given.file}`);
  if (!stat.isFile()) throw refusal(given, "FILE_UNREADABLE", `${given.file} is no file`);
  if (stat.size === 0) throw refusal(given, "INPUT_INVALID", `${given.file} is empty`);
}

function checkJson(given: GivenOutput, schema: Parameters<typeof checkSchema>[0]): void {
  let value: Json;
  try {
    value = JSON.parse(textOf(given));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw refusal(given, "INPUT_INVALID", `${given.file} is not JSON: ${error.message}`);
  }
  const checked = checkSchema(schema, value);
  if ("problem" in checked)
    throw refusal(given, "INPUT_INVALID", `what is in ${given.file} ${checked.problem}`);
}

/** Without the newline at its end, as a step would write it to `$WF_OUTPUT`. */
function textOf(given: GivenOutput): string {
  const bytes = readFileSync(given.file);
  if (!isUtf8(bytes)) throw refusal(given, "INPUT_INVALID", `${given.file} is not UTF-8`);
  return bytes.toString("utf8").replace(/\r?\n$/, "");
}

function refusal({ step, output }: GivenOutput, code: ProblemCode, what: string, hint?: string): WfError {
  const name = step === undefined ? output : `${step}.${output}`;
  return new WfError({ code, message: `--set ${name}: ${what}`, ...(hint !== undefined && { hint }) });
}

/** The lines with the records as the edits make them. */
export function withEdits(lines: readonly JournalLine[], edits: readonly Edit[]): JournalLine[] {
  return lines.map((line) => {
    if (line.event !== "attempt_ended") return line;
    const { record } = line;
    const own = edits.filter(
      ({ change }) =>
        change.step === record.step && change.attempt === record.attempt && record.item === undefined,
    );
    if (own.length === 0) return line;
    const changed: Record<string, OutputValue> = { ...record.outputs };
    for (const { change } of own) changed[change.output] = change.new;
    return { ...line, record: { ...record, outputs: changed } };
  });
}
