import type { AttemptCause, AttemptRecord, Decision, JournalLine } from "../core/event.ts";
import { fold } from "../core/fold.ts";
import { itemsOf } from "../core/fold-fan.ts";
import { type PlaceName, placeName } from "../core/ids.ts";
import { initialState } from "../core/initial-state.ts";
import { type DefinitionIn, isPassed, nodeAt, nodeOf, type RunState } from "../core/state.ts";
import type { Workflow } from "../core/workflow.ts";
import { names, needsText } from "./why-words.ts";

/** One attempt: what led to it, what it waited for, how it ended, what followed. */
export interface AttemptTrace extends Led {
  readonly attempt: number;
  readonly cause: AttemptCause;
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

/** How the run came to an attempt, or to a list. */
export interface Led {
  /** In a sentence. */
  readonly because: string;
  /** What had to come first, and when that was; null if nothing had to. */
  readonly waitedFor: string | null;
  readonly dueAt: string | null;
}

/** The way of a step, or of an item of one, through the run. */
export interface NodeTrace {
  readonly attempts: AttemptTrace[];
  skipped: { readonly at: string; readonly because: string } | null;
  /** Of a step with `foreach`: how the run came to its present list. */
  list: Led | null;
}

/** All that a journal tells of why, and the state that it comes to. */
export interface Trace {
  readonly state: RunState;
  of(place: PlaceName): NodeTrace;
  /** Sequences: which transition went past a step. */
  readonly passedBy: ReadonlyMap<string, Transition>;
}

export type Transition = JournalLine & { readonly event: "transition" };
type Started = JournalLine & { readonly event: "attempt_started" };
type Listed = JournalLine & { readonly event: "foreach_started" };

/** Reads the journal once. Raises an `Error` for a line that can not follow. */
export function traceRun(
  workflow: Workflow,
  lines: readonly JournalLine[],
  definitionIn: DefinitionIn,
): Trace {
  const tracer = new Tracer(workflow, definitionIn);
  for (const line of lines) tracer.take(line);
  return tracer;
}

/** By the names of steps and items: indexes are others once the definition has changed. */
class Tracer implements Trace {
  readonly state: RunState;
  readonly passedBy = new Map<string, Transition>();
  readonly #nodes = new Map<string, NodeTrace>();
  /** When a step was last passed, and in which order. */
  readonly #passed = new Map<string, { readonly at: string; readonly seq: number }>();
  /** Sequences: how the run came to a step. */
  readonly #cameTo = new Map<string, Led>();
  readonly #retries = new Map<string, JournalLine & { readonly event: "retry_scheduled" }>();
  /** Attempts of which nobody knows yet what follows. */
  readonly #open = new Map<string, AttemptTrace>();
  #engine: (JournalLine & { readonly event: "engine_started" }) | null = null;
  #ending: string | null = null;
  /** Why what was done is done again. */
  #redone = "the run was resumed";

  constructor(workflow: Workflow, definitionIn: DefinitionIn) {
    this.state = initialState(workflow, definitionIn);
  }

  of(place: PlaceName): NodeTrace {
    const name = placeName(place);
    const known = this.#nodes.get(name) ?? { attempts: [], skipped: null, list: null };
    this.#nodes.set(name, known);
    return known;
  }

