/* What a journal says about a run, worked out from the documented format, apart from the program. */
import type { Definition, Line, Loose, Step } from "./read.ts";

export interface FoldedStep {
  readonly step: Step;
  status: string;
  attempts: number;
  failures: number;
  outputs: Loose;
  error: Loose;
  because: string | null;
  /** The attempt that has started and not ended. */
  open: number | null;
  /** Gates: the newest decision since the step was entered. */
  decision: string | null;
  /** An engine, that of `epoch`, has begun to stop the open attempt. */
  stopping: { because: string; epoch: number } | null;
  /** With `foreach`: as many as the list has; null until it is frozen. */
  items: FoldedStep[] | null;
  /** Of an earlier and longer list. */
  spare: FoldedStep[];
}

export interface Folded {
  status: string;
  reason: Loose;
  inputs: Loose;
  outputs: Loose;
  iterations: number;
  steps: Map<string, FoldedStep>;
  /** Sequences: the step, `done` or `fail` that is next. Graphs: `done` or `fail` if a gate said so. */
  cursor: string;
  cameFrom: string | null;
  /** How the run is about to end, while its `finally` steps run. */
  ending: Loose;
  seq: number;
  epoch: number;
  /** What can not follow what came before. */
  impossible: string[];
}

const CHANGES: Readonly<Record<string, readonly string[]>> = {
  queued: ["running", "failed", "canceled"],
  running: ["waiting", "succeeded", "failed", "canceled"],
  waiting: ["running", "failed", "canceled"],
  succeeded: [],
  failed: ["running"],
  canceled: ["running"],
};

/** A further attempt would only repeat these. */
const FINAL = ["WHEN_ERROR", "TEMPLATE_ERROR", "SHELL_NOT_FOUND", "CWD_NOT_FOUND", "INTERRUPTED"];

export function fold(
  definition: Definition,
  lines: readonly Line[],
  onLine?: (line: Line, before: Folded) => void,
): Folded {
  const state: Folded = {
    status: "queued",
    reason: null,
    inputs: {},
    outputs: {},
    iterations: 0,
    steps: new Map(definition.steps.map((step) => [step.id, fresh(step)])),
    cursor: definition.steps[0]?.id ?? "done",
    cameFrom: null,
    ending: null,
    seq: 0,
    epoch: 0,
    impossible: [],
  };
  for (const line of lines) {
    onLine?.(line, state);
    apply(definition, state, line);
    state.seq = line.seq;
    state.epoch = line.epoch;
  }
  return state;
}

export function isPassed(step: FoldedStep): boolean {
  const { status } = step;
  return status === "succeeded" || status === "skipped" || (status === "failed" && step.step.allowFailure);
}

function fresh(step: Step): FoldedStep {
  const blank = { status: "pending", attempts: 0, failures: 0, outputs: {}, error: null, because: null };
  return { step, ...blank, open: null, decision: null, stopping: null, items: null, spare: [] };
}

/** The step that a line is of, or the item. */
export function unitOf(state: Folded, { step, item }: Loose): FoldedStep | undefined {
  const found = state.steps.get(step);
  return item === undefined ? found : found?.items?.[item];
}

/** What a step with `foreach` is by its items. */
export function statusByItems({ items }: FoldedStep): string {
  const has = (status: string) => items?.some((item) => item.status === status);
  return ["running", "waiting", "retrying"].find(has) ?? "pending";
}

