import type { Failure, JournalLine, OutputValue } from "./event.ts";
import { setState, unexpected } from "./fold-step.ts";
import { IndexSet } from "./index-set.ts";
import { NO_OUTPUTS, newNode } from "./initial-state.ts";
import type { Json } from "./json.ts";
import {
  type Fan,
  isFinally,
  keepsGoing,
  markNode,
  nodeOf,
  type RunState,
  type StepNode,
  type StepState,
} from "./state.ts";

/** The list is frozen: the step is done once for each of its items. */
export function startForeach(state: RunState, line: JournalLine & { event: "foreach_started" }): void {
  const node = nodeOf(state, line.step);
  if (node.state.status !== "pending") throw unexpected(line, node);
  if (!isFinally(state, node.step.index)) state.iterations += 1;
  node.fan ??= { ...NO_ITEMS, nodes: [], due: new IndexSet() };
  const { fan } = node;
  const size = line.items.length;
  Object.assign(fan, { size, open: size });
  for (const [number, value] of line.items.entries()) {
    const item = fan.nodes[number] ?? addItem(state, node, fan, value);
    if (item.item) item.item.value = value;
    item.failures = 0;
    item.outputs = NO_OUTPUTS;
    item.state = { status: "pending", cause: item.attempts === 0 ? "first" : line.cause };
    fan.due.add(number);
  }
  setState(state, node, { status: "iterating", cause: line.cause });
}

function addItem(state: RunState, of: StepNode, fan: Fan, value: Json): StepNode {
  const index = state.steps.length + state.items.length;
  const item = { number: fan.nodes.length, value, of };
  // Not a literal that begins with a spread: V8 gives each such object a shape of its own.
  const added = Object.assign(newNode(of.step, index), { item, unmet: 0 });
  state.items.push(added);
  fan.nodes.push(added);
  return added;
}

const NO_ITEMS = { size: 0, open: 0, active: 0, failed: 0, canceled: 0 } as const;

/** The step is entered anew: its list will be another, and only the numbers of attempts go on. */
export function forgetItems(state: RunState, { fan }: StepNode): void {
  if (!fan) return;
  for (const item of fan.nodes) {
    item.state = { status: "pending", cause: "first" };
    markNode(state, item);
  }
  fan.due.clear();
  Object.assign(fan, NO_ITEMS);
}

/** New attempts of the items that failed or were canceled; the others keep what they have. */
export function reopenItems(state: RunState, node: StepNode, fan: Fan, failedToo: boolean): void {
  for (const item of itemsOf(fan)) {
    const { status } = item.state;
    const failed = status === "failed" && !item.state.allowed && failedToo;
    if (!failed && status !== "canceled") continue;
    item.failures = 0;
    item.outputs = NO_OUTPUTS;
    putItem(state, item, { status: "pending", cause: "resume" });
  }
  setState(state, node, { status: "iterating", cause: "resume" });
}

export function itemsOf({ nodes, size }: Fan): StepNode[] {
  return nodes.length === size ? nodes : nodes.slice(0, size);
}

/** Changes an item, and what is counted of it; its step stays as it is. */
export function putItem(state: RunState, node: StepNode, to: StepState): void {
  const fan = node.item?.of.fan;
  if (!fan || !node.item) throw new Error("only an item can be put");
  count(fan, node.state, -1);
  node.state = to;
  count(fan, to, 1);
  markNode(state, node);
  if (to.status === "pending") fan.due.add(node.item.number);
  else fan.due.delete(node.item.number);
}

function count(fan: Fan, { status }: StepState, by: 1 | -1): void {
  if (status === "running" || status === "waiting") fan.active += by;
  if (status === "failed") fan.failed += by;
  else if (status === "canceled") fan.canceled += by;
  else if (status !== "succeeded" && status !== "skipped") fan.open += by;
}

/** What has become of the step once nothing of it runs; null while that is open. */
export function fanEnd(state: RunState, { step, fan, attempts }: StepNode): StepState | null {
  if (!fan || fan.active > 0) return null;
  const givesUp = fan.failed > 0 && !step.allowFailure && !keepsGoing(state);
  if (fan.failed > 0 && (givesUp || (fan.open === 0 && fan.canceled === 0))) {
    return { status: "failed", attempt: attempts, failure: failureOf(fan), allowed: step.allowFailure };
  }
  if (fan.canceled > 0) return { status: "canceled", attempt: attempts };
  return fan.open === 0 ? { status: "succeeded", attempt: attempts } : null;
}

function failureOf(fan: Fan): Failure {
  const first = itemsOf(fan).find(({ state }) => state.status === "failed");
  if (first?.state.status !== "failed") throw new Error("no item has failed");
  const { code, message } = first.state.failure;
  const of = `${fan.failed} of ${fan.size} items failed`;
  return { code, message: `${of}; the first, item-${first.item?.number}: ${message}` };
}

/** What each item gave, as lists in their order; declared outputs first. */
export function listOutputs({ step, fan }: StepNode): Record<string, OutputValue> {
  if (!fan) return {};
  const items = itemsOf(fan);
  const keys = new Set(step.outputs.map(({ key }) => key));
  if (step.type === "workflow") for (const key in step.definition.workflow.outputs) keys.add(key);
  for (const { outputs } of items) for (const key in outputs) keys.add(key);
  return Object.fromEntries([...keys].map((key) => [key, listOf(items.map(({ outputs }) => outputs[key]))]));
}

function listOf(outputs: readonly (OutputValue | undefined)[]): OutputValue {
  const values: Json[] = [];
  for (const output of outputs) {
    if (output && !("value" in output)) return { list: outputs.map((each) => each ?? null) };
    values.push(output ? output.value : null);
  }
  return { value: values };
}