  take(line: JournalLine): void {
    if (line.event === "attempt_started") this.#start(line);
    if (line.event === "foreach_started") this.#list(line);
    const before = this.#atCursor;
    fold(this.state, line);
    switch (line.event) {
      case "engine_started":
        this.#engine = line;
        if (line.from !== undefined) this.#redone = `the run was resumed from ${line.from}`;
        if (line.how !== "fork") break;
        for (const { attempts } of this.#nodes.values())
          for (const attempt of attempts) attempt.shared = true;
        break;
      case "attempt_adopted": {
        const last = this.of(line).attempts.at(-1);
        if (last) last.adopted = true;
        break;
      }
      case "decision": {
        const last = this.of(line).attempts.at(-1);
        const { decision, comment, volatile } = line;
        if (last) last.decision = { decision, comment, by: volatile.by };
        break;
      }
      case "attempt_ended":
        this.#end(line.record, line);
        break;
      case "step_skipped":
        this.of(line).skipped = { at: line.at, because: line.because };
        this.#pass(line.step, line);
        break;
      case "retry_scheduled":
        this.#retries.set(placeName(line), line);
        this.#follow(line, `tried again: ${line.because}`);
        break;
      case "transition":
        this.#move(line);
        break;
      case "definition_changed":
        this.#change(line, before, "the definition was changed");
        break;
      case "input_changed":
        this.#change(line, before, `the input ${line.what} was changed`);
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
    this.#follow(line, `attempt ${line.attempt} (${line.cause})`);
    const node = this.of(line);
    node.skipped = null;
    node.attempts.push({
      attempt: line.attempt,
      cause: line.cause,
      ...this.#inFork(this.#why(line, line.cause)),
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

  /** Its items come anew, even if they are as they were. */
  #list(line: Listed): void {
    const node = this.of(line);
    node.skipped = null;
    node.list = this.#inFork(this.#why({ step: line.step }, line.cause));
    for (const item of line.items.keys()) this.of({ step: line.step, item }).skipped = null;
  }

  /** What a fork shares was done long before its engine began. */
  #inFork(why: Led): Led {
    if (this.#engine?.how !== "fork" || why.dueAt === null || why.dueAt >= this.#engine.at) return why;
    return { ...why, waitedFor: null, dueAt: this.#engine.at };
  }

  #why(place: PlaceName, cause: AttemptCause): Led {
    const engine = this.#engine?.at ?? null;
    switch (cause) {
      case "first":
      case "rework":
        return place.item === undefined ? this.#reached(place.step) : this.#ofItem(place);
      case "retry": {
        const retry = this.#retries.get(placeName(place));
        const dueAt = retry?.volatile.notBefore ?? null;
        return { because: retry?.because ?? "it had failed", waitedFor: "the delay of the retry", dueAt };
      }
      case "interrupted":
        return { because: "how the attempt before it ended is not known", waitedFor: null, dueAt: engine };
      case "resume":
        return { because: "the run was resumed", waitedFor: null, dueAt: engine };
      case "redo":
        return { because: this.#redone, waitedFor: null, dueAt: engine };
      case "stale":
        return { because: "what was shown had changed since", waitedFor: null, dueAt: engine };
      default:
        return cause satisfies never;
    }
  }

  /** An item is due with its list. */
  #ofItem({ step, item = 0 }: PlaceName): Led {
    const { fan } = nodeOf(this.state, step);
    const because = `it is item ${item + 1} of ${fan?.size ?? 0} of ${step}`;
    return { ...(this.of({ step }).list ?? { waitedFor: null, dueAt: null }), because };
  }

  /** How the run came to a step for the first time, or anew. */
  #reached(id: string): Led {
    const { workflow } = this.state;
    const { step } = nodeOf(this.state, id);
    const engine = this.#engine?.at ?? null;
    if (step.index >= workflow.mainSteps)
      return { because: this.#ending ?? "the run came to its end", waitedFor: null, dueAt: null };
    if (workflow.shape === "sequence") {
      const first = { because: "first step in the file", waitedFor: null, dueAt: engine };
      return this.#cameTo.get(id) ?? first;
    }
    let last: { readonly id: string; readonly at: string; readonly seq: number } | null = null;
    for (const need of step.needs) {
      const { id: needed } = nodeAt(this.state, need).step;
      const passed = this.#passed.get(needed);
      if (passed && (last === null || passed.seq > last.seq))
        last = { id: needed, at: passed.at, seq: passed.seq };
    }
    if (last === null) return { because: "it needs no other step", waitedFor: null, dueAt: engine };
    return { because: needsText(this.state, step.needs), waitedFor: last.id, dueAt: last.at };
  }

  #end(record: AttemptRecord, line: JournalLine & { readonly event: "attempt_ended" }): void {
    const last = this.of(record).attempts.at(-1);
    if (!last) return;
    last.record = record;
    last.endedAt = line.volatile.endedAt;
    this.#open.set(placeName(record), last);
    this.#pass(record.step, line);
    const { state } = this;
    const node = nodeOf(state, record.step);
    if (state.workflow.shape !== "graph" || !isPassed(node.state)) return;
    const freed = (state.dependents[node.index] ?? []).filter((next) => state.due.has(next));
    if (freed.length > 0) this.#follow(record, `${names(state, freed)} could begin`);
  }

  /** One with `foreach` is passed by the last of its items. */
  #pass(step: string, { at, seq }: JournalLine): void {
    if (isPassed(nodeOf(this.state, step).state)) this.#passed.set(step, { at, seq });
  }

  #move(line: Transition): void {
    const target =
      line.to === "done" ? "the end of the run" : line.to === "fail" ? "the run fails" : `on to ${line.to}`;
    const { state } = this;
    const node = nodeOf(state, line.from);
    const next = `${target}: ${line.because.message}`;
    this.#follow({ step: line.from }, next);
    for (const item of node.fan ? itemsOf(node.fan).keys() : [])
      this.#follow({ step: line.from, item }, next);
    const because = `from ${line.from}: ${line.because.message}`;
    this.#cameTo.set(line.to, { because, waitedFor: line.from, dueAt: line.at });
    const to = state.indexOf.get(line.to) ?? state.workflow.mainSteps;
    for (let index = node.index + 1; index < to; index += 1)
      this.passedBy.set(nodeAt(state, index).step.id, line);
  }

  /** A sequence goes back by it to the first step that it concerns. `before`: where it was. */
  #change({ at }: JournalLine, before: string | null, because: string): void {
    this.#redone = because;
    const now = this.#atCursor;
    if (now !== null && now !== before) this.#cameTo.set(now, { because, waitedFor: null, dueAt: at });
  }

  get #atCursor(): string | null {
    const { cursor, workflow } = this.state;
    return workflow.shape === "sequence" && typeof cursor === "number"
      ? nodeAt(this.state, cursor).step.id
      : null;
  }

  #follow(place: PlaceName, next: string): void {
    const name = placeName(place);
    const open = this.#open.get(name);
    if (open) open.next = next;
    this.#open.delete(name);
  }

  #followAll(next: string): void {
    for (const open of this.#open.values()) open.next = next;
    this.#open.clear();
  }
}
