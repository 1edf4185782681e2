import type { AttemptRecord, Failure, JournalLine, RunStatus, TransitionCode, Usage } from "./event.ts";
import { mayRetry, retryDelay } from "./retry.ts";
import {
  drivenMs,
  initialState,
  isFinally,
  isPassed,
  nodeAt,
  nodeOf,
  type RunState,
  type StepNode,
  type StepState,
  type UsageTotal,
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
    case "attempt_started":
      startAttempt(state, line, at);
      break;
    case "attempt_ended":
      addUsage(state, line.record.step, line.volatile.usage);
      endAttempt(
        state,
        line.record,
        line.volatile.retryAt === undefined ? null : Date.parse(line.volatile.retryAt),
      );
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
      moveTo(state, line.from, line.to, line.because.code);
      break;
    case "finally_started":
      state.ending = { status: line.status, ...(line.reason && { reason: line.reason }) };
      state.cancel = null;
      break;
    case "run_waiting":
      setStatus(state, "waiting");
      state.reason = line.reason;
      state.waitingUntil = line.volatile?.until ?? null;
      closeEpoch(state, at);
      break;
    case "request_taken":
      state.requests.add(line.file);
      if (line.request === "cancel") state.cancel = { because: line.because };
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
      state.ending = null;
      closeEpoch(state, at);
      break;
    case "attempt_stopping": {
      const node = nodeOf(state, line.step);
      if (node.state.status !== "running") throw unexpected(line, node);
      node.state = { ...node.state, stopping: { because: line.because, epoch: line.epoch } };
      break;
    }
    case "decision":
    case "attempt_adopted":
    case "definition_changed":
    case "input_changed":
    case "limit_clamped":
    case "security":
      break;
    default:
      line satisfies never;
  }
  if (state.epochBegan === null) return;
  state.lastEventAt = at;
  countPerson(state, at);
}

/** Time in which an engine stays and waits for nothing but a person is taken out of what it drove. */
function countPerson(state: RunState, at: number): void {
  const others = state.running.size + state.retrying.size + state.due.size;
  const onlyPerson = state.waiting.size > 0 && others === 0;
  if (onlyPerson) state.personSince ??= at;
  else if (state.personSince !== null) {
    state.drivenBefore -= Math.max(0, at - state.personSince);
    state.personSince = null;
  }
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
  state.waitingUntil = null;
  state.reason = null;
  state.outputs = {};
  state.project = line.volatile.project;
  const { host, machineId, pidNamespace } = line.volatile;
  state.engine = { host, machineId, pidNamespace };
  const { steps, ...limits } = line.limits ?? {};
  state.limits = { ...state.limits, ...limits, ...(steps && { steps: { ...state.limits.steps, ...steps } }) };
  if (line.from !== undefined) redoFrom(state, line.from);
  if (was === "failed" || was === "canceled" || was === "waiting") reopen(state, was);
  countPerson(state, at);
  clampTimes(state, at);
}

