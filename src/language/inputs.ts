import type { Json } from "../core/json.ts";
import { typeName } from "../core/json.ts";
import { valueFaults } from "../core/json-schema.ts";
import { exactJsonNumber } from "../core/number.ts";
import type { Problem, ProblemCode } from "../core/problem.ts";
import type { InputDeclaration, Workflow } from "../core/workflow.ts";
import { suggest } from "./did-you-mean.ts";
import { parseJson } from "./json-text.ts";
import { typesOf } from "./schema.ts";
import { resolveSecrets } from "./secrets.ts";

export { parseInputFile } from "./input-file.ts";

/** An input as it was given: text from an argument, or a value from a file. */
export interface GivenInput {
  readonly name: string;
  readonly value: Json;
  readonly from: "argument" | "file";
  /** Where it stands in the file. */
  readonly position?: Problem["position"];
  readonly excerpt?: Problem["excerpt"];
}

export type ResolvedInputs =
  | { readonly ok: true; readonly inputs: Readonly<Record<string, Json>> }
  | { readonly ok: false; readonly problems: readonly [Problem, ...Problem[]] };

/**
 * The value of every declared input: what an argument says, else a file, else the default; null for an optional one
 * that was not given. Text from arguments is read by the declared type. A secret stands as `{"$secret": name}`: its
 * value comes in `secrets`, and goes no further than this. All problems at once.
 */
export function resolveInputs(
  workflow: Pick<Workflow, "inputs">,
  given: readonly GivenInput[],
  secrets: ReadonlyMap<string, string> = new Map(),
): ResolvedInputs {
  const declared = new Map(workflow.inputs.map((input) => [input.name, input]));
  const problems: Problem[] = [];
  const add: AddProblem = (code, message, from, hint) => {
    const { position, excerpt } = from ?? {};
    const place = { ...(position ? { position } : {}), ...(excerpt ? { excerpt } : {}) };
    problems.push({ code, message, ...(hint === undefined ? {} : { hint }), ...place });
  };
  const chosen = new Map<string, GivenInput>();
  const seen = new Set<string>();
  for (const each of given) {
    const key = `${each.from} ${each.name}`;
    if (seen.has(key))
      add("INPUT_REPEATED", `the input "${each.name}" is given twice`, each, "give each input once");
    seen.add(key);
    if (!declared.has(each.name)) {
      const hint = suggest(each.name, declared, "inputs of this workflow");
      add("INPUT_UNKNOWN", `the workflow has no input "${each.name}"`, each, hint);
    }
    if (each.from === "argument" || chosen.get(each.name)?.from !== "argument") chosen.set(each.name, each);
  }
  const inputs: Record<string, Json> = {};
  Object.assign(inputs, resolveSecrets(workflow, chosen, secrets, add));
  for (const input of workflow.inputs) {
    if (input.secret) continue;
    const from = chosen.get(input.name);
    if (!from && input.default === undefined && !input.optional) {
      const all = workflow.inputs.map(describeInput).join("; ");
      add(
        "INPUT_MISSING",
        `the input "${input.name}" is missing`,
        undefined,
        `inputs of this workflow: ${all}`,
      );
    }
    const value = from ? readValue(input, from) : { ok: true as const, value: input.default ?? null };
    if (value.ok) inputs[input.name] = value.value;
    else
      for (const fault of value.faults)
        add("INPUT_INVALID", `the input "${input.name}" ${fault}`, from, hintFor(input));
  }
  const [first, ...rest] = problems;
  return first ? { ok: false, problems: [first, ...rest] } : { ok: true, inputs };
}

export type AddProblem = (code: ProblemCode, message: string, from?: GivenInput, hint?: string) => void;

/** `version (string)`, `dry_run (boolean, default false)`. */
export function describeInput(input: InputDeclaration): string {
  const types = typesOf(input.schema) ?? [];
  const notes = types.length > 0 ? [types.join(" or ")] : [];
  if (input.default !== undefined) notes.push(`default ${JSON.stringify(input.default)}`);
  else if (input.optional) notes.push("optional");
  if (input.secret) notes.push("secret");
  return notes.length > 0 ? `${input.name} (${notes.join(", ")})` : input.name;
}

function hintFor(input: InputDeclaration): string | undefined {
  return input.description === undefined ? undefined : `${input.name}: ${input.description}`;
}

type Value =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly faults: readonly string[] };

function readValue(input: InputDeclaration, given: GivenInput): Value {
  const isText = given.from === "argument" && typeof given.value === "string";
  const read = isText
    ? fromText(given.value as string, typesOf(input.schema) ?? [])
    : { ok: true as const, value: given.value };
  if (!read.ok || !input.schema) return read;
  const faults = valueFaults(input.schema, read.value);
  if (faults.length === 0) return read;
  return {
    ok: false,
    faults: faults.map(({ path, message }) =>
      path.length > 0 ? `at ${path.join(".")} ${message}` : message,
    ),
  };
}

/** Text as the first of the types that it can be read as; as it is where `string`, or nothing, is declared. */
function fromText(text: string, types: readonly string[]): Value {
  if (types.length === 0) return { ok: true, value: text };
  const faults: string[] = [];
  for (const type of [...types].sort((a, b) => Number(a === "string") - Number(b === "string"))) {
    const read = asType(text, type);
    if (read.ok) return read;
    faults.push(...read.faults);
  }
  return { ok: false, faults };
}

function asType(text: string, type: string): Value {
  const fault = (expected: string): Value => ({
    ok: false,
    faults: [`must be ${expected}, it is ${JSON.stringify(text)}`],
  });
  switch (type) {
    case "string":
      return { ok: true, value: text };
    case "boolean":
      return text === "true" || text === "false"
        ? { ok: true, value: text === "true" }
        : fault("true or false");
    case "null":
      return text === "null" ? { ok: true, value: null } : fault("null");
    case "number":
    case "integer": {
      const value = exactJsonNumber(text);
      if (value === null)
        return fault(`${type === "integer" ? "a whole number" : "a number"} that needs no rounding`);
      return type === "integer" && !Number.isInteger(value) ? fault("a whole number") : { ok: true, value };
    }
    default: {
      const parsed = parseJson(text);
      const expected = type === "array" ? "a list in JSON" : "an object in JSON";
      if (!parsed.ok) return { ok: false, faults: [`must be ${expected}: ${parsed.message}`] };
      return typeName(parsed.value) === type ? parsed : fault(expected);
    }
  }
}
