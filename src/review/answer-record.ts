import type { AttemptRecord, JournalLine } from "../core/event.ts";
import { fold } from "../core/fold.ts";
import { type PlaceName, placeName } from "../core/ids.ts";
import { initialState } from "../core/initial-state.ts";
import type { RunState } from "../core/state.ts";
import type { Workflow } from "../core/workflow.ts";
import { attemptPath } from "../store/layout.ts";

/** An attempt of a fixture that has ended and counts. */
export interface RecordedAttempt {
  readonly record: AttemptRecord;
  /** Where in the journal it was started. */
  readonly at: number;
  /** What was left is not what the run has of it. */
  readonly isEdited: boolean;
}

/** What took the place of these is what counts. */
const NOT_COUNTED: ReadonlySet<string> = new Set(["interrupted", "canceled", "not_run"]);

/** The attempts of a fixture's run, and how the run stood when each began. */
export class RecordedAttempts {
  readonly #workflow: Workflow;
  readonly #lines: readonly JournalLine[];
  readonly #byPlace = new Map<string, RecordedAttempt[]>();
  #state: RunState;
  #folded = 0;

  constructor(workflow: Workflow, lines: readonly JournalLine[]) {
    this.#workflow = workflow;
    this.#lines = lines;
    this.#state = initialState(workflow);
    const started = new Map<string, number>();
    const edited = new Set<string>();
    for (const [at, line] of lines.entries()) {
      if (line.event === "attempt_started") started.set(attemptPath(line), at);
      if (line.event === "output_changed") edited.add(attemptPath(line));
    }
    for (const line of lines) {
      if (line.event !== "attempt_ended" || NOT_COUNTED.has(line.record.status)) continue;
      const { record } = line;
      const path = attemptPath(record);
      const of = this.#byPlace.get(placeName(record)) ?? [];
      of.push({ record, at: started.get(path) ?? 0, isEdited: edited.has(path) });
      this.#byPlace.set(placeName(record), of);
    }
  }

  /** The n-th attempt of a step or item that counts, from 0. */
  nth(place: PlaceName, n: number): RecordedAttempt | undefined {
    return this.#byPlace.get(placeName(place))?.[n];
  }

  /** Good until the next call. Most are asked for in the order of the journal. */
  stateAt(at: number): RunState {
    if (at < this.#folded) {
      this.#state = initialState(this.#workflow);
      this.#folded = 0;
    }
    for (; this.#folded < at; this.#folded += 1) {
      fold(this.#state, this.#lines[this.#folded] as JournalLine);
    }
    return this.#state;
  }
}