/** A clock that was set back between two engines makes nothing wait longer than it was meant to. */
function clampTimes(state: RunState, at: number): void {
  for (const index of state.retrying) {
    const node = nodeAt(state, index);
    if (node.state.status !== "retrying" || node.state.notBefore === null || node.state.retryAt !== null)
      continue;
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
  if (typeof state.cursor !== "number" && state.cameFrom !== null && was !== "waiting") {
    state.cursor = state.cameFrom;
    enter(state, nodeAt(state, state.cameFrom), "resume");
  }
  for (const node of state.steps) {
    const { status } = node.state;
    if (isFinally(state, node.step.index) && was !== "waiting") {
      enter(state, node, "resume");
      continue;
    }
    const failed = status === "failed" && !node.state.allowed && was !== "waiting";
    if (failed || status === "canceled") enter(state, node, "resume");
  }
  state.rootCause = state.failed.next() < 0 ? null : state.rootCause;
}

/** `--from`: the step and all after it in the file, or in a graph all that descend from it, become pending again. */
function redoFrom(state: RunState, from: string): void {
  const first = nodeOf(state, from).step.index;
  if (state.workflow.shape === "sequence") {
    for (const node of state.steps.slice(first, state.workflow.mainSteps)) enter(state, node, "redo");
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
  node.decision = null;
  node.sentBackBy = null;
  setState(state, node, { status: "pending", cause: node.attempts === 0 ? "first" : cause });
}

function startAttempt(state: RunState, line: JournalLine & { event: "attempt_started" }, at: number): void {
  const node = nodeOf(state, line.step);
  const { attempt, cause } = line;
  node.attempts = Math.max(node.attempts, attempt);
  if (!isFinally(state, node.step.index)) state.iterations += 1;
  if (node.step.type === "approval") {
    setState(state, node, { status: "waiting", attempt, cause, startedAt: at });
    return;
  }
  const process = line.volatile ? { ...state.engine, ...line.volatile.process } : null;
  setState(state, node, { status: "running", attempt, cause, startedAt: at, process });
}

function addUsage(state: RunState, step: string, usage: Usage | undefined): void {
  if (!usage) return;
  const node = nodeOf(state, step);
  const add = (total: UsageTotal): UsageTotal => ({
    tokens: total.tokens + (usage.tokens ?? 0),
    costUsd: total.costUsd + (usage.costUsd ?? 0),
    unknown: total.unknown + (usage.tokens === null ? 1 : 0),
  });
  node.usage = add(node.usage);
  state.usage = add(state.usage);
}

function endAttempt(state: RunState, record: AttemptRecord, retryAt: number | null): void {
  const node = nodeOf(state, record.step);
  const at = node.state;
  if ((at.status !== "running" && at.status !== "waiting") || at.attempt !== record.attempt) {
    throw new Error(`attempt ${record.attempt} of ${record.step} ended without having started`);
  }
  const { attempt } = record;
  const uncount = () => {
    if (!isFinally(state, node.step.index)) state.iterations -= 1;
  };
  switch (record.status) {
    case "succeeded":
      succeed(state, node, record);
      break;
    case "failed":
    case "timed_out": {
      node.failures += 1;
      const failure = record.error ?? { code: "EXIT_STATUS", message: "it failed" };
      if (mayRetry(node.step.retry, node.failures, failure.code)) {
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
  node.decision = decision ?? null;
  if (Object.keys(record.outputs).length > 0) node.produced = record.outputs;
  if (gate && decision === "reject" && !gate.onReject) {
    fail(state, node, attempt, rejected(node, record));
    node.outputs = record.outputs;
    return;
  }
  node.outputs = record.outputs;
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
  node.outputs = {};
  const allowed = node.step.allowFailure;
  setState(state, node, { status: "failed", attempt, failure, allowed });
  if (!allowed && !isFinally(state, node.step.index)) state.rootCause ??= node.step.index;
}

function moveTo(state: RunState, from: string, to: string, code: TransitionCode): void {
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

/** The one place where a step changes, so that the sets always agree with the steps. */
function setState(state: RunState, node: StepNode, to: StepState): void {
  const index = node.step.index;
  const before = isPassed(node.state);
  const after = isPassed(to);
  node.state = to;
  mark(state.running, index, to.status === "running");
  mark(state.waiting, index, to.status === "waiting");
  mark(state.retrying, index, to.status === "retrying");
  // `finally` steps are neither due nor failed: they come in their own order, after all that counts.
  if (isFinally(state, index)) return;
  if (before !== after) {
    state.passed += after ? 1 : -1;
    if (state.workflow.shape === "graph") meet(state, index, after ? -1 : 1);
  }
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
  state.drivenBefore = drivenMs(state, at);
  state.epochBegan = null;
  state.personSince = null;
}

function unexpected(line: JournalLine, node: StepNode): Error {
  return new Error(`${line.event} (seq ${line.seq}) can not follow: ${node.step.id} is ${node.state.status}`);
}
