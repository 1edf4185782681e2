import { nameWithin, type PlaceName } from "../core/ids.ts";
import type { KeyPosition, Positions } from "../language/positions.ts";
import { attemptPath } from "../store/layout.ts";

export type DifferenceKind =
  /** Inputs that are declared otherwise. */
  | "inputs"
  /** The run goes another way. */
  | "path"
  /** An attempt that the record does not have, or has and is not come to. */
  | "attempt"
  /** A graph: a step waits for others. */
  | "needs"
  /** What a `foreach` goes through. */
  | "items"
  | "script"
  | "prompt"
  | "context"
  /** What a gate shows. */
  | "gate"
  | "decision"
  /** What the step declares, and the recorded attempt does not have. */
  | "outputs"
  /** Another status, reason or outputs of the run. */
  | "end";

export interface Place {
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** One thing that the present definition does otherwise than the record. */
export interface Difference {
  readonly kind: DifferenceKind;
  /** From the outermost run: `build`, `check/item-3`, `deploy/test`. */
  readonly step: string | null;
  readonly attempt: number | null;
  /** Of the attempt, in the record. */
  readonly folder: string | null;
  /** One sentence, without a full stop. */
  readonly message: string;
  readonly expected: string;
  readonly actual: string;
  /** What in the workflow file is responsible; null: nothing there can be named. */
  readonly place: Place | null;
}

/** A definition as it is needed to say what in it is responsible. */
export interface Located {
  /** As messages call it. */
  readonly file: string;
  positions(): Positions;
}

/** Says what in the present file is responsible: of some keys of a step the first that is not as it was recorded, and of
 * its lines the first. */
export class Blame {
  readonly #present: Located;
  readonly #recorded: Located;

  constructor(present: Located, recorded: Located) {
    this.#present = present;
    this.#recorded = recorded;
  }

  step(id: string, keys: readonly string[] = []): Place | null {
    const { file } = this.#present;
    const now = this.#present.positions().steps.get(id);
    const before = this.#recorded.positions().steps.get(id);
    // A step that is gone has a line only where it was.
    if (!now) return before ? { file: this.#recorded.file, line: before.line } : null;
    for (const key of keys) {
      const [at, was] = [now.keys.get(key), before?.keys.get(key)];
      if (JSON.stringify(at?.value) !== JSON.stringify(was?.value))
        return { file, line: at ? firstChanged(at, was) : now.line };
    }
    const line = keys.map((key) => now.keys.get(key)?.line).find((found) => found !== undefined);
    return { file, line: line ?? now.line };
  }

  /** A key of the workflow itself. */
  workflow(key: string): Place | null {
    const { file } = this.#present;
    const { keys } = this.#present.positions();
    const at = keys.get(key);
    if (at) return { file, line: firstChanged(at, this.#recorded.positions().keys.get(key)) };
    const id = keys.get("id");
    return id ? { file, line: id.line } : null;
  }

  /** Whether one of some keys of a step is not as it was recorded. */
  isChanged(id: string, keys: readonly string[]): boolean {
    const now = this.#present.positions().steps.get(id);
    const before = this.#recorded.positions().steps.get(id);
    return keys.some(
      (key) => JSON.stringify(now?.keys.get(key)?.value) !== JSON.stringify(before?.keys.get(key)?.value),
    );
  }

  isGone(id: string): boolean {
    return !this.#present.positions().steps.has(id);
  }

  isNew(id: string): boolean {
    return !this.#recorded.positions().steps.has(id);
  }
}

/** The line of a value at which it begins to be another one; its first if it is not. */
function firstChanged({ line, text }: KeyPosition, was: KeyPosition | undefined): number {
  if (!was || text.join("\n") === was.text.join("\n")) return line;
  const changed = text.findIndex((each, index) => each !== was.text[index]);
  return line + (changed < 0 ? text.length - 1 : changed);
}

/** Where in a record a run is: the outermost one, or one that is nested. */
export interface Within {
  /** The steps that it is in, such as `deploy/item-3`; empty for the outermost. */
  readonly name: string;
  /** With `/` at its end; empty for the outermost. */
  readonly folder: string;
}

/** What is said of a difference; what is left out is none. */
export interface Found extends Pick<Difference, "kind" | "message" | "expected" | "actual"> {
  readonly step?: string;
  readonly item?: number | undefined;
  readonly attempt?: number | null;
  /** Of the step, those that may be responsible. */
  readonly keys?: readonly string[];
  /** Instead of the step. */
  readonly place?: Place | null;
}

/** A point from which on nothing that the record says fits any more. */
export class Diverged extends Error {}

/** All that is found in a run and in those nested in it, which have a blame of their own. */
export class Findings {
  readonly differences: Difference[];
  /** What could not be compared; sentences. */
  readonly notes: string[];
  readonly blame: Blame;
  readonly within: Within;

  constructor(blame: Blame, within: Within = { name: "", folder: "" }, around?: Findings) {
    this.blame = blame;
    this.within = within;
    this.differences = around?.differences ?? [];
    this.notes = around?.notes ?? [];
  }

  /** A step or an item as messages call it. */
  name(place: PlaceName): string {
    return nameWithin(this.within.name, place);
  }

  /** The run, at the beginning of a sentence. */
  get run(): string {
    return this.within.name === "" ? "the run" : `the run of ${this.within.name}`;
  }

  differ({ kind, step, item, attempt = null, message, expected, actual, keys = [], place }: Found): void {
    const where = place !== undefined ? place : step === undefined ? null : this.blame.step(step, keys);
    const name = step === undefined ? null : this.name({ step, item });
    const folder =
      step === undefined || attempt === null
        ? null
        : this.within.folder + attemptPath({ step, item, attempt });
    this.differences.push({ kind, step: name, attempt, folder, message, expected, actual, place: where });
  }

  /** To be thrown. */
  diverged(found: Found): Diverged {
    this.differ(found);
    return new Diverged(found.message);
  }

  /** The same for a step of the record that the definition does not have any more. */
  gone(step: string, expected: string, actual: string, attempt: number | null = null): Diverged {
    const message = `the step ${this.name({ step })} is not there any more`;
    return this.diverged({ kind: "path", step, attempt, message, expected, actual });
  }
}
