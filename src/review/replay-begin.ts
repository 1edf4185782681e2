import type { Action } from "../core/action.ts";
import type { AttemptCause, AttemptRecord, RunEvent } from "../core/event.ts";
import { evaluate, expressionReferences } from "../core/expression.ts";
import { nodeAt, placeOf, type RunState, type StepNode } from "../core/state.ts";
import { expressionScope, type Places } from "../steps/scope.ts";
import type { Comparison } from "./replay-compare.ts";
import type { Findings } from "./replay-difference.ts";
import { begunOtherwise, otherWhen } from "./replay-divergence.ts";
import type { Counts, ReplayParts } from "./replay-drive.ts";
import type { Left } from "./replay-left.ts";
import { compareList } from "./replay-list.ts";
import { NestedReplays } from "./replay-nested.ts";
import type { Entry } from "./replay-record.ts";
import { placesIn } from "./replay-texts.ts";

/** What a step or an item begins with. */
export type Beginning = Action & { do: "start" | "skip" | "foreach" };

/** The line that it gives. `answer`, of an attempt: how the record says that it ends; null: it was open at the end. */
export interface Begun {
  readonly event: RunEvent;
  readonly answer?: AttemptRecord | null;
}

/** Holds what begins now against what began in the record. */
export class Beginnings {
  readonly #parts: ReplayParts;
  readonly #state: RunState;
  readonly #comparison: Comparison;
  readonly #findings: Findings;
  readonly #counts: Counts;
  readonly #nested: NestedReplays;

  constructor(
    parts: ReplayParts,
    own: { state: RunState; comparison: Comparison; findings: Findings; counts: Counts },
  ) {
    this.#parts = parts;
    this.#state = own.state;
    this.#comparison = own.comparison;
    this.#findings = own.findings;
    this.#counts = own.counts;
    this.#nested = new NestedReplays(parts, own.findings, own.counts);
  }

  /** The environment of the engine is in no record: what depends on it is taken to be as it was. */
  when(node: StepNode, left: Left): { is: boolean } | { error: string } {
    const { when } = node.step;
    if (!when) return { is: true };
    const entry = left.next(placeOf(node));
    const names = expressionReferences(when.source).filter(({ segments }) => segments[0] === "env");
    const own = this.#state.workflow.env;
    if (names.some(({ segments: [, name] }) => name === undefined || !Object.hasOwn(own, name))) {
      return { is: entry?.kind !== "skip" };
    }
    const state = this.seenFrom(entry?.at);
    try {
      return { is: evaluate(when, expressionScope(state, this.#places(entry), node, when, {})) };
    } catch (error) {
      return { error: (error as Error).message };
    }
  }

  /** Null: the record has nothing of it. Throws `Diverged`. */
  begin(action: Beginning, left: Left): Begun | null {
    const node = nodeAt(this.#state, action.index);
    const entry = left.next(placeOf(node));
    if (!entry) return null;
    // The items of a list came with it.
    if (!node.item) this.#comparison.needs(node);
    if (action.do === "foreach") return this.#list(node, entry, action.cause);
    if (entry.kind === "list" || (entry.kind === "skip") !== (action.do === "skip"))
      throw begunOtherwise(this.#findings, entry, action);
    if (entry.kind === "attempt" && action.do === "start") return this.#start(node, entry, action);
    this.#counts.skipped += 1;
    const because = entry.kind === "skip" ? entry.because : "";
    return { event: { event: "step_skipped", ...placeOf(node), because } };
  }

  #start(
    node: StepNode,
    entry: Entry & { kind: "attempt" },
    { cause, whenError }: Action & { do: "start" },
  ): Begun {
    const { record, at, attempt } = entry;
    if ((whenError !== undefined) !== (record?.error?.code === "WHEN_ERROR"))
      throw otherWhen(this.#findings, entry, whenError);
    const { step } = node;
    const state = this.seenFrom(at);
    if (whenError !== undefined) return this.#begun(node, entry, cause);
    if (step.type === "workflow") {
      return this.#begun(node, entry, cause, this.#nested.replay({ state, node, step, entry }));
    }
    const { recorded, folder } = this.#parts;
    const isReplaced = (file: string) => recorded.changes.isReplaced(file, at);
    const places = this.#places(entry);
    const given = { state, node, attempt, places, folder, files: recorded.files, isReplaced };
    this.#comparison.texts(given, step, record);
    return this.#begun(node, entry, cause);
  }

  /** The list of a `foreach`, rendered from what the record has of the steps before. */
  #list(node: StepNode, entry: Entry, cause: AttemptCause): Begun {
    const { recorded, before, texts } = this.#parts;
    const around = { places: this.#places(entry), files: recorded.files, before: before.workflow, texts };
    const items = compareList({ state: this.seenFrom(entry.at), node, entry, ...around }, this.#findings);
    if (items !== null) return { event: { event: "foreach_started", step: node.step.id, cause, items } };
    if (entry.kind !== "attempt") throw new Error(`${node.step.id} has no list, and did not fail`);
    return this.#begun(node, entry, cause);
  }

  #begun(
    node: StepNode,
    { attempt, record }: Entry & { kind: "attempt" },
    cause: AttemptCause,
    answer: AttemptRecord | null = record,
  ): Begun {
    this.#counts.attempts += 1;
    return { event: { event: "attempt_started", ...placeOf(node), attempt, cause }, answer };
  }

  /** The state as it was at a place of the record; at its end if none is given. */
  seenFrom(at = Number.POSITIVE_INFINITY): RunState {
    return this.#parts.recorded.changes.asOf(this.#state, at);
  }

  #places(entry: Entry | undefined): Places {
    return placesIn(this.#parts.runDirAt(entry?.at ?? Number.POSITIVE_INFINITY));
  }
}
