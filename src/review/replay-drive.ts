import type { Action, Situation } from "../core/action.ts";
import { decide } from "../core/decide.ts";
import { parseDecision } from "../core/decision.ts";
import type { AttemptRecord, JournalLine, RunEvent } from "../core/event.ts";
import { evaluate, expressionReferences } from "../core/expression.ts";
import { fold } from "../core/fold.ts";
import type { JsonObject } from "../core/json.ts";
import { mayRetry } from "../core/retry.ts";
import { initialState, nodeAt, type RunState, type StepNode } from "../core/state.ts";
import { renderTemplate, TemplateError } from "../core/template.ts";
import type { Step, Workflow } from "../core/workflow.ts";
import { expressionScope, pathsOf, runScope, stepScope } from "../steps/scope.ts";
import { PLACEHOLDERS } from "./canon-places.ts";
import type { Blame, Difference, DifferenceKind, Place } from "./replay-difference.ts";
import { AT, type Entry, type Recorded, type Stretch } from "./replay-record.ts";
import {
  type Given,
  NotWhole,
  PLACES,
  type Rendered,
  recordedText,
  render,
  TextComparison,
  type TextKind,
} from "./replay-texts.ts";

export interface ReplayParts {
  readonly recorded: Recorded;
  readonly present: Workflow;
  /** The definition that the record was made with. */
  readonly before: Workflow;
  readonly blame: Blame;
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

type Found = [
  kind: DifferenceKind,
  step: string | null,
  attempt: number | null,
  message: string,
  expected: string,
  actual: string,
  place: Place | null,
];

/** A point from which on nothing that the record says fits any more. */
class Diverged extends Error {}

const NOW = Date.parse(AT);
const KEYS_OF: Readonly<Record<TextKind, readonly string[]>> = {
  script: ["run", "env", "cwd"],
  prompt: ["prompt", "prompt_file", "env", "cwd"],
  context: ["outputs", "output_files"],
  gate: ["message"],
};
const TARGETS = ["next", "on_approve", "on_reject", "allow_failure", "when"];
const FAILING = ["retry", "limits", "allow_failure", "on_interrupt", "on_reject", "outputs"];

/**
 * Drives the present definition with every attempt answered from the record. What ran at the same time may end in any
 * order: here what lets the run go on ends first, so that nothing depends on times, which the record does not have.
 */
export class ReplayDrive {
  readonly differences: Difference[] = [];
  /** What could not be compared; sentences. */
  readonly notes: string[] = [];
  readonly counts: Counts = { attempts: 0, skipped: 0, decisions: 0, passedOver: 0 };
  readonly state: RunState;
  readonly #parts: ReplayParts;
  readonly #texts: TextComparison;
  readonly #before: ReadonlyMap<string, Step>;
  /** By step, what the record has not been asked for in this stretch. */
  #left = new Map<string, Entry[]>();
  #transition = 0;
  #isCanceled = false;
  #isLate = false;
  #isOver = false;
  /** Started and not ended, with what the record says of it. */
  readonly #open = new Map<number, AttemptRecord | null>();
  /** Due, and the record has nothing of it: it may be that it had not been reached when the run ended. */
  readonly #withheld = new Map<number, Action>();

