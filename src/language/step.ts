import { checkExpression } from "../core/expression.ts";
import type { Expression, Step, StepCommon } from "../core/workflow.ts";
import type { Agents } from "./agents.ts";
import { nearest, suggest } from "./did-you-mean.ts";
import { DEFAULT_SHELL, readEnv } from "./environment.ts";
import type { WorkflowLimits } from "./limits.ts";
import type { Names } from "./names.ts";
import type { MapNode, Node } from "./node.ts";
import { readOutputs } from "./outputs.ts";
import type { PromptFiles } from "./prompt-file.ts";
import { checkKeys, notSupported, type Reader } from "./read.ts";
import { patternFault } from "./regex.ts";
import { readTiming } from "./step-timing.ts";
import { STEP_READERS, UNSUPPORTED_KEYS, UNSUPPORTED_TYPES } from "./steps/index.ts";
import type { StepReader } from "./steps/reader.ts";
import { readTargets, type TargetSurroundings } from "./targets.ts";
import { type StepPlace, VIEWS, type View } from "./views.ts";

/** What a step is read with: the workflow around it. */
export interface StepSurroundings extends TargetSurroundings {
  readonly limits: WorkflowLimits;
  readonly shell: readonly string[] | null;
  readonly agents: Agents;
  readonly prompts: PromptFiles;
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
  "idle_timeout",
  "retry",
  "limits",
  "outputs",
  "output_files",
  "workspace_mode",
  "on_interrupt",
  "allow_failure",
  "next",
  "on_approve",
  "on_reject",
];
const ALL_KEYS = [...new Set([...COMMON_KEYS, ...STEP_READERS.flatMap((reader) => reader.keys)])];
const IMPLYING_KEYS = STEP_READERS.flatMap((reader) => reader.impliedBy);
const FORBIDDEN_IN_FINALLY = ["needs", "next", "on_approve", "on_reject"];

/** A step as it stands in the file. */
export interface FoundStep {
  readonly map: MapNode;
  readonly id: string;
  readonly index: number;
  readonly isFinally: boolean;
}

/** Reads a step; null if its type is none that can be read, or something about it was wrong. */
export function readStep(found: FoundStep, needs: readonly number[], around: StepSurroundings): Step | null {
  const { reader, names, agents, prompts } = around;
  const { map, id } = found;
  const type = readType(map, id, reader);
  const common = COMMON_KEYS.filter((key) => !type?.refused?.keys.includes(key));
  const first = common.slice(0, 2);
  const keys = {
    what: type ? `${/^[aeiou]/.test(type.type) ? "an" : "a"} ${type.type} step` : "a step",
    known: type ? [...first, ...type.keys, ...common.slice(2)] : ALL_KEYS,
    unsupported: UNSUPPORTED_KEYS,
    ...(type?.refused ? { refused: type.refused } : {}),
  };
  checkKeys(map, keys, reader.problems);
  if (found.isFinally) checkFinally(found, type, reader);
  const read = readCommon(found, needs, type, around);
  if (!type) return null;
  const { outputs } = read.common;
  const decided = read.common.gate ? ["decision", "feedback"] : [];
  const produced = new Set([...outputs.map((output) => output.key), ...decided]);
  names.declare(id, { keys: [...produced], isOpen: type.hasOpenOutputs });
  const shell = around.shell ?? DEFAULT_SHELL;
  return type.read({ map, ...read, shell, agents, prompts, reader, names });
}

function readType(map: MapNode, id: string, reader: Reader): StepReader | null {
  const entry = map.entries.get("type");
  if (!entry) {
    const implied = STEP_READERS.find((each) => each.impliedBy.some((key) => map.entries.has(key)));
    if (implied) return implied;
    if (UNSUPPORTED_KEYS.some((key) => map.entries.has(key))) return null;
    const misspelt = [...map.entries.keys()].some(
      (key) => !ALL_KEYS.includes(key) && nearest(key, IMPLYING_KEYS) !== null,
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
  if (Object.hasOwn(UNSUPPORTED_TYPES, name))
    return reader.refuse("NOT_SUPPORTED", entry.value, notSupported(`the type \`${name}\``));
  const types = STEP_READERS.map((each) => each.type);
  return reader.refuse("BAD_VALUE", entry.value, `there is no type "${name}"`, suggest(name, types, "types"));
}

/** Steps of `finally` run in order, and decide nothing. */
function checkFinally({ map, id }: FoundStep, type: StepReader | null, reader: Reader): void {
  const hint = "the steps of `finally` run one after the other, whatever has become of the run";
  for (const key of FORBIDDEN_IN_FINALLY) {
    const entry = map.entries.get(key);
    const message = `step ${id} of \`finally\` can not have \`${key}\``;
    if (entry) reader.problems.add("WRONG_SHAPE", entry.key, message, hint);
  }
  if (!type?.isGate) return;
  const at = map.entries.get("type")?.value ?? map.entries.get("message")?.key ?? map;
  reader.problems.add("WRONG_SHAPE", at, `step ${id} of \`finally\` can not be an ${type.type}`, hint);
}

function readCommon(
  { map, id, index, isFinally }: FoundStep,
  needs: readonly number[],
  type: StepReader | null,
  around: StepSurroundings,
): { common: StepCommon; place: StepPlace } {
  const { reader, names, limits } = around;
  const get = (key: string): Node | undefined => map.entries.get(key)?.value;
  const description = readDescription(get("description"), reader, names);
  const targets = isFinally ? {} : readTargets(map, id, type?.isGate ?? false, around);
  const outputs = readOutputs(map, targets.gate ? (type?.gateOutputs ?? []) : [], reader, names);
  const outputFiles = outputs.filter((output) => output.file).map((output) => output.key);
  const place = { index, isFinally, outputFiles };
  const when = readWhen(get("when"), VIEWS.when(place), reader, names);
  const cwd = readCwd(get("cwd"), reader);
  const inherited = type?.isPerson ? {} : limits;
  const common: StepCommon = {
    id,
    index,
    ...(description === null ? {} : { description }),
    needs,
    ...(when ? { when } : {}),
    pools: {},
    env: readEnv(get("env"), reader, names, VIEWS.step(place)),
    workspaceMode: readWorkspaceMode(get("workspace_mode"), reader),
    ...(cwd ? { cwd: names.template(cwd, VIEWS.cwd(place)) } : {}),
    ...readTiming(map, { ...inherited, defaultRetries: type?.retries ?? 0 }, reader),
    outputs,
    onInterrupt: reader.choice(get("on_interrupt"), "`on_interrupt`", ["rerun", "fail"]) ?? "rerun",
    allowFailure: reader.boolean(get("allow_failure"), "`allow_failure`") ?? false,
    ...targets,
  };
  return { common, place };
}

/** A `description`; nothing replaces templates in it, but a secret named there is a mistake. */
export function readDescription(node: Node | undefined, reader: Reader, names: Names): string | null {
  const text = node && reader.text(node, "`description`");
  if (text) names.prose(text, "a description");
  return text?.value ?? null;
}

function readWhen(node: Node | undefined, view: View, reader: Reader, names: Names): Expression | null {
  const text = node && reader.text(node, "`when`");
  if (!text) return null;
  const fault = checkExpression(text.value, patternFault);
  if (fault) {
    const at = { node: text, from: fault.offset, to: fault.offset + fault.length };
    reader.problems.add(fault.isPattern ? "BAD_PATTERN" : "BAD_EXPRESSION", at, `\`when\`: ${fault.message}`);
  }
  names.expression(text, view);
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