function apply(definition: Definition, state: Folded, line: Line): void {
  const about = line.record ?? line;
  const named = line.from === undefined ? unitOf(state, about) : state.steps.get(line.from);
  switch (line.event) {
    case "run_created":
      state.inputs = line.inputs;
      return;
    case "engine_started":
      startEngine(definition, state, line);
      return;
    case "attempt_started":
      if (!named) {
        complain(state, line, "names no step of the definition");
        return;
      }
      if (!named.step.last && line.item === undefined) state.iterations += 1;
      Object.assign(named, { open: line.attempt, error: null, because: null, stopping: null });
      named.status = named.step.approval ? "waiting" : "running";
      named.attempts = Math.max(named.attempts, line.attempt);
      return;
    case "foreach_started":
      if (!named?.step.foreach || named.status !== "pending")
        complain(state, line, `freezes the list of a step that is ${named?.status}`);
      else startForeach(definition, state, named, line);
      return;
    case "attempt_waiting":
      if (named?.status !== "running" || named.open !== line.attempt)
        complain(state, line, "says that an attempt waits that does not run");
      else named.status = "waiting";
      return;
    case "attempt_resumed":
      if (named?.status !== "waiting" || named.open !== line.attempt)
        complain(state, line, "goes on with an attempt that does not wait");
      else named.status = "running";
      return;
    case "attempt_stopping":
      if (!named || named.open !== line.attempt) complain(state, line, "stops an attempt that is not open");
      else named.stopping = { because: line.because, epoch: line.epoch };
      return;
    case "decision":
      if (named?.status !== "waiting" || named.open !== line.attempt)
        complain(state, line, "decides a gate that is not open");
      return;
    case "finally_started":
      if (state.ending !== null) complain(state, line, "comes after another one");
      state.ending = { status: line.status, reason: line.reason ?? null };
      return;
    case "attempt_ended":
      if (!named) {
        complain(state, line, "names no step of the definition");
        return;
      }
      endAttempt(definition, state, named, line);
      settleItems(definition, state, about);
      return;
    case "retry_scheduled":
      if (named?.status !== "retrying")
        complain(state, line, `schedules a retry of a step that is ${named?.status}`);
      return;
    case "step_skipped":
      if (named) Object.assign(named, { status: "skipped", because: line.because, outputs: {}, error: null });
      settleItems(definition, state, about);
      return;
    case "transition": {
      state.cameFrom = line.from;
      state.cursor = line.to;
      const target = state.steps.get(line.to);
      if (target) enter(target);
      return;
    }
    case "input_changed":
      if (JSON.stringify(state.inputs[line.what] ?? null) !== JSON.stringify(line.old))
        complain(state, line, `changes the input ${line.what} from what it was not`);
      state.inputs = { ...state.inputs, [line.what]: line.new };
      return;
    case "run_waiting":
      setStatus(state, line, "waiting");
      state.reason = line.reason;
      return;
    case "run_ended":
      setStatus(state, line, line.status);
      state.reason = line.reason ?? null;
      state.outputs = line.outputs;
      state.ending = null;
      return;
    default:
      return;
  }
}

function startEngine(definition: Definition, state: Folded, line: Line): void {
  const was = state.status;
  if (was !== "running") setStatus(state, line, "running");
  state.reason = null;
  state.outputs = {};
  if (typeof line.from === "string") redo(definition, state, line.from);
  if (was === "queued" || was === "running") return;
  // What was sent to `done` is done, whatever became of the `finally` steps.
  if (state.cursor === "fail" && !state.steps.has("fail") && state.cameFrom !== null && was !== "waiting") {
    state.cursor = state.cameFrom;
    const last = state.steps.get(state.cameFrom);
    if (last) enter(last);
  }
  for (const step of state.steps.values()) {
    const reopens = (one: FoldedStep) =>
      (one.status === "failed" && !one.step.allowFailure && was !== "waiting") || one.status === "canceled";
    if (step.items && (reopens(step) || step.status === "iterating")) {
      for (const item of step.items) if (reopens(item)) enter(item);
      Object.assign(step, { status: "iterating", outputs: {}, error: null });
    } else if (reopens(step) || (step.step.last && was !== "waiting")) enter(step);
  }
}

/** The step is done once for each item; attempts go on by number if it was done before. */
function startForeach(definition: Definition, state: Folded, step: FoldedStep, line: Line): void {
  const known = [...(step.items ?? []), ...step.spare];
  const items = line.items.map((_: Loose, index: number) => known[index] ?? fresh(step.step));
  for (const item of items) enter(item);
  Object.assign(step, { items, spare: known.slice(items.length), status: "iterating" });
  if (!step.step.last) state.iterations += 1;
  settleItems(definition, state, { step: line.step, item: 0 });
}

/** A step with `foreach` is over when none of its items is open, or one has failed and none runs. */
function settleItems(definition: Definition, state: Folded, { step: id, item }: Loose): void {
  const step = state.steps.get(id);
  if (item === undefined || !step?.items || step.status !== "iterating") return;
  const count = (...statuses: string[]) =>
    step.items?.filter(({ status }) => statuses.includes(status)).length ?? 0;
  if (count("running", "waiting") > 0) return;
  const open = count("pending", "retrying") > 0;
  const failed = count("failed");
  const stops = failed > 0 && !step.step.allowFailure && !definition.keepsGoing;
  if (stops || (failed > 0 && !open && count("canceled") === 0)) {
    const first = step.items.find(({ status }) => status === "failed");
    Object.assign(step, { status: "failed", error: first?.error });
  } else if (count("canceled") > 0) step.status = "canceled";
  else if (!open) step.status = "succeeded";
  if (step.status === "succeeded" || (step.status === "failed" && step.step.allowFailure))
    step.outputs = listsOf(step);
}