  constructor(parts: ReplayParts) {
    this.#parts = parts;
    this.state = initialState(parts.present);
    this.#texts = new TextComparison([...new Set([...parts.present.redact, ...parts.before.redact])]);
    this.#before = new Map(parts.before.steps.map((step) => [step.id, step]));
  }

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
      for (const [index, stretch] of recorded.stretches.entries()) {
        this.#replay(stretch, index === recorded.stretches.length - 1);
      }
    } catch (error) {
      if (!(error instanceof Diverged)) throw error;
    }
  }

  #replay(stretch: Stretch, isLast: boolean): void {
    const { from } = stretch.started;
    if (from !== undefined && !this.state.indexOf.has(from)) {
      this.#diverge(
        "path",
        from,
        `the run was resumed from ${from}, which is no step any more`,
        from,
        "none",
      );
    }
    this.#say(stretch.started);
    this.#left = new Map([...stretch.entries].map(([step, entries]) => [step, [...entries]]));
    this.#transition = 0;
    this.#isCanceled = false;
    this.#isLate = false;
    this.#isOver = false;
    this.#withheld.clear();
    for (;;) {
      let moved = false;
      for (const action of decide(this.state, this.#situation())) {
        moved = this.#perform(action, stretch) || moved;
        if (this.#isOver) break;
      }
      if (this.#isOver) break;
      if (!moved && !this.#answer(stretch) && !this.#intervene(stretch)) break;
    }
    if (!this.#isOver) this.#stuck(stretch, isLast);
    this.#passOverRest();
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
    const { when } = node.step;
    if (!when) return { is: true };
    const names = expressionReferences(when.source).filter(({ segments }) => segments[0] === "env");
    const own = this.state.workflow.env;
    if (names.some(({ segments: [, name] }) => name === undefined || !Object.hasOwn(own, name))) {
      return { is: this.#next(node)?.kind !== "skip" };
    }
    try {
      return { is: evaluate(when, expressionScope(this.state, PLACES, node, when, {})) };
    } catch (error) {
      return { error: (error as Error).message };
    }
  }

  /** True if it changed something. */
  #perform(action: Action, stretch: Stretch): boolean {
    switch (action.do) {
      case "start":
      case "skip":
        return this.#begin(action);
      case "transition":
        return this.#move(action, stretch);
      case "schedule_retry": {
        const { index, attempt, because } = action;
        const { id: step } = nodeAt(this.state, index).step;
        this.#say({ event: "retry_scheduled", step, attempt, because, volatile: { notBefore: AT } });
        return true;
      }
      case "stop": {
        const node = nodeAt(this.state, action.index);
        const error = { code: "CANCELED", message: "stopped" };
        this.#open.delete(action.index);
        this.#end({
          step: node.step.id,
          attempt: node.attempts,
          cause: "first",
          status: "canceled",
          error,
          outputs: {},
        });
        return true;
      }
      case "finally":
        return this.#lastSteps(action, stretch);
      case "end":
        return this.#finish(action, stretch);
      case "wait":
        return false;
      default:
        return action satisfies never;
    }
  }

  #begin(action: Action & { do: "start" | "skip" }): boolean {
    const node = nodeAt(this.state, action.index);
    const { id } = node.step;
    const entry = this.#next(node);
    if (!entry) {
      this.#withheld.set(action.index, action);
      return false;
    }
    const isSkip = action.do === "skip";
    if ((entry.kind === "skip") !== isSkip) {
      const now = action.do === "skip" ? `skipped: ${action.because}` : "it runs";
      const then = entry.kind === "skip" ? `skipped: ${entry.because}` : `attempt ${entry.attempt}`;
      const message = isSkip ? `${id} is skipped, and ran` : `${id} runs, and was skipped`;
      this.#diverge("path", id, message, then, now, ["when"]);
    }
    this.#compareNeeds(node);
    this.#left.get(id)?.shift();
    if (entry.kind === "skip" || action.do === "skip") {
      this.#say({ event: "step_skipped", step: id, because: entry.kind === "skip" ? entry.because : "" });
      this.counts.skipped += 1;
      return true;
    }
    this.#start(node, action, entry);
    return true;
  }

  #start(
    node: StepNode,
    { cause, whenError }: Action & { do: "start" },
    { attempt, record }: Entry & { kind: "attempt" },
  ): void {
    const { id } = node.step;
    const code = record?.error?.code;
    if ((whenError !== undefined) !== (code === "WHEN_ERROR")) {
      const now = whenError === undefined ? "when can be evaluated" : `when: ${whenError}`;
      const then = code === "WHEN_ERROR" ? String(record?.error?.message) : "when could be evaluated";
      this.#diverge("path", id, `the when of ${id} comes to something else`, then, now, ["when"], attempt);
    }
    if (whenError === undefined) this.#compareTexts(node, attempt, record);
    this.#say({ event: "attempt_started", step: id, attempt, cause });
    this.#open.set(node.step.index, record);
    this.counts.attempts += 1;
  }

  #move(action: Action & { do: "transition" }, stretch: Stretch): boolean {
    const recorded = stretch.transitions[this.#transition];
    const { from, to, because } = action;
    if (!recorded) {
      if (stretch.end === null) return false;
      this.#diverge("path", from, `${from} is followed by ${to}`, this.#whatIsLeft(stretch), to, TARGETS);
    }
    const same = recorded.from === from && recorded.to === to && recorded.because.code === because.code;
    if (!same) this.#otherWay(recorded, action);
    this.#transition += 1;
    this.#say({ event: "transition", from, to, because });
    return true;
  }

  #otherWay(
    recorded: JournalLine & { event: "transition" },
    { from, to, because }: Action & { do: "transition" },
  ): never {
    const { blame } = this.#parts;
    const way = (a: string, b: string, why: string) => `${a} → ${b} (${why})`;
    const then = way(recorded.from, recorded.to, recorded.because.message);
    const now = way(from, to, because.message);
    const isStep = (name: string) => name !== "done" && name !== "fail";
    const message = `${from} is followed by ${to}, and was by ${recorded.to}`;
    if (isStep(recorded.to) && blame.isGone(recorded.to)) {
      const gone = `the step ${recorded.to} is not there any more`;
      this.#fail("path", recorded.to, null, gone, then, now, blame.step(recorded.to));
    }
    if (isStep(to) && blame.isNew(to)) {
      this.#fail("path", to, null, `the step ${to} is not in the record`, then, now, blame.step(to));
    }
    this.#diverge("path", from, message, then, now, TARGETS);
  }

  #lastSteps({ status, reason }: Action & { do: "finally" }, { lastSteps, end }: Stretch): boolean {
    if (!lastSteps && end === null) return false;
    const now = ending(status, reason);
    const then = lastSteps ? ending(lastSteps.status, lastSteps.reason) : "no finally steps";
    if (now !== then) {
      const message = "the run comes to its finally steps otherwise";
      this.#fail("end", null, null, message, then, now, this.#whyEnd(reason?.step, "finally"));
    }
    this.#say({ event: "finally_started", status, ...(reason && { reason }) });
    return true;
  }

  #finish({ status, reason }: Action & { do: "end" }, stretch: Stretch): boolean {
    const { end } = stretch;
    const left = this.#firstLeft();
    if (left || stretch.transitions.length > this.#transition)
      this.#endsEarly(stretch, ending(status, reason));
    if (end === null) return false;
    const outputs = status === "succeeded" ? this.#outputs() : {};
    const failed = typeof outputs === "string";
    const now = failed ? ending("failed", { code: "RUN_OUTPUT_ERROR" }) : ending(status, reason);
    const then = ending(end.status, end.reason);
    if (now !== then) {
      const place = failed ? this.#parts.blame.workflow("outputs") : this.#whyEnd(reason?.step, "on_failure");
      this.#fail("end", reason?.step ?? null, null, "the run ends otherwise", then, now, place);
    }
    if (!failed) this.#compareOutputs(end.outputs, outputs);
    this.#say({ ...end });
    this.#isOver = true;
    return true;
  }

  #endsEarly(stretch: Stretch, now: string): never {
    const left = this.#firstLeft();
    const { blame } = this.#parts;
    const then = this.#whatIsLeft(stretch);
    if (left && blame.isGone(left.step)) {
      const gone = `the step ${left.step} is not there any more`;
      this.#fail("path", left.step, attemptOf(left), gone, then, now, blame.step(left.step));
    }
    const { failed, cameFrom } = this.state;
    const culprit = failed.next() >= 0 ? failed.next() : cameFrom;
    const step = culprit === null ? left?.step : nodeAt(this.state, culprit).step.id;
    const message = "the run ends, and the record goes on";
    if (this.state.iterations >= this.state.limits.max_total_iterations && culprit === null) {
      this.#fail("end", null, null, message, then, now, blame.workflow("limits"));
    }
    const keys = failed.next() >= 0 ? FAILING : TARGETS;
    const place = step === undefined ? null : blame.step(step, keys);
    this.#fail("path", step ?? null, null, message, then, now, place);
  }

  /** Ends attempts as the record says; true if there was one. */
  #answer(stretch: Stretch): boolean {
    const answers = [...this.#open].flatMap(([index, record]) => (record ? [{ index, record }] : []));
    const last = answers.filter(({ index, record }) => this.#endsAll(nodeAt(this.state, index), record));
    const others = answers.filter((answer) => !last.includes(answer));
    const root = (stretch.lastSteps?.reason ?? stretch.end?.reason)?.step;
    const first = last.find(({ record }) => record.step === root) ?? last[0];
    const now = others.length > 0 ? others : first ? [first] : [];
    for (const { index, record } of now) {
      this.#open.delete(index);
      this.#end(this.#answerOf(nodeAt(this.state, index), record));
    }
    return now.length > 0;
  }

  /** Whether nothing new starts after it, so that whatever else runs comes first. */
  #endsAll({ step, failures }: StepNode, { status, error, decision }: AttemptRecord): boolean {
    if (status === "succeeded") {
      const target =
        decision === "reject" ? step.gate?.onReject : decision ? step.gate?.onApprove : undefined;
      return (decision === "reject" && !!step.gate && !target) || (!!target && target.to !== "step");
    }
    if (status !== "interrupted" && mayRetry(step.retry, failures + 1, error?.code ?? "")) return false;
    return !step.allowFailure;
  }

  #answerOf(node: StepNode, record: AttemptRecord): AttemptRecord {
    if (record.status !== "succeeded") return record;
    const { step } = node;
    const { attempt, outputs } = record;
    for (const { key, required } of step.outputs) {
      if (!required || Object.hasOwn(outputs, key)) continue;
      const had = Object.keys(outputs).join(", ") || "none";
      const message = `${step.id} declares the output ${key}, and its attempt does not have it`;
      const keys = ["outputs", "output_files"];
      this.#differ("outputs", step.id, attempt, message, had, key, this.#parts.blame.step(step.id, keys));
    }
    if (!step.gate) return record;
    const said = outputs.decision;
    const decision = record.decision ?? parseDecision(said && "value" in said ? said.value : undefined);
    if (decision === null) {
      const message = `${step.id} is a gate, and its attempt has no decision`;
      const keys = ["type", "on_approve", "on_reject"];
      this.#diverge("decision", step.id, message, "no decision", "approve or reject", keys, attempt);
    }
    this.counts.decisions += 1;
    return { ...record, decision };
  }

  /** What came from outside, and is not to be had from attempts. */
  #intervene({ cancel, end, lastSteps }: Stretch): boolean {
    if (cancel && !this.#isCanceled && this.state.cancel === null) {
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
  #stuck(stretch: Stretch, isLast: boolean): void {
    const left = this.#firstLeft();
    if (!left && stretch.end === null && isLast) return;
    const { blame } = this.#parts;
    const then = this.#whatIsLeft(stretch);
    if (left && blame.isGone(left.step)) {
      const gone = `the step ${left.step} is not there any more`;
      this.#fail("path", left.step, attemptOf(left), gone, then, this.#now(), blame.step(left.step));
    }
    const due = [...this.#withheld].map(([index, action]) => ({ ...nodeAt(this.state, index), action }));
    const added = due.find(({ step }) => blame.isNew(step.id)) ?? due[0];
    if (!added) {
      const message = "the run does not come to what the record has";
      this.#fail("path", left?.step ?? null, attemptOf(left), message, then, this.#now(), this.#stepOf(left));
    }
    const { id } = added.step;
    if (added.action.do === "skip") {
      const message = `${id} is skipped, and the record does not say so`;
      this.#diverge("path", id, message, then, `skipped: ${added.action.because}`, ["when", "needs"]);
    }
    const attempt = added.attempts + 1;
    const keys = added.failures > 0 ? ["retry", "limits"] : ["when", "needs"];
    const message = `the record does not have attempt ${attempt} of ${id}`;
    this.#diverge("attempt", id, message, then, `attempt ${attempt} of ${id}`, keys, attempt);
  }

  #now(): string {
    const due = [...this.#withheld.keys()].map((index) => nodeAt(this.state, index).step.id);
    return due.length > 0 ? `due: ${due.join(", ")}` : "nothing is due";
  }

  #stepOf(entry: Entry | undefined): Place | null {
    return entry ? this.#parts.blame.step(entry.step, ["when", "needs"]) : null;
  }

  /** What the record has next for a step; attempts that count for nothing are passed over. */
  #next({ step }: StepNode): Entry | undefined {
    const entries = this.#left.get(step.id);
    while (entries?.[0] && this.#isNoise(entries[0])) {
      entries.shift();
      this.counts.passedOver += 1;
    }
    return entries?.[0];
  }

  #isNoise(entry: Entry): boolean {
    if (entry.kind === "skip") return false;
    const status = entry.record?.status;
    if (status === undefined) return (this.#left.get(entry.step)?.length ?? 0) > 1;
    if (status === "interrupted") {
      const index = this.state.indexOf.get(entry.step);
      return index === undefined || nodeAt(this.state, index).step.onInterrupt !== "fail";
    }
    return status === "canceled" || status === "not_run";
  }

  #firstLeft(): Entry | undefined {
    const left = [...this.#left.values()].flatMap((entries) => {
      const first = entries.find((entry) => !this.#isNoise(entry) && isAnswer(entry));
      return first ? [first] : [];
    });
    return left.sort((a, b) => a.at - b.at)[0];
  }

  #passOverRest(): void {
    for (const entries of this.#left.values()) {
      this.counts.passedOver += entries.filter((entry) => this.#isNoise(entry)).length;
    }
  }

  #whatIsLeft({ end, transitions }: Stretch): string {
    const left = this.#firstLeft();
    const transition = transitions[this.#transition];
    if (transition && (!left || transition.seq <= left.at)) return `${transition.from} → ${transition.to}`;
    if (left)
      return left.kind === "skip" ? `${left.step} skipped` : `attempt ${left.attempt} of ${left.step}`;
    return end ? `the run ends: ${ending(end.status, end.reason)}` : "the record ends";
  }

  #whyEnd(step: string | undefined, key: string): Place | null {
    const { blame } = this.#parts;
    return step === undefined ? blame.workflow(key) : blame.step(step, FAILING);
  }

  /** In a graph a step's needs are its way to be reached. */
  #compareNeeds({ step }: StepNode): void {
    const { before, present, blame } = this.#parts;
    const recorded = this.#before.get(step.id);
    if (!recorded || before.shape !== "graph" || present.shape !== "graph") return;
    const names = (workflow: Workflow, { needs }: Step) =>
      needs.map((need) => workflow.steps[need]?.id ?? "").sort();
    const [then, now] = [names(before, recorded), names(present, step)];
    if (then.join() === now.join() || this.differences.some(({ step: id }) => id === step.id)) return;
    const text = (needs: string[]) => needs.join(", ") || "nothing";
    const message = `${step.id} waits for other steps`;
    this.#differ("needs", step.id, null, message, text(then), text(now), blame.step(step.id, ["needs"]));
  }

  #compareTexts(node: StepNode, attempt: number, record: AttemptRecord | null): void {
    const { recorded, folder, blame } = this.#parts;
    const { id } = node.step;
    const given: Given = { state: this.state, node, attempt, folder, files: recorded.files };
    let now: readonly Rendered[] | { readonly error: string };
    try {
      now = render(given);
    } catch (error) {
      if (!(error instanceof NotWhole)) throw error;
      this.notes.push(
        `the prompt of ${id}, attempt ${attempt}, shows an artifact that is not whole in the record`,
      );
      return;
    }
    const failed = record?.error?.code === "TEMPLATE_ERROR";
    if ("error" in now !== failed) {
      const then = failed ? String(record?.error?.message) : "every template has a value";
      const text = "error" in now ? now.error : "every template has a value";
      const keys = [...KEYS_OF.script, ...KEYS_OF.prompt, ...KEYS_OF.gate];
      this.#diverge("script", id, `the templates of ${id} come to something else`, then, text, keys, attempt);
    }
    if ("error" in now) return;
    const type = this.#typeOf(node.step);
    for (const each of now) {
      const text = recordedText(recorded.files, id, attempt, each);
      if (text === undefined) {
        if (type !== null) {
          const keys = ["type", ...KEYS_OF[each.kind]];
          const message = `${id} is a step of another type`;
          this.#diverge(each.kind, id, message, type, node.step.type, keys, attempt);
        }
        if (BEFORE_TEXTS.has(record?.error?.code ?? "")) continue;
        const missing = `the record has no ${each.file} of ${id}, attempt ${attempt}`;
        this.#fail(each.kind, id, attempt, missing, "", each.text, blame.step(id));
      }
      if (this.#texts.isSame(text, each.text, this.#isSameSource(node.step, each.kind))) continue;
      const message = `${id}, attempt ${attempt}, has another ${NAMES[each.kind]}`;
      const place = blame.step(id, KEYS_OF[each.kind]);
      this.#differ(each.kind, id, attempt, message, text, this.#texts.canonical(each.text), place);
    }
  }

  /** The type the step had in the record; null if it is the same, or there was no such step. */
  #typeOf(step: Step): string | null {
    const before = this.#before.get(step.id);
    return !before || before.type === step.type ? null : before.type;
  }

  #isSameSource(step: Step, kind: TextKind): boolean {
    const before = this.#before.get(step.id);
    return before !== undefined && sourceOf(before, kind) === sourceOf(step, kind);
  }

  #outputs(): JsonObject | string {
    const templates = Object.entries(this.state.workflow.outputs);
    const paths = [...pathsOf(templates.map(([, template]) => template))];
    const named = paths.flatMap(({ segments }) => segments[1] ?? []);
    const steps = stepScope(this.state, { ...PLACES, runDir: "" }, named);
    const scope = { ...runScope(this.state, PLACES), steps };
    try {
      return Object.fromEntries(templates.map(([name, template]) => [name, renderTemplate(template, scope)]));
    } catch (error) {
      if (error instanceof TemplateError) return error.message;
      throw error;
    }
  }

  #compareOutputs(recorded: JsonObject, now: JsonObject): void {
    const text = (outputs: JsonObject) => `${JSON.stringify(outputs, null, 2)}\n`;
    const sameSource =
      JSON.stringify(this.#parts.before.outputs) === JSON.stringify(this.#parts.present.outputs);
    if (this.#texts.isSame(text(recorded), text(now), sameSource)) return;
    const place = this.#parts.blame.workflow("outputs");
    this.#differ("end", null, null, "the run has other outputs", text(recorded), text(now), place);
  }

  #end(record: AttemptRecord): void {
    const volatile = { startedAt: AT, endedAt: AT, stdoutBytes: 0, stderrBytes: 0 };
    this.#say({ event: "attempt_ended", record, volatile });
  }

  #say(event: RunEvent): void {
    const head = { seq: this.state.seq + 1, at: AT, epoch: 1, run: PLACEHOLDERS.runId };
    fold(this.state, { ...event, ...head });
  }

  #differ(...[kind, step, attempt, message, expected, actual, place]: Found): void {
    this.differences.push({ kind, step, attempt, message, expected, actual, place });
  }

  #fail(...found: Found): never {
    this.#differ(...found);
    throw new Diverged();
  }

  #diverge(
    kind: DifferenceKind,
    step: string,
    message: string,
    expected: string,
    actual: string,
    keys: readonly string[] = [],
    attempt: number | null = null,
  ): never {
    this.#fail(kind, step, attempt, message, expected, actual, this.#parts.blame.step(step, keys));
  }
}

