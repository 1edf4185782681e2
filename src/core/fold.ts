import type { AttemptRecord, JournalLine, RunStatus } from "./event.ts";
import { mayRetry, retryDelay } from "./retry.ts";
import {
  initialState,
  isPassed,
  nodeAt,
  nodeOf,
  type RunState,
  type StepNode,
  type StepState,
} from "./state.ts";
import type { Workflow } from "./workflow.ts";

export function foldAll(workflow: Workflow, lines: Iterable<JournalLine>): RunState {
  const state = initialState(workflow);
  for (const line of lines) fold(state, line);
  return state;
}

/**
 * Changes `state` to what it is after `line`. Deterministic, and without any effect elsewhere: the same lines in the
 * same order give the same state. A line that can not follow what came before throws: it is a bug or damage.
 */
export function fold(state: RunState, line: JournalLine): void {
  const at = Date.parse(line.at);
  state.seq = line.seq;
  state.epoch = line.epoch;
  state.updatedAt = line.at;
  switch (line.event) {
    case "run_created":
      state.runId = line.run;
      state.createdAt = line.at;
      state.source = line.workflow;
      state.inputs = line.inputs;
      state.limits = line.limits;
      state.options = line.options;
      state.project = line.volatile.project;
      state.projectFromRun = line.volatile.projectFromRun ?? null;
      state.git = line.volatile.git ?? null;
      break;
    case "engine_started":
      startEngine(state, line, at);
      break;
    case "attempt_started": {
      const node = nodeOf(state, line.step);
      node.attempts = Math.max(node.attempts, line.attempt);
      state.iterations += 1;
      setState(state, node, {
        status: "running",
        attempt: line.attempt,
        cause: line.cause,
        startedAt: at,
        process: line.volatile ? { ...state.engine, ...line.volatile.process } : null,
      });
      break;
    }
    case "attempt_ended":
      endAttempt(state, line.record);
      break;
    case "retry_scheduled": {
      const node = nodeOf(state, line.step);
      if (node.state.status !== "retrying") throw unexpected(line, node);
      setState(state, node, { ...node.state, notBefore: Date.parse(line.volatile.notBefore) });
      break;
    }
    case "step_skipped": {
      const node = nodeOf(state, line.step);
      node.outputs = {};
      setState(state, node, { status: "skipped", because: line.because });
      break;
    }
    case "transition":
      moveTo(state, line.from, line.to);
      break;
    case "run_waiting":
      setStatus(state, "waiting");
      state.reason = line.reason;
      closeEpoch(state, at);
      break;
    case "request_taken":
      state.requests.add(line.file);
      state.cancel = { because: line.because };
      break;
    case "request_refused":
      state.requests.add(line.file);
      break;
    case "run_ended":
      setStatus(state, line.status);
      state.reason = line.reason ?? null;
      state.outputs = line.outputs;
      state.endedAt = line.at;
      state.cancel = null;
      closeEpoch(state, at);
      break;
    case "attempt_adopted":
    case "definition_changed":
    case "input_changed":
    case "limit_clamped":
    case "security":
      break;
    default:
      line satisfies never;
  }
  if (state.epochBegan !== null) state.lastEventAt = at;
}

const ALLOWED: Readonly<Record<RunStatus, readonly RunStatus[]>> = {
  queued: ["running", "failed", "canceled"],
  running: ["waiting", "succeeded", "failed", "canceled"],
  waiting: ["running", "failed", "canceled"],
  succeeded: [],
  failed: ["running"],
  canceled: ["running"],
};

function setStatus(state: RunState, to: RunStatus): void {
  if (!ALLOWED[state.status].includes(to)) throw new Error(`a run can not go from ${state.status} to ${to}`);
  state.status = to;
}

function startEngine(state: RunState, line: JournalLine & { event: "engine_started" }, at: number): void {
  const was = state.status;
  if (was !== "running") setStatus(state, "running");
  if (state.epochBegan !== null) closeEpoch(state, state.lastEventAt);
  state.epochBegan = at;
  state.startedAt ??= line.at;
  state.endedAt = null;
  state.reason = null;
  state.outputs = {};
  state.project = line.volatile.project;
  const { host, machineId, pidNamespace } = line.volatile;
  state.engine = { host, machineId, pidNamespace };
  state.limits = { ...state.limits, ...line.limits };
  if (line.from !== undefined) redoFrom(state, line.from);
  if (was === "failed" || was === "canceled" || was === "waiting") reopen(state, was);
  clampTimes(state, at);
}

/** A clock that was set back between two engines makes nothing wait longer than it was meant to. */
function clampTimes(state: RunState, at: number): void {
  for (const index of state.retrying) {
    const node = nodeAt(state, index);
    if (node.state.status !== "retrying" || node.state.notBefore === null) continue;
    const latest = at + retryDelay(node.step.retry, node.failures);
    if (node.state.notBefore > latest) node.state = { ...node.state, notBefore: latest };
  }
  for (const index of state.running) {
    const node = nodeAt(state, index);
    if (node.state.status === "running" && node.state.startedAt > at)
      node.state = { ...node.state, startedAt: at };
  }
}

