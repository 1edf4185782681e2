import type { RunReason } from "../core/event.ts";
import { type PlaceName, placeName } from "../core/ids.ts";
import type { Step } from "../core/workflow.ts";
import type { Entry, Stretch } from "./replay-record.ts";

/** What of a stretch of a record has not been asked for yet. */
export class Left {
  readonly stretch: Stretch;
  /** Attempts that count for nothing, and were passed over. */
  passedOver = 0;
  readonly #entries: ReadonlyMap<string, Entry[]>;
  readonly #steps: ReadonlyMap<string, Pick<Step, "onInterrupt">>;
  #transitions = 0;

  /** @param steps of the present definition */
  constructor(stretch: Stretch, steps: ReadonlyMap<string, Pick<Step, "onInterrupt">>) {
    this.stretch = stretch;
    this.#steps = steps;
    this.#entries = new Map([...stretch.entries].map(([step, entries]) => [step, [...entries]]));
  }

  /** What the record has next for a step or an item; undefined: nothing. */
  next(place: PlaceName): Entry | undefined {
    const entries = this.#entries.get(placeName(place));
    while (entries?.[0] && this.#isNoise(entries[0])) {
      entries.shift();
      this.passedOver += 1;
    }
    return entries?.[0];
  }

  take(place: PlaceName): void {
    this.#entries.get(placeName(place))?.shift();
  }

  get transition(): Stretch["transitions"][number] | undefined {
    return this.stretch.transitions[this.#transitions];
  }

  takeTransition(): void {
    this.#transitions += 1;
  }

  /** The first of what each step and item did; one that was open when the record ended is none. In the record's order. */
  all(): Entry[] {
    const found = [...this.#entries.values()].flatMap((entries) => {
      const first = entries.find((entry) => !this.#isNoise(entry) && isAnswer(entry));
      return first ? [first] : [];
    });
    return found.sort((a, b) => a.at - b.at);
  }

  first(): Entry | undefined {
    return this.all()[0];
  }

  /** What comes next in the record, for a message. */
  describe(): string {
    const [first, transition] = [this.first(), this.transition];
    if (transition && (!first || transition.seq <= first.at)) return `${transition.from} → ${transition.to}`;
    if (first) return entryText(first);
    const { end } = this.stretch;
    return end ? `the run ends: ${endingText(end.status, end.reason)}` : "the record ends";
  }

  passOverRest(): void {
    for (const entries of this.#entries.values()) {
      this.passedOver += entries.filter((entry) => this.#isNoise(entry)).length;
    }
  }

  #isNoise(entry: Entry): boolean {
    if (entry.kind !== "attempt") return false;
    const { step, record } = entry;
    if (record === null) return this.#entries.get(placeName(entry))?.at(-1) !== entry;
    if (record.status === "interrupted") return this.#steps.get(step)?.onInterrupt !== "fail";
    return record.status === "canceled" || record.status === "not_run";
  }
}

function isAnswer(entry: Entry): boolean {
  return entry.kind !== "attempt" || entry.record !== null;
}

/** What an entry says, for a message. */
export function entryText(entry: Entry): string {
  const name = placeName(entry);
  switch (entry.kind) {
    case "attempt":
      return `attempt ${entry.attempt} of ${name}`;
    case "skip":
      return `${name} skipped`;
    case "list":
      return `the list of ${name}`;
    default:
      return entry satisfies never;
  }
}

/** `failed (EXIT_STATUS of build)`. */
export function endingText(status: string, reason?: Pick<RunReason, "code" | "step" | "item">): string {
  if (!reason) return status;
  const { code, step, item } = reason;
  return `${status} (${code}${step === undefined ? "" : ` of ${placeName({ step, item })}`})`;
}
