import type { Action, Situation } from "../core/action.ts";
import { decide } from "../core/decide.ts";
import type { AttemptRecord, RunEvent } from "../core/event.ts";
import { evaluate, expressionReferences } from "../core/expression.ts";
import { fold } from "../core/fold.ts";
import type { JsonObject } from "../core/json.ts";
import { mayRetry } from "../core/retry.ts";
import { initialState, nodeAt, type RunState, type StepNode } from "../core/state.ts";
import type { Workflow } from "../core/workflow.ts";
import { expressionScope } from "../steps/scope.ts";
import { PLACEHOLDERS } from "./canon-places.ts";
import { Comparison } from "./replay-compare.ts";
import { Diverged, type Findings } from "./replay-difference.ts";
import { endsEarly, otherEnd, otherWay, stuck, TARGETS } from "./replay-divergence.ts";
import { endingText, Left } from "./replay-left.ts";
import { AT, type Entry, type Recorded, type Stretch } from "./replay-record.ts";
import { PLACES } from "./replay-texts.ts";

export interface ReplayParts {
  readonly recorded: Recorded;
  readonly present: Workflow;
  /** The definition that the record was made with. */
  readonly before: Workflow;
  readonly inputs: JsonObject;
  readonly folder: string;
}

export interface Counts {
  attempts: number;
  skipped: number;
  decisions: number;
  /** Attempts of the record that count for nothing: interrupted, canceled, not run. */
  passedOver: number;
}

const NOW = Date.parse(AT);
/**
 * Drives the present definition with every attempt answered from the record. What ran at the same time may end in any
 * order: here what lets the run go on ends first, so that nothing depends on times, which the record does not have.
 */
export class ReplayDrive {
  readonly counts: Counts = { attempts: 0, skipped: 0, decisions: 0, passedOver: 0 };
  readonly state: RunState;
  readonly #parts: ReplayParts;
  readonly #findings: Findings;
  readonly #comparison: Comparison;
  #left: Left;
  #isCanceled = false;
  #isLate = false;
  #isOver = false;
  /** Started and not ended, with what the record says of it. */
  readonly #open = new Map<number, AttemptRecord | null>();
  /** Due, and the record has nothing of it: it may be that it had not been reached when the run ended. */
  readonly #withheld = new Map<number, Action>();

  constructor(parts: ReplayParts, findings: Findings) {
    this.#parts = parts;
    this.#findings = findings;
    this.state = initialState(parts.present);
    this.#comparison = new Comparison({ ...parts, files: parts.recorded.files }, findings);
    this.#left = this.#leftOf(NOTHING);
  }

