import type { TransitionCode } from "../core/event.ts";
import type { RunRecord, StepRecord } from "../core/record.ts";
import type { NestedStep, Step, Target, ValueTemplate, Workflow } from "../core/workflow.ts";

/** A workflow as boxes and arrows; how these are written is another matter. */
export interface Picture {
  readonly nodes: readonly PictureNode[];
  readonly edges: readonly PictureEdge[];
}

export interface PictureNode {
  /** Letters, digits and `_`; begins with that of the node around it. */
  readonly id: string;
  readonly lines: readonly string[];
  readonly shape: "step" | "agent" | "gate" | "workflow" | "end";
  /** Of a run. */
  readonly status?: string;
  /** What it consists of: the steps of the workflow that it runs, or those of `finally`. */
  readonly inner?: Picture;
}

export interface PictureEdge {
  readonly from: string;
  readonly to: string;
  readonly label: string;
  /** Of a run of a sequence: whether it went there. */
  readonly taken: boolean;
}

/** A run that is drawn into the picture of its workflow. */
export interface Drawn {
  readonly steps: RunRecord["steps"];
  /** Nobody drives it, and it did not come to its end. */
  readonly interrupted: boolean;
  readonly transitions: readonly {
    readonly from: string;
    readonly to: string;
    readonly because: { readonly code: TransitionCode };
  }[];
  /** The nested runs, by step; with `foreach` that of one item, which says most. */
  readonly nested: ReadonlyMap<string, { readonly item?: number; readonly drawn: Drawn }>;
}

interface Options {
  readonly drawn: Drawn | null;
  /** Of a sequence: all ways that there are, or only those that a run took. */
  readonly ways: "possible" | "taken";
}

export function pictureOf(workflow: Workflow, options: Options): Picture {
  return drawWorkflow(workflow, options, "", []);
}

/** `prefix`: of the ids of nodes; `around`: the workflows that this one is nested in. */
function drawWorkflow(
  workflow: Workflow,
  options: Options,
  prefix: string,
  around: readonly Workflow[],
): Picture {
  const within = [...around, workflow];
  const draw = (step: Step) => drawStep(step, options, `${prefix}s${step.index}`, within);
  const nodes = workflow.steps.slice(0, workflow.mainSteps).map(draw);
  const last = workflow.steps.slice(workflow.mainSteps);
  const edges = workflow.shape === "graph" ? needs(workflow, prefix) : ways(workflow, options, prefix);
  const ends = ["done", "fail"].filter((end) => edges.some(({ to }) => to === `${prefix}${end}`));
  const all = [
    ...nodes,
    ...ends.map((end): PictureNode => ({ id: `${prefix}${end}`, lines: [end], shape: "end" })),
  ];
  if (last.length === 0) return { nodes: all, edges };
  const chain = last.slice(1).map(({ index }) => edge(`${prefix}s${index - 1}`, `${prefix}s${index}`));
  const inner = { nodes: last.map(draw), edges: chain };
  return { nodes: [...all, { id: `${prefix}finally`, lines: ["finally"], shape: "workflow", inner }], edges };
}

function drawStep(step: Step, options: Options, id: string, around: readonly Workflow[]): PictureNode {
  const record = options.drawn?.steps[step.id];
  const isCutOff = options.drawn?.interrupted && record?.status === "running";
  const node = {
    id,
    ...(record && { status: isCutOff ? "interrupted" : record.status }),
  };
  if (step.type !== "workflow") return { ...node, lines: linesOf(step, record), shape: shapeOf(step) };
  const nested = options.drawn?.nested.get(step.id);
  const { workflow } = step.definition;
  // One that runs itself is drawn once, or as often as it has run.
  const isDrawn = nested !== undefined || !around.includes(workflow);
  const inner = isDrawn
    ? drawWorkflow(workflow, { ...options, drawn: nested?.drawn ?? null }, `${id}_`, around)
    : null;
  const lines = linesOf(step, record, nested?.item);
  return { ...node, lines, shape: "workflow", ...(inner && { inner }) };
}

function shapeOf(step: Exclude<Step, NestedStep>): PictureNode["shape"] {
  if (step.type === "approval" || step.gate) return "gate";
  return step.type === "command" ? "step" : "agent";
}

