import { checkExpression } from "../core/expression.ts";
import type { Expression, Step, StepCommon, Target } from "../core/workflow.ts";
import { nearest, suggest } from "./did-you-mean.ts";
import { DEFAULT_SHELL, readEnv } from "./environment.ts";
import type { WorkflowLimits } from "./limits.ts";
import { type Names, VIEWS } from "./names.ts";
import type { MapNode, Node } from "./node.ts";
import { readOutputs } from "./outputs.ts";
import { checkKeys, notSupported, type Reader } from "./read.ts";
import { patternFault } from "./regex.ts";
import { readTiming } from "./step-timing.ts";
import { STEP_READERS, UNSUPPORTED_KEYS, UNSUPPORTED_TYPES } from "./steps/index.ts";
import type { StepReader } from "./steps/reader.ts";

/** What a step is read with: the workflow around it. */
export interface StepSurroundings {
  readonly shape: "sequence" | "graph";
  readonly steps: ReadonlyMap<string, number>;
  readonly limits: WorkflowLimits;
  readonly shell: readonly string[] | null;
  readonly reader: Reader;
  readonly names: Names;
}

const COMMON_KEYS = [
  "id",
  "type",
  "description",
  "needs",
  "when",
  "env",
  "cwd",
  "timeout",
  "retry",
  "limits",
  "outputs",
  "output_files",
  "workspace_mode",
  "on_interrupt",
  "allow_failure",
  "next",
];
const ALL_KEYS = [...COMMON_KEYS, ...STEP_READERS.flatMap((reader) => reader.keys)];

/** Reads the step at `index`; null if its type is none that can be read. */
export function readStep(
  map: MapNode,
  id: string,
  index: number,
  needs: readonly number[],
  around: StepSurroundings,
): Step | null {
  const { reader, names } = around;
  const type = readType(map, id, reader);
  const known = type ? [...COMMON_KEYS, ...type.keys] : ALL_KEYS;
  checkKeys(
    map,
    { what: type ? `a ${type.type} step` : "a step", known, unsupported: UNSUPPORTED_KEYS },
    reader.problems,
  );
  const common = readCommon(map, id, index, needs, around);
  return type ? type.read({ map, common, shell: around.shell ?? DEFAULT_SHELL, reader, names }) : null;
}

function readType(map: MapNode, id: string, reader: Reader): StepReader | null {
  const entry = map.entries.get("type");
  if (!entry) {
    const implied = STEP_READERS.find((each) => map.entries.has(each.impliedBy));
    if (implied) return implied;
    if (UNSUPPORTED_KEYS.some((key) => map.entries.has(key))) return null;
    const misspelt = [...map.entries.keys()].some(
      (key) => !ALL_KEYS.includes(key) && nearest(key, ["run"]) !== null,
    );
    const hint = misspelt ? undefined : "write `run:` and the commands to run";
    reader.problems.add(
      "MISSING_KEY",
      { start: map.start, end: map.start + 1 },
      `step ${id} does not say what to run`,
      hint,
    );
    return null;
  }
  const name = reader.string(entry.value, "`type`");
  if (name === null) return null;
  const found = STEP_READERS.find((each) => each.type === name);
  if (found) return found;
  if (name in UNSUPPORTED_TYPES)
    return reader.refuse("NOT_SUPPORTED", entry.value, notSupported(`the type \`${name}\``));
  const types = STEP_READERS.map((each) => each.type);
  return reader.refuse("BAD_VALUE", entry.value, `there is no type "${name}"`, suggest(name, types, "types"));
}

function readCommon(
  map: MapNode,
  id: string,
  index: number,
  needs: readonly number[],
  around: StepSurroundings,
): StepCommon {
  const { reader, names } = around;
  const get = (key: string): Node | undefined => map.entries.get(key)?.value;
  const description = reader.string(get("description"), "`description`");
  const outputs = readOutputs(map, reader, names);
  const view = VIEWS.step(
    index,
    outputs.filter((output) => output.file).map((output) => output.key),
  );
  const when = readWhen(get("when"), index, reader, names);
  const cwd = readCwd(get("cwd"), reader);
  const next = readNext(map, id, around);
  return {
    id,
    index,
    ...(description === null ? {} : { description }),
    needs,
    ...(when ? { when } : {}),
    env: readEnv(get("env"), reader, names, view),
    workspaceMode: readWorkspaceMode(get("workspace_mode"), reader),
    ...(cwd ? { cwd: names.template(cwd, view) } : {}),
    ...readTiming(map, around.limits, reader),
    outputs,
    onInterrupt: reader.choice(get("on_interrupt"), "`on_interrupt`", ["rerun", "fail"]) ?? "rerun",
    allowFailure: reader.boolean(get("allow_failure"), "`allow_failure`") ?? false,
    ...(next ? { next } : {}),
  };
}

function readWhen(node: Node | undefined, index: number, reader: Reader, names: Names): Expression | null {
  const text = node && reader.text(node, "`when`");
  if (!text) return null;
  const fault = checkExpression(text.value, patternFault);
  if (fault) {
    const at = { node: text, from: fault.offset, to: fault.offset + fault.length };
    reader.problems.add(fault.isPattern ? "BAD_PATTERN" : "BAD_EXPRESSION", at, `\`when\`: ${fault.message}`);
  }
  names.expression(text, VIEWS.when(index));
  return { source: text.value };
}

function readCwd(node: Node | undefined, reader: Reader) {
  const text = node && reader.text(node, "`cwd`");
  if (!text) return null;
  const isOutside = text.value.startsWith("/") || text.value.split("/").includes("..");
  if (isOutside)
    return reader.refuse(
      "BAD_VALUE",
      text,
      `\`cwd\` leaves the workspace: ${text.value}`,
      "write a path below it",
    );
  return text.value === "" ? reader.refuse("BAD_VALUE", text, "`cwd` is empty", "leave it out") : text;
}

function readWorkspaceMode(node: Node | undefined, reader: Reader): StepCommon["workspaceMode"] {
  const value = node?.kind === "scalar" ? node.value : undefined;
  // The name it has in older files.
  if (value === "orchestrator_workspace") return "project";
  if (node && value === "agent_workspace") {
    const hint = "write `workspace_mode: project`, and a `cwd` for a folder of its own";
    reader.refuse("BAD_VALUE", node, "`workspace_mode: agent_workspace` does not exist any more", hint);
    return "project";
  }
  return reader.choice(node, "`workspace_mode`", ["project", "run_workspace", "attempt"]) ?? "project";
}

function readNext(map: MapNode, id: string, around: StepSurroundings): Target | null {
  const entry = map.entries.get("next");
  if (!entry) return null;
  const { reader, steps } = around;
  if (around.shape === "graph") {
    const hint = "in a graph the order comes from `needs` alone; a loop needs a workflow without `needs`";
    reader.problems.add(
      "WRONG_SHAPE",
      entry.key,
      `step ${id} has \`next\`, and the workflow is a graph`,
      hint,
    );
    return null;
  }
  const name = reader.string(entry.value, "`next`");
  if (name === null) return null;
  const index = steps.get(name);
  if (index !== undefined) return { to: "step", index };
  if (name === "done" || name === "fail") return { to: name };
  const hint = `${suggest(name, steps, "steps")}; or done, fail`;
  return reader.refuse(
    "UNKNOWN_STEP",
    entry.value,
    `step ${id} goes on to "${name}", which is not a step`,
    hint,
  );
}
