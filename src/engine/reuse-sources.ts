import { resolve } from "node:path";
import type { PlaceName } from "../core/ids.ts";
import { MAX_REUSED_RUNS } from "../core/limits.ts";
import { WfError } from "../core/problem.ts";
import { placeOf, type StepNode } from "../core/state.ts";
import { readInputs } from "../steps/inputs-record.ts";
import { readJournal } from "../store/read-journal.ts";
import {
  dirOf,
  type EarlierAttempt,
  EarlierRun,
  editedAttempts,
  type FoundAttempt,
  ownAttempts,
} from "./earlier-run.ts";
import type { Session } from "./session.ts";

const NONE: ReadonlySet<string> = new Set();

/**
 * Where finished attempts are looked for: in the run itself, in the one that it was told to reuse, in the one that that
 * one was told, and so on.
 */
export class ReuseSources {
  readonly #session: Session;
  readonly #runs: EarlierRun[] = [];
  readonly #seen: Set<string>;
  #edited: ReadonlySet<string> | null = null;
  #isComplete = false;

  constructor(session: Session) {
    this.#session = session;
    this.#seen = new Set([resolve(session.places.runDir)]);
  }

  /** Whether there is a run beside this one. */
  get any(): boolean {
    return this.#at(0) !== null;
  }

  /** Attempts of the step with these inputs, the nearest first. */
  *withKey(node: StepNode, key: string): Generator<FoundAttempt> {
    for (const attempt of this.#own(node)) {
      const inputs = readInputs(attempt.dir);
      if (inputs?.key === key) yield { ...attempt, notes: inputs.volatile ?? {} };
    }
    for (const run of this.#all()) {
      const found = run.find(node.step.id, key);
      if (found) yield found;
    }
  }

  /** The nearest finished attempt of the step or item, whatever its inputs. */
  newest(node: StepNode): EarlierAttempt | null {
    for (const attempt of this.#own(node)) return attempt;
    for (const run of this.#all()) {
      const found = run.newest(placeOf(node));
      if (found) return found;
    }
    return null;
  }

  /** The newest nested run of a step or item of another run; null if there is none. */
  nested({ step, item }: PlaceName): string | null {
    for (const run of this.#all()) {
      const found = run.nested({ step, ...(item !== undefined && { item }) });
      if (found) return found;
    }
    return null;
  }

  *#own(node: StepNode): Generator<EarlierAttempt> {
    const { state, places } = this.#session;
    for (const attempt of ownAttempts(places.runDir, state.runId, placeOf(node), node.attempts)) {
      if (!this.#editedInFork().has(attempt.place.path)) yield attempt;
    }
  }

  #editedInFork(): ReadonlySet<string> {
    const { state, places } = this.#session;
    if (state.forkedFrom === null) return NONE;
    this.#edited ??= editedAttempts(readJournal(places.runDir).lines);
    return this.#edited;
  }

  *#all(): Generator<EarlierRun> {
    for (let at = 0; at < MAX_REUSED_RUNS; at += 1) {
      const run = this.#at(at);
      if (run === null) return;
      yield run;
    }
  }

  /** Read when it is first asked for. */
  #at(index: number): EarlierRun | null {
    const known = this.#runs[index];
    if (known || this.#isComplete) return known ?? null;
    const run = this.#open(index === 0 ? null : (this.#runs[index - 1] ?? null));
    if (run) this.#runs.push(run);
    else this.#isComplete = true;
    return run;
  }

  /** `from`: the run that names it; null: the one that is driven. */
  #open(from: EarlierRun | null): EarlierRun | null {
    const { state, places, earlier } = this.#session;
    const source = from ? from.source : state.reuse;
    if (source === null) return null;
    const dir = resolve(dirOf(from?.runDir ?? places.runDir, source));
    if (this.#seen.has(dir)) return null;
    this.#seen.add(dir);
    if (from === null && earlier && resolve(earlier.runDir) === dir) return earlier;
    try {
      return new EarlierRun(dir, state.workflow.id);
    } catch (error) {
      if (!(error instanceof WfError)) throw error;
      // What was asked for is told; that the one before it has been removed is nothing unusual.
      if (from === null) this.#session.note(`${error.message}; what it has done is done again`);
      return null;
    }
  }
}
