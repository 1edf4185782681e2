import type { Gate, Target } from "../core/workflow.ts";
import { suggest } from "./did-you-mean.ts";
import type { Entry, MapNode } from "./node.ts";
import type { Reader } from "./read.ts";

/** Why a step of `finally` can not be named as one to come. */
export const FINALLY_HINT = "the steps of `finally` run by themselves, when all others are done";

/** Where steps can go on: the workflow around them. */
export interface TargetSurroundings {
  readonly shape: "sequence" | "graph";
  /** Index by id; those of `finally` come after the first `mainSteps`. */
  readonly steps: ReadonlyMap<string, number>;
  readonly mainSteps: number;
  readonly reader: Reader;
}

/** `next`, `on_approve` and `on_reject`. A step with one of the latter is a gate, whatever its type. */
export function readTargets(
  map: MapNode,
  id: string,
  isGate: boolean,
  around: TargetSurroundings,
): { next?: Target; gate?: Gate } {
  const next = readNext(map, id, around);
  const approve = map.entries.get("on_approve");
  const reject = map.entries.get("on_reject");
  if (approve && map.entries.has("next")) {
    const message = `step ${id} has both \`next\` and \`on_approve\``;
    around.reader.problems.add(
      "BAD_VALUE",
      approve,
      message,
      "once approved it goes to `on_approve`: take `next` out",
    );
  }
  const onApprove = readGateTarget(approve, "on_approve", id, around);
  const onReject = readGateTarget(reject, "on_reject", id, around);
  return {
    ...(next ? { next } : {}),
    ...(isGate || approve || reject
      ? { gate: { ...(onApprove ? { onApprove } : {}), ...(onReject ? { onReject } : {}) } }
      : {}),
  };
}

function readNext(map: MapNode, id: string, around: TargetSurroundings): Target | null {
  const entry = map.entries.get("next");
  if (!entry) return null;
  if (around.shape === "sequence") return readTarget(entry, "next", id, around);
  const hint = "in a graph the order comes from `needs` alone; a loop needs a workflow without `needs`";
  const message = `step ${id} has \`next\`, and the workflow is a graph`;
  around.reader.problems.add("WRONG_SHAPE", entry, message, hint);
  return null;
}

function readGateTarget(
  entry: Entry | undefined,
  key: string,
  id: string,
  around: TargetSurroundings,
): Target | null {
  const target = entry ? readTarget(entry, key, id, around) : null;
  if (!entry || target?.to !== "step" || around.shape === "sequence") return target;
  const message = `\`${key}\` of step ${id} names a step, and the workflow is a graph`;
  const hint = "in a graph a gate goes to `done` or `fail`; a loop needs a workflow without `needs`";
  around.reader.problems.add("WRONG_SHAPE", entry.value, message, hint);
  return null;
}

function readTarget(entry: Entry, key: string, id: string, around: TargetSurroundings): Target | null {
  const { reader, steps, mainSteps } = around;
  const name = reader.string(entry.value, `\`${key}\``);
  if (name === null) return null;
  const index = steps.get(name);
  if (index !== undefined && index < mainSteps) return { to: "step", index };
  if (name === "done" || name === "fail") return { to: name };
  const goes =
    { on_approve: "goes, if approved, to", on_reject: "goes, if rejected, to" }[key] ?? "goes on to";
  const isFinally = index !== undefined;
  const known = [...steps].filter(([, at]) => at < mainSteps).map(([each]) => each);
  const hint = isFinally ? FINALLY_HINT : `${suggest(name, known, "steps")}; or done, fail`;
  const message = `step ${id} ${goes} "${name}", which is ${isFinally ? "a step of `finally`" : "not a step"}`;
  return reader.refuse("UNKNOWN_STEP", entry.value, message, hint);
}
