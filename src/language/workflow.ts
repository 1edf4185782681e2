import type { Template, Workflow } from "../core/workflow.ts";
import { type AgentNodes, readAgents } from "./agents.ts";
import type { FindNested } from "./definitions.ts";
import { readEnv, readShell } from "./environment.ts";
import { readInputs } from "./input-declarations.ts";
import { readLimits, type WorkbookLimits } from "./limits.ts";
import { Names, type Outside } from "./names.ts";
import type { MapNode, Node } from "./node.ts";
import { readPools } from "./pools.ts";
import type { PromptFiles } from "./prompt-file.ts";
import { checkKeys, type Reader } from "./read.ts";
import { checkPattern } from "./schema.ts";
import { readDescription } from "./step.ts";
import { findSteps, readId, readSteps, shapeOf } from "./step-list.ts";
import { VIEWS } from "./views.ts";

const WORKFLOW_KEYS = {
  what: "a workflow",
  known: [
    "id",
    "version",
    "description",
    "tags",
    "inputs",
    "env",
    "shell",
    "limits",
    "on_failure",
    "redact",
    "pools",
    "agents",
    "providers",
    "steps",
    "finally",
    "outputs",
  ],
};

/** What a workflow shares with others, from the outside in: its workbook's, and that of the workflow it is written in. */
export interface Surroundings extends AgentNodes {
  /** A workbook's. */
  readonly env?: Node;
  /** The shell of a workflow around it. */
  readonly shell?: Node;
  readonly limits: WorkbookLimits;
  /** Of a workflow that is written in a step. */
  readonly inStep?: { readonly id: string; readonly outside: Outside };
}

/** What a workflow is read with, beside what it says itself. */
export interface WorkflowContext {
  readonly around: Surroundings;
  readonly prompts: PromptFiles;
  readonly reader: Reader;
  readonly findNested: FindNested;
}

/** Reads a workflow; whatever is wrong with it has been reported to the reader. */
export function readWorkflow(map: MapNode, context: WorkflowContext): Workflow {
  const { around, prompts, reader, findNested } = context;
  checkKeys(map, WORKFLOW_KEYS, reader.problems);
  const get = (key: string): Node | undefined => map.entries.get(key)?.value;
  const { inStep } = around;
  const id = (inStep && !get("id") ? inStep.id : readId(map, "the workflow", reader)) ?? "";
  const version = readVersion(get("version"), reader);
  const inputs = readInputs(get("inputs"), reader);
  const found = findSteps(map, reader);
  const names = new Names(reader.problems, inputs, found.ids, found.mainSteps, inStep?.outside);
  const description = readDescription(get("description"), reader, names);
  const limits = readLimits(get("limits"), found.steps.length, around.limits, reader);
  const shape = shapeOf(found);
  const pools = readPools(get("pools"), reader);
  const env = {
    ...readEnv(around.env, reader, names, VIEWS.workflowEnv),
    ...readEnv(get("env"), reader, names, VIEWS.workflowEnv),
  };
  const own = { agents: get("agents"), providers: get("providers") };
  const agents = readAgents(around, own, inStep !== undefined, reader, names);
  const shell = readShell(get("shell") ?? around.shell, reader);
  const outputs = readRunOutputs(get("outputs"), reader, names);
  const parts = { shape, limits, pools, shell, workflowEnv: env, agents, prompts, reader, names, findNested };
  const steps = readSteps(found, parts);
  return {
    id,
    ...(version === null ? {} : { version }),
    ...(description === null ? {} : { description }),
    tags: reader.texts(get("tags"), "`tags`").map((tag) => tag.value),
    shape,
    inputs,
    env,
    limits: limits.limits,
    onFailure: readOnFailure(get("on_failure"), shape, reader),
    redact: readRedact(get("redact"), reader),
    pools,
    steps,
    mainSteps: found.mainSteps,
    outputs,
  };
}

function readVersion(node: Node | undefined, reader: Reader): string | number | null {
  if (!node) return null;
  const value = node.kind === "scalar" ? node.value : null;
  if (typeof value === "string" || typeof value === "number") return value;
  return reader.wrongType(node, "`version`", "text or a number");
}

function readOnFailure(
  node: Node | undefined,
  shape: "sequence" | "graph",
  reader: Reader,
): "stop" | "continue" {
  const value = reader.choice(node, "`on_failure`", ["stop", "continue"]) ?? "stop";
  if (node && value === "continue" && shape === "sequence") {
    const hint = "it is for workflows with `needs`; a single step can have `allow_failure: true`";
    reader.problems.add("WRONG_SHAPE", node, "`on_failure: continue` has no meaning in a sequence", hint);
    return "stop";
  }
  return value;
}

function readRedact(node: Node | undefined, reader: Reader): string[] {
  const texts = reader.texts(node, "`redact`");
  return texts.filter((text) => !checkPattern(text.value, text, reader)).map((text) => text.value);
}

function readRunOutputs(node: Node | undefined, reader: Reader, names: Names): Record<string, Template> {
  const found: Record<string, Template> = {};
  const map =
    node && reader.map(node, "`outputs`", "write `outputs: { name: '{{steps.build.outputs.name}}' }`");
  for (const [name, entry] of map?.entries ?? []) {
    const text = reader.text(entry.value, `the output "${name}"`);
    if (text) found[name] = names.template(text, VIEWS.workflowOutput);
  }
  return found;
}
