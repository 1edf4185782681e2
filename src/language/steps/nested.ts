import { valueFaults } from "../../core/json-schema.ts";
import type { InputDeclaration, NestedStep, ValueTemplate } from "../../core/workflow.ts";
import type { NestedWorkflow } from "../definitions.ts";
import { suggest } from "../did-you-mean.ts";
import { describeInput } from "../inputs.ts";
import type { Entry } from "../node.ts";
import { readStepLimits } from "../step-timing.ts";
import { readValue } from "../value.ts";
import { VIEWS } from "../views.ts";
import { ONLY_COMMANDS, type StepContext, type StepReader } from "./reader.ts";

/** A step that runs another workflow. */
export const nested: StepReader = {
  type: "workflow",
  impliedBy: ["workflow", "with"],
  keys: ["workflow", "with"],
  refused: [
    {
      keys: ["run", "shell", "cwd", "workspace_mode", "output_files", "idle_timeout"],
      why: "it is the steps of the other workflow that run: write it there; values reach it by `with`",
    },
    {
      keys: ["on_interrupt"],
      why: "a workflow that was interrupted goes on; its own steps may have this key",
    },
    ONLY_COMMANDS,
  ],
  isGate: false,
  retries: 0,
  gateOutputs: [],
  undeclared: (context) => {
    const found = nestedOf(context);
    return found?.outputs ?? null;
  },
  read(context) {
    const { map, common, reader } = context;
    readStepLimits(map, false, reader);
    if (!map.entries.has("workflow")) {
      const at = { start: map.start, end: map.start + 1 };
      const hint = "write `workflow:` and a file, an id of this file, or a workflow itself";
      reader.problems.add("MISSING_KEY", at, `step ${common.id} has no \`workflow\``, hint);
    }
    const found = nestedOf(context);
    const values = readWith(found, context);
    if (!found) return null;
    checkOutputs(found, context);
    return { ...common, type: "workflow", definition: found.definition, with: values };
  },
};

function nestedOf({ map, findNested }: StepContext): NestedWorkflow | null {
  const node = map.entries.get("workflow")?.value;
  return node ? findNested(node) : null;
}

function readWith(found: NestedWorkflow | null, context: StepContext): NestedStep["with"] {
  const { map, place, reader, names } = context;
  const values: Record<string, ValueTemplate> = {};
  const node = map.entries.get("with")?.value;
  const given = node && reader.map(node, "`with`", "write `with: { name: value }`");
  const inputs = new Map(found?.inputs.map((input) => [input.name, input]));
  for (const [name, entry] of given?.entries ?? []) {
    const input = inputs.get(name);
    if (found && !input) {
      const message = `the workflow ${found.definition.id} has no input "${name}"`;
      reader.problems.add("UNKNOWN_NAME", entry, message, suggest(name, inputs, "its inputs"));
    }
    if (input?.secret) values[name] = readSecret(input, entry, context);
    else {
      values[name] = readValue(entry.value, VIEWS.with(place), names);
      if (input) checkLiteral(input, values[name], entry, context);
    }
  }
  if (found && (!node || given)) checkMissing(found, values, context);
  return values;
}

/** The whole value, and it is not looked at on the way: nothing else would keep it out of the records. */
function readSecret(input: InputDeclaration, { value }: Entry, context: StepContext): ValueTemplate {
  const { reader, names, place } = context;
  const { noSecrets: _, ...view } = VIEWS.with(place);
  const read = readValue(value, view, names);
  const [path, ...more] = "template" in read ? read.template.parts : [];
  const isSecret = typeof path === "object" && more.length === 0 && names.secretIn(path) !== null;
  if (!isSecret) {
    const message = `the input "${input.name}" is a secret: it is given a secret of this workflow, and nothing else`;
    const hint = `write '{{inputs.NAME}}', with an input here that has \`secret: true\``;
    reader.refuse("UNSAFE_REFERENCE", value, message, hint);
  }
  return read;
}

function checkLiteral(
  input: InputDeclaration,
  value: ValueTemplate,
  entry: Entry,
  { reader }: StepContext,
): void {
  // A null is a value that is not given.
  if (!("literal" in value) || value.literal === null || !input.schema) return;
  for (const { path, message } of valueFaults(input.schema, value.literal)) {
    const what = `the value of "${input.name}" does not fit: ${[...path, message].join(" ")}`;
    reader.problems.add("BAD_VALUE", entry.value, what, input.description);
  }
}

function checkMissing(
  { inputs, definition }: NestedWorkflow,
  values: NestedStep["with"],
  context: StepContext,
): void {
  const { map, common, reader } = context;
  const isGiven = (name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    return value !== undefined && !("literal" in value && value.literal === null);
  };
  const missing = inputs.filter((input) => {
    return !isGiven(input.name) && !input.optional && input.default === undefined;
  });
  if (missing.length === 0) return;
  const at = map.entries.get("with") ?? map.entries.get("workflow") ?? map;
  const names = missing.map(({ name }) => `"${name}"`).join(", ");
  const message = `step ${common.id} gives no value for ${names} of the workflow ${definition.id}`;
  const hint = `write it under \`with\`; its inputs: ${inputs.map(describeInput).join("; ")}`;
  reader.problems.add("MISSING_KEY", at, message, hint);
}

/** What the step declares, and what a gate needs, has to be among the outputs of the workflow. */
function checkOutputs({ outputs, definition }: NestedWorkflow, { map, common, reader }: StepContext): void {
  if (outputs === null) return;
  const declared = map.entries.get("outputs");
  for (const { key } of common.outputs) {
    if (outputs.includes(key) || !declared) continue;
    const at =
      declared.value.kind === "map" ? (declared.value.entries.get(key) ?? declared.value) : declared.value;
    const message = `the workflow ${definition.id} has no output "${key}"`;
    reader.problems.add("UNKNOWN_NAME", at, message, suggest(key, outputs, "its outputs"));
  }
  const gate = map.entries.get("on_approve") ?? map.entries.get("on_reject");
  if (!gate || outputs.includes("decision")) return;
  const message = `step ${common.id} is a gate, and the workflow ${definition.id} has no output "decision"`;
  const hint = "give it one under its `outputs`, such as `decision: '{{steps.review.outputs.decision}}'`";
  reader.problems.add("MISSING_KEY", gate, message, hint);
}
