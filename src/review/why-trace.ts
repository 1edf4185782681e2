import type { AttemptCause, AttemptRecord, Decision, JournalLine } from "../core/event.ts";
import { fold } from "../core/fold.ts";
import { initialState, isPassed, nodeAt, type RunState } from "../core/state.ts";
import type { Workflow } from "../core/workflow.ts";

/** One attempt: what led to it, what it waited for, how it ended, what followed. */
export interface AttemptTrace {
  /** Of a `foreach`. */
  readonly item?: number;
  readonly attempt: number;
  readonly cause: AttemptCause;
  /** What led to it, in a sentence. */
  readonly because: string;
  /** What had to come first, and when that was; null if nothing had to. */
  readonly waitedFor: string | null;
  readonly dueAt: string | null;
  readonly startedAt: string;
  endedAt: string | null;
  adopted: boolean;
  /** It ran in the run that this one was forked from. */
  shared: boolean;
  /** Why the fixture of the run did not answer it; null if it did, or there is none. */
  readonly notAnswered: string | null;
  /** Gates. */
  decision: { readonly decision: Decision; readonly comment: string; readonly by: string } | null;
  record: AttemptRecord | null;
  /** What came next, in a sentence; null while that is open. */
  next: string | null;
}

type Led = Pick<AttemptTrace, "because" | "waitedFor" | "dueAt">;

/** A step's way through the run. */
export interface StepTrace {
  readonly attempts: AttemptTrace[];
  skipped: { readonly at: string; readonly because: string } | null;
}

/** All that a journal tells of why, by the index of the step, and the state that it comes to. */
export interface Trace {
  readonly state: RunState;
  readonly steps: readonly StepTrace[];
  /** Sequences: which transition went past a step; by index. */
  readonly passedBy: ReadonlyMap<number, Transition>;
}

export type Transition = JournalLine & { readonly event: "transition" };
type Started = JournalLine & { readonly event: "attempt_started" };

/** Reads the journal once. Raises an `Error` for a line that can not follow. */
export function traceRun(workflow: Workflow, lines: readonly JournalLine[]): Trace {
  const tracer = new Tracer(workflow);
  for (const line of lines) tracer.take(line);
  return tracer;
}

class Tracer implements Trace {
  readonly state: RunState;
  readonly steps: StepTrace[];
  readonly passedBy = new Map<number, Transition>();
  /** When a step was last passed, and in which order. */
  readonly #passed = new Map<number, { readonly at: string; readonly seq: number }>();
  readonly #enteredBy = new Map<string, Transition>();
  readonly #retries = new Map<string, JournalLine & { readonly event: "retry_scheduled" }>();
  /** Attempts of which nobody knows yet what follows. */
  readonly #open = new Map<string, AttemptTrace>();
  #engine: (JournalLine & { readonly event: "engine_started" }) | null = null;
  #ending: string | null = null;

  constructor(workflow: Workflow) {
    this.state = initialState(workflow);
    this.steps = workflow.steps.map(() => ({ attempts: [], skipped: null }));
  }

  take(line: JournalLine): void {
    if (line.event === "attempt_started") this.#start(line);
    fold(this.state, line);
    switch (line.event) {
      case "engine_started":
        this.#engine = line;
        if (line.how !== "fork") break;
        for (const { attempts } of this.steps) for (const attempt of attempts) attempt.shared = true;
        break;
      case "attempt_adopted": {
        const last = this.#last(line.step);
        if (last) last.adopted = true;
        break;
      }
      case "decision": {
        const last = this.#last(line.step);
        const { decision, comment, volatile } = line;
        if (last) last.decision = { decision, comment, by: volatile.by };
        break;
      }
      case "attempt_ended":
        this.#end(line.record, line);
        break;
      case "step_skipped": {
        const index = this.#index(line.step);
        const step = this.steps[index];
        if (step) step.skipped = { at: line.at, because: line.because };
        this.#passed.set(index, line);
        break;
      }
      case "retry_scheduled":
        this.#retries.set(line.step, line);
        this.#follow(line.step, `tried again: ${line.because}`);
        break;
      case "transition":
        this.#move(line);
        break;
      case "finally_started":
        this.#ending = `the run was about to end as ${line.status}`;
        break;
      case "run_waiting":
        this.#followAll(`the run waits: ${line.reason.message}`);
        break;
      case "run_ended":
        this.#followAll(`the run ended as ${line.status}`);
        break;
      default:
        break;
    }
  }

