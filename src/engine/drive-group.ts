import type { AnswerBook } from "../review/answer-book.ts";
import type { DriveOptions } from "./api.ts";

/** How the loop of a run is driven that may be nested in another. */
export type InnerOptions = DriveOptions & {
  /** `wf next`: at most this many attempts. */
  readonly attempts?: number;
  /** What a nested run has from the run around it. */
  readonly inside?: {
    readonly group: DriveGroup;
    readonly depth: number;
    readonly answers: AnswerBook | null;
  };
};

/** A loop that takes part: of the run itself, or of one that is nested in it. */
export interface Member {
  /** What it decides on has changed. */
  poke(): void;
  /** A person's signal; again: the second and every later one. */
  onSignal(signal: Signal, again: boolean): void;
  /** There may be a new file in its `control/`. */
  lookAtRequests(): void;
  /** The engine goes: it leaves what runs alone, and records nothing more. */
  abandon(): void;
}

export type Signal = "SIGINT" | "SIGTERM";

/** What the loops of a run and of the runs nested in it have in common: places for jobs, `wf next`, signals. */
export class DriveGroup {
  readonly #maxJobs: number;
  readonly #members = new Set<Member>();
  #jobs = 0;
  #attemptsLeft: number;
  signal: Signal | null = null;

  constructor(maxJobs: number, attempts = Number.POSITIVE_INFINITY) {
    this.#maxJobs = maxJobs;
    this.#attemptsLeft = attempts;
  }

  /** Returns what ends the membership. */
  join(member: Member): () => void {
    this.#members.add(member);
    return () => this.#members.delete(member);
  }

  /** Jobs that may be started now. */
  get room(): number {
    return this.#maxJobs - this.#jobs;
  }

  get attemptsLeft(): number {
    return this.#attemptsLeft;
  }

  countAttempt(): void {
    this.#attemptsLeft -= 1;
  }

  takeRoom(): void {
    this.#jobs += 1;
  }

  freeRoom(): void {
    this.#jobs -= 1;
    for (const member of this.#members) member.poke();
  }

  onSignal(signal: Signal, again: boolean): void {
    this.signal ??= signal;
    for (const member of this.#members) member.onSignal(signal, again);
  }

  lookAtRequests(): void {
    for (const member of this.#members) member.lookAtRequests();
  }

  abandon(): void {
    for (const member of this.#members) member.abandon();
  }
}
