import type { AttemptRecord, Failure, JournalLine, TransitionCode, Usage } from "./event.ts";
import { fanEnd, forgetItems, listOutputs, putItem, reopenItems } from "./fold-fan.ts";
import { NO_OUTPUTS } from "./initial-state.ts";
import { mayRetry } from "./retry.ts";
import {
  isFinally,
  isPassed,
  mark,
  markNode,
  nodeAt,
  nodeOf,
  type RunState,
  type StepNode,
  type StepState,
  type UsageTotal,
} from "./state.ts";

export function startAttempt(
  state: RunState,
  line: JournalLine & { event: "attempt_started" },
  at: number,
): void {
  const node = nodeOf(state, line.step, line.item);
  const { attempt, cause } = line;
  node.attempts = Math.max(node.attempts, attempt);
  node.reused = false;
  node.answered = false;
  node.counted += 1;
  countIteration(state, node, 1);
  const { volatile } = line;
  if (node.step.type === "approval") {
    const answered = volatile && "answeredFrom" in volatile ? { answeredFrom: volatile.answeredFrom } : {};
    setState(state, node, { status: "waiting", attempt, cause, startedAt: at, ...answered });
    return;
  }
  const { host, machineId, pidNamespace } = state.engine;
  const process =
    volatile && "process" in volatile ? { host, machineId, pidNamespace, ...volatile.process } : null;
  setState(state, node, { status: "running", attempt, cause, startedAt: at, process });
}

/** A `foreach` counts once, however many items it has. */
function countIteration(state: RunState, node: StepNode, by: 1 | -1): void {
  if (!node.item && !isFinally(state, node.step.index)) state.iterations += by;
}

export function waitForNested(
  state: RunState,
  line: JournalLine & { event: "attempt_waiting" },
  at: number,
): void {
  const node = nodeOf(state, line.step, line.item);
  if (node.state.status !== "running") throw unexpected(line, node);
  const { attempt, cause, startedAt, pausedMs = 0 } = node.state;
  const until = line.volatile === undefined ? null : Date.parse(line.volatile.until);
  const nested = { reason: line.reason, since: at, until, pausedMs };
  setState(state, node, { status: "waiting", attempt, cause, startedAt, nested });
}

export function resumeNested(
  state: RunState,
  line: JournalLine & { event: "attempt_resumed" },
  at: number,
): void {
  const node = nodeOf(state, line.step, line.item);
  if (node.state.status !== "waiting" || !node.state.nested) throw unexpected(line, node);
  const { attempt, cause, startedAt, nested } = node.state;
  const pausedMs = nested.pausedMs + Math.max(0, at - nested.since);
  setState(state, node, { status: "running", attempt, cause, startedAt, process: null, pausedMs });
}

export function endAttempt(state: RunState, record: AttemptRecord, retryAt: number | null): void {
  const node = nodeOf(state, record.step, record.item);
  const at = node.state;
  if ((at.status !== "running" && at.status !== "waiting") || at.attempt !== record.attempt) {
    throw new Error(`attempt ${record.attempt} of ${record.step} ended without having started`);
  }
  const { attempt } = record;
  const uncount = () => {
    node.counted -= 1;
    countIteration(state, node, -1);
  };
  switch (record.status) {
    case "succeeded":
      succeed(state, node, record);
      break;
    case "failed":
    case "timed_out": {
      const failure = record.error ?? { code: "EXIT_STATUS", message: "it failed" };
      // A limit whose end is known is waited for, and uses up no retry.
      const isParked = retryAt !== null;
      if (!isParked) node.failures += 1;
      if (isParked || mayRetry(node.step.retry, node.failures, failure.code)) {
        setState(state, node, { status: "retrying", attempt, failure, retryAt, notBefore: null });
      } else fail(state, node, attempt, failure);
      break;
    }
    case "interrupted":
      uncount();
      if (node.step.onInterrupt === "fail") {
        fail(state, node, attempt, record.error ?? { code: "INTERRUPTED", message: "it was interrupted" });
      } else setState(state, node, { status: "pending", cause: "interrupted" });
      break;
    case "not_run":
      uncount();
      setState(state, node, { status: "pending", cause: at.cause });
      break;
    case "canceled":
      uncount();
      if (isStoppedBefore(state, at)) setState(state, node, { status: "pending", cause: "resume" });
      else if (record.error?.code === "STALE") setState(state, node, { status: "pending", cause: "stale" });
      else setState(state, node, { status: "canceled", attempt });
      break;
    default:
      record.status satisfies never;
  }
}

/** A signal to an earlier engine stopped it, and that engine died before it could leave the run `waiting`. */
function isStoppedBefore(state: RunState, at: StepState): boolean {
  const stopping = at.status === "running" ? at.stopping : undefined;
  return stopping?.because === "SIGNAL" && stopping.epoch < state.epoch;
}