/** An attempt that failed so has nothing to run. */
const BEFORE_TEXTS: ReadonlySet<string> = new Set([
  "WHEN_ERROR",
  "TEMPLATE_ERROR",
  "SHELL_NOT_FOUND",
  "CWD_NOT_FOUND",
  "AGENT_NOT_FOUND",
]);

const NAMES: Readonly<Record<TextKind, string>> = {
  script: "script",
  prompt: "prompt",
  context: "context.json",
  gate: "message",
};

function sourceOf(step: Step, kind: TextKind): string | undefined {
  switch (step.type) {
    case "command":
      return step.script.text;
    case "agent_task":
    case "agent_review":
      return kind === "prompt" ? step.prompt.source : JSON.stringify(step.outputs);
    case "approval":
      return step.message.source;
    default:
      return step satisfies never;
  }
}

/** `failed (EXIT_STATUS of build)`. */
function ending(status: string, reason?: { readonly code: string; readonly step?: string }): string {
  if (!reason) return status;
  return `${status} (${reason.code}${reason.step === undefined ? "" : ` of ${reason.step}`})`;
}

/** One that was open when the record ended answers nothing. */
function isAnswer(entry: Entry): boolean {
  return entry.kind === "skip" || entry.record !== null;
}

function attemptOf(entry: Entry | undefined): number | null {
  return entry?.kind === "attempt" ? entry.attempt : null;
}