  /** Until the end of the record, or until nothing fits any more. */
  run(): void {
    const { recorded, present, inputs } = this.#parts;
    const { limits } = present;
    this.#say({
      ...recorded.created,
      inputs,
      limits: {
        max_total_iterations: limits.maxTotalIterations,
        ...(limits.runTimeoutMs !== undefined && { run_timeout_ms: limits.runTimeoutMs }),
      },
    });
    try {
      for (const stretch of recorded.stretches) this.#replay(stretch);
    } catch (error) {
      if (!(error instanceof Diverged)) throw error;
    }
  }

  #replay(stretch: Stretch): void {
    const { from } = stretch.started;
    if (from !== undefined && !this.state.indexOf.has(from)) {
      throw this.#findings.gone(from, `resumed from ${from}`, "it can not be resumed from there");
    }
    this.#say(stretch.started);
    this.#left = this.#leftOf(stretch);
    this.#isCanceled = false;
    this.#isLate = false;
    this.#isOver = false;
    this.#withheld.clear();
    for (;;) {
      let moved = false;
      for (const action of decide(this.state, this.#situation())) moved = this.#perform(action) || moved;
      if (this.#isOver) break;
      if (!moved && !this.#answer() && !this.#intervene()) break;
    }
    if (!this.#isOver) this.#stuck();
    this.#left.passOverRest();
    this.counts.passedOver += this.#left.passedOver;
  }

  #leftOf(stretch: Stretch): Left {
    return new Left(stretch, new Map(this.#parts.present.steps.map((step) => [step.id, step])));
  }

  #situation(): Situation {
    const limit = this.state.limits.run_timeout_ms ?? 0;
    return {
      now: this.#isLate ? NOW + limit : NOW,
      slots: Number.POSITIVE_INFINITY,
      signal: null,
      stay: true,
      when: (node) => this.#when(node),
    };
  }

  /** The environment of the engine is in no record: what depends on it is taken to be as it was. */
  #when(node: StepNode): { is: boolean } | { error: string } {
    const { when, id } = node.step;
    if (!when) return { is: true };
    const names = expressionReferences(when.source).filter(({ segments }) => segments[0] === "env");
    const own = this.state.workflow.env;
    if (names.some(({ segments: [, name] }) => name === undefined || !Object.hasOwn(own, name))) {
      return { is: this.#left.next(id)?.kind !== "skip" };
    }
    const seen = this.#seenFrom(this.#left.next(id)?.at);
    try {
      return { is: evaluate(when, expressionScope(seen, PLACES, node, when, {})) };
    } catch (error) {
      return { error: (error as Error).message };
    }
  }

  /** The state as it was at a place of the record; at its end if none is given. */
  #seenFrom(at = Number.POSITIVE_INFINITY): RunState {
    return this.#parts.recorded.changes.asOf(this.state, at);
  }

  /** True if it changed something. */
  #perform(action: Action): boolean {
    switch (action.do) {
      case "start":
      case "skip":
        return this.#begin(action);
      case "transition":
        return this.#move(action);
      case "schedule_retry": {
        const { index, attempt, because } = action;
        const { id: step } = nodeAt(this.state, index).step;
        this.#say({ event: "retry_scheduled", step, attempt, because, volatile: { notBefore: AT } });
        return true;
      }
      case "stop":
        return this.#stop(action.index);
      case "finally":
        return this.#lastSteps(action);
      case "end":
        return this.#finish(action);
      case "foreach":
      case "resume":
      case "wait":
        return false;
      default:
        return action satisfies never;
    }
  }

  #begin(action: Action & { do: "start" | "skip" }): boolean {
    const node = nodeAt(this.state, action.index);
    const { id } = node.step;
    const entry = this.#left.next(id);
    if (!entry) {
      this.#withheld.set(action.index, action);
      return false;
    }
    const isSkip = action.do === "skip";
    if ((entry.kind === "skip") !== isSkip) {
      throw this.#findings.diverged({
        kind: "path",
        step: id,
        message: isSkip ? `${id} is skipped, and ran` : `${id} runs, and was skipped`,
        expected: entry.kind === "skip" ? `skipped: ${entry.because}` : `attempt ${entry.attempt}`,
        actual: action.do === "skip" ? `skipped: ${action.because}` : "it runs",
        keys: ["when"],
      });
    }
    this.#comparison.needs(node);
    this.#left.take(id);
    if (entry.kind === "attempt" && action.do === "start") this.#start(node, action, entry);
    if (entry.kind === "skip") {
      this.#say({ event: "step_skipped", step: id, because: entry.because });
      this.counts.skipped += 1;
    }
    return true;
  }

  #start(node: StepNode, { cause, whenError }: Action & { do: "start" }, entry: Entry & { kind: "attempt" }) {
    const { id } = node.step;
    const { attempt, record } = entry;
    const failed = record?.error?.code === "WHEN_ERROR";
    if ((whenError !== undefined) !== failed) {
      throw this.#findings.diverged({
        kind: "path",
        step: id,
        attempt,
        message: `the when of ${id} comes to something else`,
        expected: failed ? String(record?.error?.message) : "when has a value",
        actual: whenError === undefined ? "when has a value" : `when: ${whenError}`,
        keys: ["when"],
      });
    }
    if (whenError === undefined) {
      const { at } = entry;
      const isReplaced = (file: string) => this.#parts.recorded.changes.isReplaced(file, at);
      this.#comparison.texts(this.#seenFrom(at), node, attempt, record, isReplaced);
    }
    this.#say({ event: "attempt_started", step: id, attempt, cause });
    this.#open.set(node.step.index, record);
    this.counts.attempts += 1;
  }

  #move(action: Action & { do: "transition" }): boolean {
    const recorded = this.#left.transition;
    const { from, to, because } = action;
    if (!recorded) {
      if (this.#left.stretch.end === null) return false;
      const message = `${from} is followed by ${to}`;
      const expected = this.#left.describe();
      throw this.#findings.diverged({
        kind: "path",
        step: from,
        message,
        expected,
        actual: to,
        keys: TARGETS,
      });
    }
    const isSame = recorded.from === from && recorded.to === to && recorded.because.code === because.code;
    if (!isSame) throw otherWay(this.#findings, recorded, action);
    this.#left.takeTransition();
    this.#say({ event: "transition", from, to, because });
    return true;
  }

  /** The engine stops what runs when the run comes to an end of another kind. */
  #stop(index: number): boolean {
    const { step, attempts: attempt } = nodeAt(this.state, index);
    const error = { code: "CANCELED", message: "stopped" };
    this.#open.delete(index);
    this.#end({ step: step.id, attempt, cause: "first", status: "canceled", error, outputs: {} });
    return true;
  }

  #lastSteps({ status, reason }: Action & { do: "finally" }): boolean {
    const { lastSteps, end } = this.#left.stretch;
    if (!lastSteps && end === null) return false;
    const actual = endingText(status, reason);
    const expected = lastSteps ? endingText(lastSteps.status, lastSteps.reason) : "no finally steps";
    if (actual !== expected)
      throw otherEnd(this.#findings, { expected, actual, step: reason?.step, key: "finally" });
    this.#say({ event: "finally_started", status, ...(reason && { reason }) });
    return true;
  }

  #finish({ status, reason }: Action & { do: "end" }): boolean {
    const { end } = this.#left.stretch;
    if (this.#left.first() || this.#left.transition)
      throw endsEarly(this.#findings, this.#left, this.state, endingText(status, reason));
    if (end === null) return false;
    const outputs = status === "succeeded" ? this.#comparison.outputs(this.#seenFrom()) : {};
    const ends =
      outputs === null ? endingText("failed", { code: "RUN_OUTPUT_ERROR" }) : endingText(status, reason);
    const expected = endingText(end.status, end.reason);
    if (ends !== expected) {
      throw otherEnd(this.#findings, {
        expected,
        actual: ends,
        step: reason?.step ?? end.reason?.step,
        key: outputs === null ? "outputs" : "on_failure",
      });
    }
    if (outputs !== null) this.#comparison.runOutputs(end.outputs, outputs);
    this.#say({ ...end });
    this.#isOver = true;
    return true;
  }

  /** Ends attempts as the record says; true if there was one. */
  #answer(): boolean {
    const answers = [...this.#open].flatMap(([index, record]) => (record ? [{ index, record }] : []));
    const isLast = ({ index, record }: (typeof answers)[number]) =>
      endsAll(nodeAt(this.state, index), record);
    const last = answers.filter(isLast);
    const others = last.length === 0 ? answers : answers.filter((answer) => !isLast(answer));
    const { lastSteps, end } = this.#left.stretch;
    const root = (lastSteps?.reason ?? end?.reason)?.step;
    const first = last.find(({ record }) => record.step === root) ?? last[0];
    const now = others.length > 0 ? others : first ? [first] : [];
    for (const { index, record } of now) {
      this.#open.delete(index);
      const answer = this.#comparison.answer(nodeAt(this.state, index), record);
      if (answer.decision) this.counts.decisions += 1;
      this.#end(answer);
    }
    return now.length > 0;
  }

  /** What came from outside, and is not to be had from attempts. */
  #intervene(): boolean {
    const { cancel, end, lastSteps } = this.#left.stretch;
    if (cancel && !this.#isCanceled) {
      this.#isCanceled = true;
      this.#say({ ...cancel });
      return true;
    }
    const reason = lastSteps?.reason ?? end?.reason;
    if (reason?.code !== "RUN_TIMEOUT" || this.#isLate) return false;
    this.#isLate = true;
    return this.state.limits.run_timeout_ms !== undefined;
  }

  /** Nothing is left to answer, and the run has not ended. */
  #stuck(): void {
    const left = this.#left.first();
    const { stretch } = this.#left;
    if (!left && stretch.end === null && stretch === this.#parts.recorded.stretches.at(-1)) return;
    const due = [...this.#withheld].map(([index, action]) => ({ node: nodeAt(this.state, index), action }));
    throw stuck(this.#findings, this.#left, due);
  }

  #end(record: AttemptRecord): void {
    const volatile = { startedAt: AT, endedAt: AT, stdoutBytes: 0, stderrBytes: 0 };
    this.#say({ event: "attempt_ended", record, volatile });
  }

  #say(event: RunEvent): void {
    const head = { seq: this.state.seq + 1, at: AT, epoch: 1, run: PLACEHOLDERS.runId };
    fold(this.state, { ...event, ...head });
  }
}

/** Whether nothing new starts after it, so that whatever else runs comes first. */
function endsAll({ step, failures }: StepNode, { status, error, decision }: AttemptRecord): boolean {
  if (status === "succeeded") {
    if (!step.gate || !decision) return false;
    const target = decision === "reject" ? step.gate.onReject : step.gate.onApprove;
    return target ? target.to !== "step" : decision === "reject";
  }
  if (status !== "interrupted" && mayRetry(step.retry, failures + 1, error?.code ?? "")) return false;
  return !step.allowFailure;
}

/** Before the first stretch. */
const NOTHING: Stretch = {
  started: {
    event: "engine_started",
    seq: 1,
    at: AT,
    epoch: 1,
    run: PLACEHOLDERS.runId,
    how: "start",
    version: "",
    volatile: { pid: 0, host: "", machineId: "", pidNamespace: "", project: "" },
  },
  entries: new Map(),
  transitions: [],
  cancel: null,
  lastSteps: null,
  end: null,
};
