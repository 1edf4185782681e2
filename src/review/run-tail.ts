import type { JournalLine } from "../core/event.ts";
import { type AttemptName, nameWithin, placeName } from "../core/ids.ts";
import { nestedDir } from "../store/layout.ts";
import { JournalTail } from "./journal-tail.ts";

/** The run that a line is of: the one that is followed, or one nested in it. */
export interface Where {
  readonly runDir: string;
  /** The steps that it is in, such as `deploy/item-3`; empty for the run that is followed. */
  readonly within: string;
  /** The attempts that it is in, from the outermost on. */
  readonly way: readonly AttemptName[];
}

export interface TailedLine {
  readonly line: JournalLine;
  readonly where: Where;
}

/**
 * The lines of a run's journal and of all that are nested in it, as they come, each once, and in the order in which they
 * were written: a nested run's between the start and the end of its attempt.
 */
export class RunTail {
  readonly where: Where;
  /** How the run stands by the lines that were given out. */
  standing: "active" | "ended" | "waiting" = "active";
  readonly #journal: JournalTail;
  /** Read, and not given out yet. */
  #lines: JournalLine[] = [];
  #at = 0;
  /** The newest line that was given out, by this tail or by that of the run that this one is a copy of. */
  private last: { readonly run: string; readonly seq: number } | undefined;
  /** Of the attempt before: this run may have begun as a copy of that one's. */
  readonly #earlier: RunTail | undefined;
  /** Of the attempts that are open and may be runs, by their step or item. */
  readonly #inner = new Map<string, RunTail>();
  /** Of the newest attempts that are over. */
  private readonly over: Map<string, RunTail>;

  constructor(runDir: string, around?: Pick<Where, "within" | "way">, earlier?: RunTail) {
    this.where = { runDir, within: "", way: [], ...around };
    this.#journal = new JournalTail(runDir);
    this.#earlier = earlier;
    this.over = new Map(earlier?.over);
  }

  /** What is new since the last call. */
  *take(): Generator<TailedLine> {
    this.#read();
    for (let next = this.#next(); next !== undefined; next = this.#next()) yield next;
  }

  #read(): void {
    // Before those within: what an end in this journal follows from is in theirs by then.
    const fresh = this.#journal.read().filter((line) => !this.#isCopied(line));
    this.#lines = this.#at === this.#lines.length ? fresh : [...this.#lines.slice(this.#at), ...fresh];
    this.#at = 0;
    for (const inner of this.#inner.values()) inner.#read();
  }

  #isCopied({ run, seq }: JournalLine): boolean {
    const copied = this.#earlier?.last;
    if (copied === undefined || run !== copied.run || seq > copied.seq) return false;
    this.last = { run, seq };
    return true;
  }

  #next(): TailedLine | undefined {
    const own = this.#lines[this.#at];
    const earlier = this.#earliest(own?.at ?? LAST);
    if (earlier) return earlier.#next();
    if (own === undefined) return undefined;
    const closed = this.#inner.get(placeClosedBy(own) ?? "");
    if (closed?.hasWhatLedTo(own)) return closed.#next();
    this.#at += 1;
    this.last = { run: own.run, seq: own.seq };
    this.#openOrClose(own);
    this.standing = STANDING[own.event] ?? this.standing;
    return { line: own, where: this.where };
  }

  /** Of the runs within: the one whose next line is the first, if that was written before `at`. */
  #earliest(at: string): RunTail | null {
    let found: RunTail | null = null;
    let earliest = at;
    for (const inner of this.#inner.values()) {
      const head = inner.#head();
      if (head === undefined || head.at >= earliest) continue;
      earliest = head.at;
      found = inner;
    }
    return found;
  }

  /** The line that would be next; of those within as well. */
  #head(): JournalLine | undefined {
    const own = this.#lines[this.#at];
    const earlier = this.#earliest(own?.at ?? LAST);
    return earlier ? earlier.#head() : own;
  }

  /** Clocks of two runs may differ a little: what led to the attempt's end, or its waiting, comes before that. */
  private hasWhatLedTo({ event }: JournalLine): boolean {
    if (event === "attempt_ended") return this.#head() !== undefined;
    return this.#lines.slice(this.#at).some((line) => line.event === "run_waiting");
  }

  #openOrClose(line: JournalLine): void {
    if (line.event === "attempt_started" && !line.volatile) {
      const { step, item, attempt } = line;
      const name = { step, item, attempt };
      const { runDir, within, way } = this.where;
      const inner = new RunTail(
        nestedDir(runDir, name),
        { within: nameWithin(within, name), way: [...way, name] },
        this.over.get(placeName(name)),
      );
      inner.#read();
      this.#inner.set(placeName(name), inner);
    } else if (line.event === "attempt_ended") {
      const place = placeName(line.record);
      const inner = this.#inner.get(place);
      if (inner) this.over.set(place, inner);
      this.#inner.delete(place);
    }
  }
}

/** After every time. */
const LAST = "~";

const STANDING: Readonly<Partial<Record<JournalLine["event"], RunTail["standing"]>>> = {
  engine_started: "active",
  run_waiting: "waiting",
  run_ended: "ended",
};

/** The step or item whose attempt ends or begins to wait. */
function placeClosedBy(line: JournalLine): string | null {
  if (line.event === "attempt_ended") return placeName(line.record);
  return line.event === "attempt_waiting" ? placeName(line) : null;
}
