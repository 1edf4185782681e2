import type { StepCommon, ValueTemplate } from "../core/workflow.ts";
import type { Names } from "./names.ts";
import type { MapNode } from "./node.ts";
import type { Reader } from "./read.ts";
import { readValue } from "./value.ts";
import { VIEWS } from "./views.ts";

const HINT = "write a list, or exactly one template that gives one, such as '{{inputs.targets}}'";

export const GATE_IN_FOREACH = "write a step with `foreach` and `workflow`, and the gate in that workflow";

/** The list that a step is done for: written out, or one template for all of it. */
export function readForeach(
  step: MapNode,
  index: number,
  reader: Reader,
  names: Names,
): Pick<StepCommon, "foreach"> {
  const node = step.entries.get("foreach")?.value;
  if (!node) return {};
  const view = VIEWS.foreach(index);
  if (node.kind === "list") return { foreach: readValue(node, view, names) };
  const text =
    node.kind === "scalar" && typeof node.value === "string" ? reader.text(node, "`foreach`") : null;
  if (!text) {
    reader.wrongType(node, "`foreach`", "a list", HINT);
    return {};
  }
  const value = readValue(text, view, names);
  if (!isOnePath(value)) {
    reader.refuse("BAD_VALUE", text, "`foreach` is text that is not exactly one template", HINT);
    return {};
  }
  names.requireList(text);
  return { foreach: value };
}

function isOnePath(value: ValueTemplate): boolean {
  return "template" in value && value.template.parts.length === 1;
}

/** A step with `foreach` has many ends, so it can neither decide nor be one of those that run in order at the end. */
export function checkForeach(
  { map, id, isFinally }: { readonly map: MapNode; readonly id: string; readonly isFinally: boolean },
  isGate: boolean,
  reader: Reader,
): void {
  const entry = map.entries.get("foreach");
  if (!entry) return;
  if (isFinally) {
    const hint = "write a step with `workflow`, and the step with `foreach` in that workflow";
    const message = `step ${id} of \`finally\` can not have \`foreach\``;
    reader.problems.add("WRONG_SHAPE", entry, message, hint);
  } else if (isGate) {
    const message = `step ${id} is a gate, and can not have \`foreach\``;
    reader.problems.add("WRONG_SHAPE", entry, message, GATE_IN_FOREACH);
  }
}