  #start(line: Started): void {
    const index = this.#index(line.step);
    this.#follow(line.step, `attempt ${line.attempt} (${line.cause})`);
    const step = this.steps[index];
    if (step === undefined) return;
    step.skipped = null;
    step.attempts.push({
      ...(line.item !== undefined && { item: line.item }),
      attempt: line.attempt,
      cause: line.cause,
      ...this.#inFork(this.#why(line, index)),
      startedAt: line.at,
      endedAt: null,
      adopted: false,
      shared: false,
      notAnswered:
        line.volatile && "notAnswered" in line.volatile ? (line.volatile.notAnswered ?? null) : null,
      decision: null,
      record: null,
      next: null,
    });
  }

  /** What a fork shares was done long before its engine began. */
  #inFork(why: Led): Led {
    if (this.#engine?.how !== "fork" || why.dueAt === null || why.dueAt >= this.#engine.at) return why;
    return { ...why, waitedFor: null, dueAt: this.#engine.at };
  }

  #why(line: Started, index: number): Led {
    const engine = this.#engine?.at ?? null;
    const from = this.#engine?.from;
    switch (line.cause) {
      case "first":
      case "rework":
        return this.#reached(line.step, index);
      case "retry": {
        const retry = this.#retries.get(line.step);
        const due = retry?.volatile.notBefore ?? null;
        return {
          because: retry?.because ?? "it had failed",
          waitedFor: "the delay of the retry",
          dueAt: due,
        };
      }
      case "interrupted":
        return { because: "how the attempt before it ended is not known", waitedFor: null, dueAt: engine };
      case "resume":
        return { because: "the run was resumed", waitedFor: null, dueAt: engine };
      case "redo":
        return { because: `the run was resumed from ${from ?? line.step}`, waitedFor: null, dueAt: engine };
      case "stale":
        return { because: "what was shown had changed since", waitedFor: null, dueAt: engine };
      default:
        return line.cause satisfies never;
    }
  }

  /** How the run came to a step for the first time, or anew. */
  #reached(id: string, index: number): Led {
    const { workflow } = this.state;
    const engine = this.#engine?.at ?? null;
    if (index >= workflow.mainSteps)
      return { because: this.#ending ?? "the run came to its end", waitedFor: null, dueAt: null };
    if (workflow.shape === "sequence") {
      const by = this.#enteredBy.get(id);
      if (!by) return { because: "first step in the file", waitedFor: null, dueAt: engine };
      return { because: `from ${by.from}: ${by.because.message}`, waitedFor: by.from, dueAt: by.at };
    }
    const { step } = nodeAt(this.state, index);
    let last: { readonly id: string; readonly at: string; readonly seq: number } | null = null;
    for (const need of step.needs) {
      const passed = this.#passed.get(need);
      if (passed && (last === null || passed.seq > last.seq))
        last = { id: nodeAt(this.state, need).step.id, at: passed.at, seq: passed.seq };
    }
    if (last === null) return { because: "it needs no other step", waitedFor: null, dueAt: engine };
    return { because: needsText(this.state, step.needs), waitedFor: last.id, dueAt: last.at };
  }

  #end(record: AttemptRecord, line: JournalLine & { readonly event: "attempt_ended" }): void {
    const last = this.#last(record.step);
    if (!last) return;
    last.record = record;
    last.endedAt = line.volatile.endedAt;
    this.#open.set(record.step, last);
    const index = this.#index(record.step);
    if (!isPassed(nodeAt(this.state, index).state)) return;
    this.#passed.set(index, line);
    if (this.state.workflow.shape !== "graph") return;
    const freed = (this.state.dependents[index] ?? []).filter((next) => this.state.due.has(next));
    if (freed.length > 0) this.#follow(record.step, `${names(this.state, freed)} could begin`);
  }

  #move(line: Transition): void {
    const target =
      line.to === "done" ? "the end of the run" : line.to === "fail" ? "the run fails" : `on to ${line.to}`;
    this.#follow(line.from, `${target}: ${line.because.message}`);
    this.#enteredBy.set(line.to, line);
    const from = this.#index(line.from);
    const to = this.state.indexOf.get(line.to) ?? this.state.workflow.mainSteps;
    for (let index = from + 1; index < to; index += 1) this.passedBy.set(index, line);
  }

  #follow(step: string, next: string): void {
    const open = this.#open.get(step);
    if (open) open.next = next;
    this.#open.delete(step);
  }

  #followAll(next: string): void {
    for (const open of this.#open.values()) open.next = next;
    this.#open.clear();
  }

  #last(step: string): AttemptTrace | undefined {
    return this.steps[this.#index(step)]?.attempts.at(-1);
  }

  #index(step: string): number {
    return this.state.indexOf.get(step) ?? -1;
  }
}

const MAX_NAMES = 5;

export function names(state: RunState, indexes: readonly number[]): string {
  const ids = indexes.slice(0, MAX_NAMES).map((index) => nodeAt(state, index).step.id);
  const more = indexes.length - ids.length;
  return more > 0 ? `${ids.join(", ")} and ${more} more` : ids.join(", ");
}

function needsText(state: RunState, needs: readonly number[]): string {
  const [first] = needs;
  if (needs.length === 1 && first !== undefined) {
    const { step, state: at } = nodeAt(state, first);
    return `it needs ${step.id}, which ${PASSED[at.status] ?? "was passed"}`;
  }
  return `it needs ${names(state, needs)}, which were passed`;
}

const PASSED: Readonly<Record<string, string>> = {
  succeeded: "succeeded",
  skipped: "was skipped",
  failed: "failed, and may",
};
