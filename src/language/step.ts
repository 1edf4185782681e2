import { checkExpression } from "../core/expression.ts";
import type { Expression, OutputDeclaration, Step, StepCommon, Template } from "../core/workflow.ts";
import type { Agents } from "./agents.ts";
import type { FindNested } from "./definitions.ts";
import { nearest, suggest } from "./did-you-mean.ts";
import { DEFAULT_SHELL, readEnv } from "./environment.ts";
import { checkForeach, readForeach } from "./foreach.ts";
import type { WorkflowLimits } from "./limits.ts";
import type { Names } from "./names.ts";
import type { MapNode, Node } from "./node.ts";
import { readOutputs } from "./outputs.ts";
import { type Pools, readPlaces } from "./pools.ts";
import type { PromptFiles } from "./prompt-file.ts";
import { checkKeys, type Keys, type Reader } from "./read.ts";
import { patternFault } from "./regex.ts";
import { typesOf } from "./schema.ts";
import type { Produced } from "./step-outputs.ts";
import { readTiming } from "./step-timing.ts";
import { STEP_READERS } from "./steps/index.ts";
import type { StepReader } from "./steps/reader.ts";
import { readTargets, type TargetSurroundings } from "./targets.ts";
import { type StepPlace, VIEWS, type View } from "./views.ts";

/** What a step is read with: the workflow around it. */
export interface StepSurroundings extends TargetSurroundings {
  readonly limits: WorkflowLimits;
  readonly shell: readonly string[] | null;
  readonly workflowEnv: Readonly<Record<string, Template>>;
  readonly agents: Agents;
  readonly pools: Pools;
  readonly prompts: PromptFiles;
  readonly names: Names;
  readonly findNested: FindNested;
}

const COMMON_KEYS = [
  "id",
  "type",
  "description",
  "needs",
  "when",
  "foreach",
  "env",
  "cwd",
  "timeout",
  "idle_timeout",
  "retry",
  "limits",
  "pools",
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

/** Null: of a step whose type is not known. */
const KEYS: ReadonlyMap<StepReader | null, Keys> = new Map([
  [null, { what: "a step", known: ALL_KEYS }],
  ...STEP_READERS.map((type) => [type, keysOf(type)] as const),
]);

function keysOf({ type, keys, refused = [] }: StepReader): Keys {
  const common = COMMON_KEYS.filter((key) => !refused.some((each) => each.keys.includes(key)));
  return {
    what: `${/^[aeiou]/.test(type) ? "an" : "a"} ${type} step`,
    known: [...common.slice(0, 2), ...keys, ...common.slice(2)],
    refused,
  };
}

const NOTHING: readonly OutputDeclaration[] = [];

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
  checkKeys(map, KEYS.get(type) as Keys, reader.problems);
  if (found.isFinally) checkFinally(found, type, reader);
  const read = readCommon(found, needs, type, around);
  if (!type) return null;
  const shell = around.shell ?? DEFAULT_SHELL;
  const findNested = (node: Node) => around.findNested(node, id);
  const { workflowEnv } = around;
  const context = { map, ...read, shell, workflowEnv, agents, prompts, findNested, reader, names };
  const undeclared = type.undeclared(context);
  if (undeclared) names.declare(id, producedBy(type, undeclared, context.common));
  return type.read(context);
}

const UNDECLARED_IS_TEXT = "an output that is not declared is text";
/** What most commands produce. */
const ANY_TEXT: Produced = { keys: [], isOpen: true, whyNoList: () => UNDECLARED_IS_TEXT };

function producedBy(
  type: StepReader,
  undeclared: readonly string[] | "any",
  { outputs, gate, foreach }: StepCommon,
): Produced {
  const isPlain = outputs.length === 0 && !gate && !foreach;
  if (undeclared === "any" && isPlain && type.type !== "workflow") return ANY_TEXT;
  const decided = gate ? ["decision", "feedback"] : [];
  const more = undeclared === "any" ? [] : undeclared;
  const keys = new Set([...outputs.map((output) => output.key), ...decided, ...more]);
  const whyNoList = (key: string): string | null => {
    const declared = outputs.find((output) => output.key === key);
    if (foreach || (!declared && type.type === "workflow")) return null;
    if (!declared) return UNDECLARED_IS_TEXT;
    // The list may stand in a file, as JSON.
    const types = declared.file && !declared.parsed ? null : typesOf(declared.schema);
    return types && !types.includes("array") ? `it is declared as ${types.join(" or ")}` : null;
  };
  return { keys: [...keys], isOpen: undeclared === "any", whyNoList };
}

function readType(map: MapNode, id: string, reader: Reader): StepReader | null {
  const entry = map.entries.get("type");
  if (!entry) {
    const implied = STEP_READERS.find((each) => each.impliedBy.some((key) => map.entries.has(key)));
    if (implied) return implied;
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
  const types = STEP_READERS.map((each) => each.type);
  return reader.refuse("BAD_VALUE", entry.value, `there is no type "${name}"`, suggest(name, types, "types"));
}

/** Steps of `finally` run in order, and decide nothing. */
function checkFinally({ map, id }: FoundStep, type: StepReader | null, reader: Reader): void {
  const hint = "the steps of `finally` run one after the other, whatever has become of the run";
  for (const key of FORBIDDEN_IN_FINALLY) {
    const entry = map.entries.get(key);
    const message = `step ${id} of \`finally\` can not have \`${key}\``;
    if (entry) reader.problems.add("WRONG_SHAPE", entry, message, hint);
  }
  if (!type?.isGate) return;
  const at = map.entries.get("type")?.value ?? map.entries.get("message") ?? map;
  reader.problems.add("WRONG_SHAPE", at, `step ${id} of \`finally\` can not be an ${type.type}`, hint);
}

function readCommon(
  { map, id, index, isFinally }: FoundStep,
  needs: readonly number[],
  type: StepReader | null,
  around: StepSurroundings,
): { common: StepCommon; place: StepPlace } {
  const { reader, names, limits, pools } = around;
  const get = (key: string): Node | undefined => map.entries.get(key)?.value;
  const description = readDescription(get("description"), reader, names);
  const targets = isFinally ? {} : readTargets(map, id, type?.isGate ?? false, around);
  const implied = targets.gate && type ? type.gateOutputs : NOTHING;
  const outputs = readOutputs(map, implied, reader, names);
  const outputFiles = outputs.filter((output) => output.file).map((output) => output.key);
  const place = { index, isFinally, hasItem: map.entries.has("foreach"), outputFiles };
  checkForeach({ map, id, isFinally }, targets.gate !== undefined && !type?.isPerson, reader);
  const when = readWhen(get("when"), VIEWS.when(place), reader, names);
  const cwd = readCwd(get("cwd"), reader);
  const inherited = type?.isPerson ? {} : limits;
  const common: StepCommon = {
    id,
    index,
    ...(description === null ? {} : { description }),
    needs,
    ...(when ? { when } : {}),
    ...readForeach(map, index, reader, names),
    pools: readPlaces(get("pools"), id, pools, reader),
    env: readEnv(get("env"), reader, names, VIEWS.step(place)),
    workspaceMode: readWorkspaceMode(get("workspace_mode"), reader),
    ...(cwd ? { cwd: names.template(cwd, VIEWS.cwd(place)) } : {}),
    ...readTiming(map, { defaultRetries: type?.retries ?? 0, ...inherited }, reader),
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
