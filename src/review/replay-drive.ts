import type { Action, Situation } from "../core/action.ts";
import { decide } from "../core/decide.ts";
import type { AttemptRecord, RunEvent } from "../core/event.ts";
import { fold } from "../core/fold.ts";
import { initialState } from "../core/initial-state.ts";
import type { JsonObject } from "../core/json.ts";
import { nodeAt, placeOf, type RunState } from "../core/state.ts";
import type { Workflow } from "../core/workflow.ts";
import { endsNow } from "./replay-answers.ts";
import { type Beginning, Beginnings } from "./replay-begin.ts";
import { Comparison } from "./replay-compare.ts";
import type { Definition } from "./replay-definition.ts";
import { Diverged, type Findings } from "./replay-difference.ts";
import { endsEarly, notFollowed, otherEnd, otherWay, stuck } from "./replay-divergence.ts";
import { endingText, Left } from "./replay-left.ts";
import { AT, NO_STRETCH, type Recorded, type Stretch } from "./replay-record.ts";
import type { TextComparison } from "./replay-texts.ts";

export interface ReplayParts {
  readonly recorded: Recorded;
  /** As messages call the record. */
  readonly name: string;
  readonly present: Definition;
  /** The definition that the record was made with. */
  readonly before: Definition;
  readonly inputs: JsonObject;
  /** Where the record stands. */
  readonly folder: string;
  readonly texts: TextComparison;
  /** The run's folder, as templates show it, when it came to that place of its journal. */
  runDirAt(at: number): string;
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
  readonly #beginnings: Beginnings;
  #left: Left;
  #hasDiverged = false;
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
    const { recorded, present, before, texts } = parts;
    this.state = initialState(unbounded(present.workflow));
    const workflows = { present: present.workflow, before: before.workflow };
    this.#comparison = new Comparison({ ...workflows, texts, files: recorded.files }, findings);
    const { state, counts } = this;
    this.#beginnings = new Beginnings(parts, { state, comparison: this.#comparison, findings, counts });
    this.#left = this.#leftOf(NO_STRETCH);
  }

  /** It has come to an end, and that of the record. */
  get isWhole(): boolean {
    return this.#isOver && !this.#hasDiverged;
  }

  /** Until the end of the record, or until nothing fits any more. */
  run(): void {
    const { recorded, present, inputs } = this.#parts;
    const { limits } = present.workflow;
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
      this.#hasDiverged = true;
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
    return new Left(stretch, new Map(this.#parts.present.workflow.steps.map((step) => [step.id, step])));
  }

  #situation(): Situation {
    const limit = this.state.limits.run_timeout_ms ?? 0;
    return {
      now: this.#isLate ? NOW + limit : NOW,
      slots: Number.POSITIVE_INFINITY,
      signal: null,
      stay: true,
      when: (node) => this.#beginnings.when(node, this.#left),
    };
  }

  /** True if it changed something. */
  #perform(action: Action): boolean {
    switch (action.do) {
      case "start":
      case "skip":
      case "foreach":
        return this.#begin(action);
      case "transition":
        return this.#move(action);
      case "schedule_retry": {
        const { index, attempt, because } = action;
        const place = placeOf(nodeAt(this.state, index));
        this.#say({ event: "retry_scheduled", ...place, attempt, because, volatile: { notBefore: AT } });
        return true;
      }
      case "stop":
        return this.#stop(action.index);
      case "finally":
        return this.#lastSteps(action);
      case "end":
        return this.#finish(action);
      case "resume":
      case "wait":
        // Whoever was waited for has come, or the record ends.
        return false;
      default:
        return action satisfies never;
    }
  }

  #begin(action: Beginning): boolean {
    const { index } = action;
    const begun = this.#beginnings.begin(action, this.#left);
    if (begun === null) {
      this.#withheld.set(index, action);
      return false;
    }
    this.#left.take(placeOf(nodeAt(this.state, index)));
    this.#say(begun.event);
    if (begun.answer !== undefined) this.#open.set(index, begun.answer);
    return true;
  }

  #move(action: Action & { do: "transition" }): boolean {
    const recorded = this.#left.transition;
    const { from, to, because } = action;
    if (!recorded) {
      if (this.#left.stretch.end === null || this.#isInterfered) return false;
      throw notFollowed(this.#findings, this.#left, action);
    }
    const isSame = recorded.from === from && recorded.to === to && recorded.because.code === because.code;
    if (!isSame) throw otherWay(this.#findings, recorded, action);
    this.#left.takeTransition();
    this.#say({ event: "transition", from, to, because });
    return true;
  }

  /** The engine stops what runs when the run comes to an end of another kind. */
  #stop(index: number): boolean {
    const node = nodeAt(this.state, index);
    const error = { code: "CANCELED", message: "stopped" };
    this.#open.delete(index);
    const name = { ...placeOf(node), attempt: node.attempts };
    this.#end({ ...name, cause: "first", status: "canceled", error, outputs: {} });
    return true;
  }

  #lastSteps({ status, reason }: Action & { do: "finally" }): boolean {
    const { lastSteps, end } = this.#left.stretch;
    if (!lastSteps && end === null) return false;
    const actual = endingText(status, reason);
    const expected = lastSteps ? endingText(lastSteps.status, lastSteps.reason) : "no finally steps";
    if (actual !== expected) {
      if (this.#isInterfered) return false;
      throw otherEnd(this.#findings, { expected, actual, step: reason?.step, key: "finally" });
    }
    this.#say({ event: "finally_started", status, ...(reason && { reason }) });
    return true;
  }

  #finish({ status, reason }: Action & { do: "end" }): boolean {
    const { end } = this.#left.stretch;
    if (this.#left.first() || this.#left.transition)
      throw endsEarly(this.#findings, this.#left, this.state, endingText(status, reason));
    if (end === null) return false;
    const expected = endingText(end.status, end.reason);
    if (this.#isInterfered && endingText(status, reason) !== expected) return false;
    const outputs = status === "succeeded" ? this.#comparison.outputs(this.#beginnings.seenFrom()) : {};
    const ends =
      outputs === null ? endingText("failed", { code: "RUN_OUTPUT_ERROR" }) : endingText(status, reason);
    if (ends !== expected) {
      throw otherEnd(this.#findings, {
        expected,
        actual: ends,
        step: reason?.step ?? end.reason?.step,
        key: outputs === null ? "outputs" : "on_failure",
      });
    }
    const isSame = outputs === null || this.#comparison.runOutputs(end.outputs, outputs);
    this.#say({ ...end, outputs: isSame ? end.outputs : outputs });
    this.#isOver = true;
    return true;
  }

  /** Ends attempts as the record says; true if there was one. */
  #answer(): boolean {
    const now = endsNow(this.state, this.#open, this.#left.stretch);
    for (const { index, record } of now) {
      this.#open.delete(index);
      const answer = this.#comparison.answer(nodeAt(this.state, index), record);
      if (answer.decision) this.counts.decisions += 1;
      this.#end(answer);
    }
    return now.length > 0;
  }

  /** Something comes from outside yet: it may have been there before the run went on from what had just ended. */
  get #isInterfered(): boolean {
    const { cancel, end, lastSteps } = this.#left.stretch;
    if (cancel && !this.#isCanceled) return true;
    return (lastSteps?.reason ?? end?.reason)?.code === "RUN_TIMEOUT" && !this.#isLate;
  }

  /** What came from outside, and is not to be had from attempts. */
  #intervene(): boolean {
    if (!this.#isInterfered) return false;
    const { cancel } = this.#left.stretch;
    if (cancel && !this.#isCanceled) {
      this.#isCanceled = true;
      this.#say({ ...cancel });
      return true;
    }
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
    const head = { seq: this.state.seq + 1, at: AT, epoch: 1, run: this.#parts.recorded.runId };
    fold(this.state, { ...event, ...head });
  }
}

/** How many run at once changes no meaning; here what the record has begins as soon as it may. */
function unbounded(workflow: Workflow): Workflow {
  const pools = Object.keys(workflow.pools).map((name) => [name, Number.POSITIVE_INFINITY] as const);
  return { ...workflow, pools: Object.fromEntries(pools) };
}
