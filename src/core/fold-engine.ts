import type { JournalLine } from "./event.ts";
import { reopenItems } from "./fold-fan.ts";
import { enter } from "./fold-step.ts";
import { retryDelay } from "./retry.ts";
import { setStatus } from "./run-status.ts";
import { drivenMs, isFinally, isPassed, nodeAt, nodeOf, type RunState } from "./state.ts";

export function startEngine(
  state: RunState,
  line: JournalLine & { event: "engine_started" },
  at: number,
): void {
  const was = state.status;
  if (was !== "running") setStatus(state, "running");
  if (state.epochBegan !== null) closeEpoch(state, state.lastEventAt);
  state.epochBegan = at;
  // What a fork shares was done in another run.
  if (line.how === "fork") state.startedAt = line.at;
  state.startedAt ??= line.at;
  state.endedAt = null;
  state.waitingUntil = null;
  state.reason = null;
  state.outputs = {};
  state.project = line.volatile.project;
  state.reuse = line.volatile.reuse ?? state.reuse;
  state.answers = line.volatile.answers ?? state.answers;
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
  // What was done stays done, even if what came after it failed.
  if (state.cursor === "fail" && state.cameFrom !== null && was !== "waiting") {
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
    const isOpen = status === "canceled" || status === "iterating";
    if (isOpen && node.fan && node.fan.size > 0) reopenItems(state, node, node.fan, was !== "waiting");
    else if (failed || status === "canceled") enter(state, node, "resume");
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
    nodeAt(state, first).afresh = true;
    return;
  }
  for (const index of descendants(state, first)) enter(state, nodeAt(state, index), "redo");
  nodeAt(state, first).afresh = true;
  for (const node of state.steps) {
    node.unmet = node.step.needs.filter((need) => !isPassed(nodeAt(state, need).state)).length;
  }
  state.due.clear();
  for (const node of state.steps) {
    if (node.state.status === "pending" && node.unmet === 0) state.due.add(node.index);
  }
}

/** The step itself, and every step that needs it, directly or not. */
export function descendants(state: Pick<RunState, "dependents">, first: number): Set<number> {
  const found = new Set([first]);
  for (const index of found) for (const next of state.dependents[index] ?? []) found.add(next);
  return found;
}

/** Time in which an engine stays and waits for nothing but a person is taken out of what it drove. */
export function countPerson(state: RunState, at: number): void {
  const others = state.running.size + state.retrying.size + state.due.size;
  const onlyPerson = state.waiting.size > 0 && others === 0;
  if (onlyPerson) state.personSince ??= at;
  else if (state.personSince !== null) {
    state.drivenBefore -= Math.max(0, at - state.personSince);
    state.personSince = null;
  }
}

export function closeEpoch(state: RunState, at: number): void {
  state.drivenBefore = drivenMs(state, at);
  state.epochBegan = null;
  state.personSince = null;
}