/** New attempts of what failed or was canceled; after a pause only of what was canceled. */
function reopen(state: RunState, was: "failed" | "canceled" | "waiting"): void {
  if (state.cursor === "fail" && state.cameFrom !== null) {
    state.cursor = state.cameFrom;
    enter(state, nodeAt(state, state.cameFrom), "resume");
  }
  for (const node of state.steps) {
    const { status } = node.state;
    const failed = status === "failed" && !node.state.allowed && was !== "waiting";
    if (failed || status === "canceled") enter(state, node, "resume");
  }
  state.rootCause = state.failed.next() < 0 ? null : state.rootCause;
}

/** `--from`: the step and all after it in the file, or in a graph all that descend from it, become pending again. */
function redoFrom(state: RunState, from: string): void {
  const first = nodeOf(state, from).step.index;
  if (state.workflow.shape === "sequence") {
    for (const node of state.steps.slice(first)) enter(state, node, "redo");
    state.due.clear();
    state.due.add(first);
    state.cursor = first;
    return;
  }
  for (const index of descendants(state, first)) enter(state, nodeAt(state, index), "redo");
  for (const node of state.steps) {
    node.unmet = node.step.needs.filter((need) => !isPassed(nodeAt(state, need).state)).length;
  }
  state.due.clear();
  for (const node of state.steps) {
    if (node.state.status === "pending" && node.unmet === 0) state.due.add(node.step.index);
  }
}

/** The step itself, and every step that needs it, directly or not. */
export function descendants(state: Pick<RunState, "dependents">, first: number): Set<number> {
  const found = new Set([first]);
  for (const index of found) for (const next of state.dependents[index] ?? []) found.add(next);
  return found;
}

function enter(state: RunState, node: StepNode, cause: "resume" | "redo" | "rework"): void {
  node.failures = 0;
  node.outputs = {};
  setState(state, node, { status: "pending", cause: node.attempts === 0 ? "first" : cause });
}

function endAttempt(state: RunState, record: AttemptRecord): void {
  const node = nodeOf(state, record.step);
  if (node.state.status !== "running" || node.state.attempt !== record.attempt) {
    throw new Error(`attempt ${record.attempt} of ${record.step} ended without having started`);
  }
  const { attempt } = record;
  const cause = node.state.cause;
  switch (record.status) {
    case "succeeded":
      node.outputs = record.outputs;
      setState(state, node, { status: "succeeded", attempt });
      break;
    case "failed":
    case "timed_out": {
      node.failures += 1;
      const failure = record.error ?? { code: "EXIT_STATUS", message: "it failed" };
      if (mayRetry(node.step.retry, node.failures, failure.code)) {
        setState(state, node, { status: "retrying", attempt, failure, notBefore: null });
      } else fail(state, node, attempt, failure);
      break;
    }
    case "interrupted":
      state.iterations -= 1;
      if (node.step.onInterrupt === "fail") {
        fail(state, node, attempt, record.error ?? { code: "INTERRUPTED", message: "it was interrupted" });
      } else setState(state, node, { status: "pending", cause: "interrupted" });
      break;
    case "not_run":
      state.iterations -= 1;
      setState(state, node, { status: "pending", cause });
      break;
    case "canceled":
      state.iterations -= 1;
      setState(state, node, { status: "canceled", attempt });
      break;
    default:
      record.status satisfies never;
  }
}

function fail(
  state: RunState,
  node: StepNode,
  attempt: number,
  failure: AttemptRecord["error"] & object,
): void {
  node.outputs = {};
  const allowed = node.step.allowFailure;
  setState(state, node, { status: "failed", attempt, failure, allowed });
  if (!allowed) state.rootCause ??= node.step.index;
}

function moveTo(state: RunState, from: string, to: string): void {
  state.cameFrom = nodeOf(state, from).step.index;
  const index = state.indexOf.get(to);
  if (index === undefined) {
    state.cursor = to === "fail" ? "fail" : "done";
    return;
  }
  state.cursor = index;
  enter(state, nodeAt(state, index), "rework");
}

/** The one place where a step changes, so that the sets always agree with the steps. */
function setState(state: RunState, node: StepNode, to: StepState): void {
  const index = node.step.index;
  const from = node.state;
  const before = isPassed(from);
  const after = isPassed(to);
  node.state = to;
  if (before !== after) {
    state.passed += after ? 1 : -1;
    if (state.workflow.shape === "graph") meet(state, index, after ? -1 : 1);
  }
  mark(state.running, index, to.status === "running");
  mark(state.retrying, index, to.status === "retrying");
  mark(state.failed, index, to.status === "failed" && !to.allowed);
  const reached = state.workflow.shape === "sequence" ? state.cursor === index : node.unmet === 0;
  mark(state.due, index, to.status === "pending" && reached);
}

function meet(state: RunState, index: number, change: 1 | -1): void {
  for (const next of state.dependents[index] ?? []) {
    const node = nodeAt(state, next);
    node.unmet += change;
    mark(state.due, next, node.state.status === "pending" && node.unmet === 0);
  }
}

function mark(set: RunState["due"], index: number, member: boolean): void {
  if (member) set.add(index);
  else set.delete(index);
}

function closeEpoch(state: RunState, at: number): void {
  if (state.epochBegan !== null) state.drivenBefore += Math.max(0, at - state.epochBegan);
  state.epochBegan = null;
}

function unexpected(line: JournalLine, node: StepNode): Error {
  return new Error(`${line.event} (seq ${line.seq}) can not follow: ${node.step.id} is ${node.state.status}`);
}