/** `each × 3: inner`, `when inputs.lint`, `1 of 3 failed`. */
function linesOf(step: Step, record: StepRecord | undefined, item?: number): string[] {
  const { items } = record ?? {};
  const times = step.foreach ? ` × ${items?.total ?? listText(step.foreach)}` : "";
  const runs = step.type === "workflow" ? `: ${step.definition.workflow.id}` : "";
  const shown = item === undefined ? "" : ` (item-${item})`;
  const failed = items?.failed === undefined ? [] : [`${items.failed} of ${items.total} failed`];
  return [
    `${step.id}${times}${runs}${shown}`,
    ...(step.when ? [short(`when ${step.when.source}`)] : []),
    ...failed,
  ];
}

function listText(foreach: ValueTemplate): string {
  if ("list" in foreach) return String(foreach.list.length);
  if ("literal" in foreach) return Array.isArray(foreach.literal) ? String(foreach.literal.length) : "?";
  return "template" in foreach ? short(foreach.template.source.replace(/^\{\{\s*|\s*\}\}$/g, "")) : "?";
}

const MAX_LINE = 48;

function short(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}…` : line;
}

function edge(from: string, to: string, label = "", taken = true): PictureEdge {
  return { from, to, label, taken };
}

function needs({ steps }: Workflow, prefix: string): PictureEdge[] {
  const ofNeeds = steps.flatMap(({ index, needs: before }) =>
    before.map((need) => edge(`${prefix}s${need}`, `${prefix}s${index}`)),
  );
  return [...ofNeeds, ...steps.flatMap((step) => decided(step, prefix))];
}

/** Where the decision of a gate leads, if that is said. */
function decided({ index, gate }: Step, prefix: string): PictureEdge[] {
  const from = `${prefix}s${index}`;
  return [
    ...(gate?.onApprove ? [edge(from, idOf(gate.onApprove, prefix), "approved")] : []),
    ...(gate?.onReject ? [edge(from, idOf(gate.onReject, prefix), "rejected")] : []),
  ];
}

function idOf(target: Target, prefix: string): string {
  return `${prefix}${target.to === "step" ? `s${target.index}` : target.to}`;
}

/** Of a sequence; a run's with how often it went there, where that was more than once. */
function ways(workflow: Workflow, { drawn, ways: wanted }: Options, prefix: string): PictureEdge[] {
  const possible = workflow.steps.slice(0, workflow.mainSteps).flatMap((step, index, main) => {
    const onward: Target = index + 1 < main.length ? { to: "step", index: index + 1 } : { to: "done" };
    const own = decided(step, prefix);
    if (step.gate?.onApprove) return own;
    const label = step.next ? "next" : step.gate ? "approved" : "";
    return [edge(`${prefix}s${index}`, idOf(step.next ?? onward, prefix), label), ...own];
  });
  // Where a nested workflow ends is where its box ends.
  const isTold = ({ to, label }: PictureEdge) => prefix === "" || to !== `${prefix}done` || label !== "";
  if (drawn === null) return possible.filter(isTold);
  const taken = takenWays(workflow, drawn, prefix).filter(isTold);
  const key = ({ from, to }: PictureEdge) => `${from} ${to}`;
  const known = new Set(taken.map(key));
  const others = possible.filter((way) => isTold(way) && !known.has(key(way)));
  return wanted === "taken" ? taken : [...taken, ...others.map((way) => ({ ...way, taken: false }))];
}

function takenWays({ steps }: Workflow, { transitions }: Drawn, prefix: string): PictureEdge[] {
  const indexOf = new Map(steps.map(({ id, index }) => [id, `s${index}`]));
  const found = new Map<string, { readonly from: string; readonly to: string; why: string; times: number }>();
  for (const { from: source, to: target, because } of transitions) {
    const [from, to] = [indexOf.get(source) ?? source, indexOf.get(target) ?? target];
    const way = found.get(`${from} ${to}`) ?? { from, to, why: WHY[because.code], times: 0 };
    way.times += 1;
    found.set(`${from} ${to}`, way);
  }
  return [...found.values()].map(({ from, to, why, times }) => {
    const label = [why, times > 1 ? `${times} times` : ""].filter((text) => text !== "").join(", ");
    return edge(`${prefix}${from}`, `${prefix}${to}`, label);
  });
}

const WHY: Readonly<Record<TransitionCode, string>> = {
  NEXT_IN_FILE: "",
  LAST_STEP: "",
  NEXT_KEY: "next",
  SKIPPED: "skipped",
  ALLOWED_FAILURE: "failed, and may",
  APPROVED: "approved",
  REJECTED: "rejected",
};