/** A rejection without a target is the step's failure; in a graph a target ends the run. */
function succeed(state: RunState, node: StepNode, record: AttemptRecord): void {
  const { attempt, decision } = record;
  const { gate, index } = node.step;
  const outputs = Object.keys(record.outputs).length > 0 ? record.outputs : NO_OUTPUTS;
  node.decision = decision ?? null;
  if (outputs !== NO_OUTPUTS) node.produced = outputs;
  if (gate && decision === "reject" && !gate.onReject) {
    fail(state, node, attempt, rejected(node, record));
    node.outputs = outputs;
    return;
  }
  node.outputs = outputs;
  setState(state, node, { status: "succeeded", attempt });
  const target =
    decision === "reject" ? gate?.onReject : decision === "approve" ? gate?.onApprove : undefined;
  if (state.workflow.shape === "graph" && target && target.to !== "step" && !isFinally(state, index)) {
    state.cursor = target.to;
    state.cameFrom = index;
  }
}

function rejected(node: StepNode, record: AttemptRecord): Failure {
  const feedback = record.outputs.feedback;
  const why =
    feedback && "value" in feedback && typeof feedback.value === "string" ? `: ${feedback.value}` : "";
  return {
    code: "REJECTED",
    message: `it was rejected${why}`,
    hint: `${node.step.id} has no on_reject; wf resume asks again`,
  };
}

function fail(state: RunState, node: StepNode, attempt: number, failure: Failure): void {
  node.outputs = NO_OUTPUTS;
  const allowed = node.step.allowFailure;
  setState(state, node, { status: "failed", attempt, failure, allowed });
  if (!allowed && !isFinally(state, node.step.index)) state.rootCause ??= node.index;
}

export function addUsage(state: RunState, step: string, usage: Usage | undefined): void {
  if (!usage) return;
  const node = nodeOf(state, step);
  const add = (total: UsageTotal): UsageTotal => ({
    tokens: total.tokens + (usage.tokens ?? 0),
    costUsd: total.costUsd + (usage.costUsd ?? 0),
    unknown: total.unknown + (usage.tokens === null ? 1 : 0),
    unknownCost: total.unknownCost + (usage.costUsd === null ? 1 : 0),
  });
  node.usage = add(node.usage);
  state.usage = add(state.usage);
}

export function moveTo(state: RunState, from: string, to: string, code: TransitionCode): void {
  const source = nodeOf(state, from).step.index;
  state.cameFrom = source;
  const index = state.indexOf.get(to);
  if (index === undefined || isFinally(state, index)) {
    state.cursor = to === "fail" ? "fail" : "done";
    return;
  }
  state.cursor = index;
  const node = nodeAt(state, index);
  enter(state, node, "rework");
  node.sentBackBy = code === "REJECTED" ? source : null;
}

export function enter(state: RunState, node: StepNode, cause: "resume" | "redo" | "rework"): void {
  if (cause === "resume" && node.fan && node.fan.size > 0) {
    reopenItems(state, node, node.fan, true);
    return;
  }
  forgetItems(state, node);
  if (cause !== "resume") node.afresh = false;
  node.failures = 0;
  node.outputs = NO_OUTPUTS;
  node.decision = null;
  node.sentBackBy = null;
  const isFirst = node.attempts === 0 && !node.fan?.nodes.length;
  setState(state, node, { status: "pending", cause: isFirst ? "first" : cause });
}

/** The one place where a node changes, so that the sets always agree with the nodes. */
export function setState(state: RunState, node: StepNode, to: StepState): void {
  if (node.item) {
    putItem(state, node, to);
    settleFan(state, node.item.of);
    return;
  }
  const { index } = node;
  const before = isPassed(node.state);
  const after = isPassed(to);
  node.state = to;
  markNode(state, node);
  // `finally` steps are not due: they come in their own order, after all that counts.
  if (isFinally(state, index)) return;
  if (before !== after) {
    state.passed += after ? 1 : -1;
    if (state.workflow.shape === "graph") meet(state, index, after ? -1 : 1);
  }
  if (to.status === "iterating") settleFan(state, node);
  else markDue(state, node);
}

/** A step with `foreach` follows its items. */
function settleFan(state: RunState, node: StepNode): void {
  if (node.state.status !== "iterating") return;
  const end = fanEnd(state, node);
  if (end === null) {
    markDue(state, node);
    return;
  }
  const isKept = end.status === "succeeded" || (end.status === "failed" && end.allowed);
  node.outputs = isKept ? listOutputs(node) : NO_OUTPUTS;
  if (Object.keys(node.outputs).length > 0) node.produced = node.outputs;
  setState(state, node, end);
}

function markDue(state: RunState, node: StepNode): void {
  const { index } = node;
  const reached = state.workflow.shape === "sequence" ? state.cursor === index : node.unmet === 0;
  const open = node.state.status === "pending" || (node.state.status === "iterating" && hasDueItem(node));
  mark(state.due, index, open && reached);
}

function hasDueItem({ fan }: StepNode): boolean {
  return fan !== null && fan.due.size > 0;
}

function meet(state: RunState, index: number, change: 1 | -1): void {
  for (const next of state.dependents[index] ?? []) {
    const node = nodeAt(state, next);
    node.unmet += change;
    markDue(state, node);
  }
}

export function unexpected(line: JournalLine, node: StepNode): Error {
  return new Error(`${line.event} (seq ${line.seq}) can not follow: ${node.step.id} is ${node.state.status}`);
}