function listsOf({ step, items }: FoldedStep): Loose {
  const keys = new Set([...step.outputs, ...(items ?? []).flatMap(({ outputs }) => Object.keys(outputs))]);
  return Object.fromEntries(
    [...keys].map((key) => {
      const found = (items ?? []).map(({ outputs }) => outputs[key] ?? null);
      const values = found.every((output) => output === null || "value" in output);
      return [key, values ? { value: found.map((output) => output?.value ?? null) } : { list: found }];
    }),
  );
}

function redo(definition: Definition, state: Folded, from: string): void {
  const first = state.steps.get(from)?.step.index ?? 0;
  const again = new Set([from]);
  if (definition.shape === "sequence") {
    for (const step of definition.steps.slice(first)) if (!step.last) again.add(step.id);
    state.cursor = from;
  } else {
    for (let size = 0; size < again.size; ) {
      size = again.size;
      for (const step of definition.steps) if (step.needs.some((need) => again.has(need))) again.add(step.id);
    }
  }
  for (const id of again) {
    const step = state.steps.get(id);
    if (step) enter(step);
  }
}

function enter(step: FoldedStep): void {
  const blank = { failures: 0, outputs: {}, error: null, because: null, decision: null };
  const spare = [...(step.items ?? []), ...step.spare];
  Object.assign(step, { status: "pending", ...blank, items: null, spare });
}

function endAttempt(definition: Definition, state: Folded, step: FoldedStep, line: Line): void {
  const { record } = line;
  const { stopping } = step;
  Object.assign(step, { open: null, stopping: null });
  const uncounted = ["interrupted", "not_run", "canceled"].includes(record.status);
  if (uncounted && !step.step.last && record.item === undefined) state.iterations -= 1;
  switch (record.status) {
    case "succeeded":
      succeed(definition, state, step, record);
      return;
    case "failed":
    case "timed_out":
      step.failures += 1;
      step.error = record.error;
      step.status =
        step.failures <= step.step.retries && !FINAL.includes(record.error?.code) ? "retrying" : "failed";
      if (step.status === "failed") step.outputs = {};
      return;
    case "interrupted":
      if (step.step.onInterrupt === "fail") {
        Object.assign(step, { status: "failed", error: record.error, outputs: {} });
      } else step.status = "pending";
      return;
    case "not_run":
      step.status = "pending";
      return;
    case "canceled": {
      // A resume has come already since the engine that stopped it for a signal; a stale gate is asked again.
      const goesOn = stopping?.because === "SIGNAL" && stopping.epoch < line.epoch;
      step.status = goesOn || record.error?.code === "STALE" ? "pending" : "canceled";
      return;
    }
    default:
      state.impossible.push(`attempt ${record.attempt} of ${record.step} ended as ${record.status}`);
  }
}

/** A rejection that leads nowhere is a failure; in a graph a decision may lead to an end of the run. */
function succeed(definition: Definition, state: Folded, step: FoldedStep, record: Loose): void {
  const { gate, onApprove, onReject, id } = step.step;
  step.decision = record.decision ?? null;
  step.outputs = record.outputs;
  step.status = "succeeded";
  if (!gate) return;
  const target = record.decision === "reject" ? onReject : onApprove;
  if (record.decision === "reject" && target === null) {
    Object.assign(step, { status: "failed", error: { code: "REJECTED" } });
  } else if (definition.shape === "graph" && target !== null) {
    Object.assign(state, { cursor: target, cameFrom: id });
  }
}

function setStatus(state: Folded, line: Line, to: string): void {
  if (!CHANGES[state.status]?.includes(to))
    complain(state, line, `takes the run from ${state.status} to ${to}`);
  state.status = to;
}

function complain(state: Folded, line: Line, what: string): void {
  state.impossible.push(`line ${line.seq} (${line.event}) ${what}`);
}
