import { join } from "node:path";
import type { AttemptRecord, JournalLine, RunEvent } from "../core/event.ts";
import { fold } from "../core/fold.ts";
import { type PlaceName, placeName } from "../core/ids.ts";
import { SNAPSHOT_INTERVAL_MS, SNAPSHOT_SHARE } from "../core/limits.ts";
import { WfError } from "../core/problem.ts";
import { type RunRecord, toRecord } from "../core/record.ts";
import type { RunState } from "../core/state.ts";
import type { AnswerBook } from "../review/answer-book.ts";
import { FileDigests } from "../steps/file-digests.ts";
import type { Places } from "../steps/scope.ts";
import { replaceFile } from "../store/atomic-file.ts";
import type { Claim } from "../store/claim.ts";
import type { Journal } from "../store/journal.ts";
import { ATTEMPT_FILES, attemptDir } from "../store/layout.ts";
import { formatRecord } from "../store/record-text.ts";
import { snapshotOf, writeSnapshot } from "../store/snapshot.ts";
import type { Observer } from "./api.ts";
import type { Clock } from "./clock.ts";
import type { EarlierRun } from "./earlier-run.ts";

/**
 * A run that this process drives: the claim, the journal, and the state folded from it. What happens is recorded,
 * which folds it, and counts with the commit at the end of the turn; only then is it told or acted on.
 */
export class Session {
  readonly places: Places;
  readonly state: RunState;
  readonly claim: Claim;
  readonly clock: Clock;
  /** Of files that were read while this engine lives. */
  readonly digests = new FileDigests();
  /** The run that it is to reuse, if it was read to be checked. */
  readonly earlier: EarlierRun | null;
  /** What answers its attempts, as far as it has them. */
  readonly answers: AnswerBook | null;
  readonly #journal: Journal;
  readonly #observer: Observer;
  #lines: JournalLine[] = [];
  #beforeCommit: (() => void)[] = [];
  #afterCommit: (() => void)[] = [];
  #snapshotSeq = 0;
  #snapshotAt = Number.NEGATIVE_INFINITY;
  #snapshotCost = 0;

  constructor(parts: {
    places: Places;
    state: RunState;
    claim: Claim;
    clock: Clock;
    journal: Journal;
    observer: Observer;
    earlier?: EarlierRun | null;
    answers: AnswerBook | null;
  }) {
    this.places = parts.places;
    this.state = parts.state;
    this.claim = parts.claim;
    this.clock = parts.clock;
    this.#journal = parts.journal;
    this.#observer = parts.observer;
    this.earlier = parts.earlier ?? null;
    this.answers = parts.answers;
  }

  get sync(): boolean {
    return this.state.options.durability === "power";
  }

  record(event: RunEvent): JournalLine {
    const line = this.#journal.append(event, new Date(this.clock.now()));
    fold(this.state, line);
    this.#lines.push(line);
    return line;
  }

  /** What has to be on disk before all that is recorded so far is: of many such things together the sync is cheaper. */
  beforeCommit(effect: () => void): void {
    this.#beforeCommit.push(effect);
  }

  /** What may be done only once all that is recorded so far is durable. */
  afterCommit(effect: () => void): void {
    this.#afterCommit.push(effect);
  }

  /** Makes the turn durable, then lets its effects happen. After an error nothing of it counts. */
  commit(): void {
    for (const effect of this.#beforeCommit.splice(0)) effect();
    this.#journal.commit();
    const lines = this.#lines;
    const effects = this.#afterCommit;
    this.#lines = [];
    this.#afterCommit = [];
    // Before the effects: a step that begins now may read what its predecessors left.
    for (const line of lines) if (line.event === "attempt_ended") this.writeAttempt(line.record);
    for (const effect of effects) effect();
    for (const line of lines) this.#observer.event?.(line, this.state);
    if (lines.some(isMilestone)) this.writeSnapshot();
  }

  /** Tells the observer of this run what happens in one that is nested in it. */
  observerWithin(place: PlaceName, runDir: string): Observer {
    const name = placeName(place);
    return {
      event: (line, state, within = { name: "", runDir }) => {
        const deeper = within.name === "" ? name : `${name}/${within.name}`;
        this.#observer.event?.(line, state, { ...within, name: deeper });
      },
    };
  }

  note(sentence: string): void {
    this.#observer.note?.(sentence);
  }

  writeAttempt(record: AttemptRecord): void {
    const path = join(attemptDir(this.places.runDir, record), ATTEMPT_FILES.record);
    replaceFile(path, formatRecord(record), { sync: false });
  }

  /** Milliseconds until `run.json` should say what it does not say yet; null if it says all. */
  snapshotDueIn(): number | null {
    if (this.#snapshotSeq === this.state.seq) return null;
    const pause = Math.max(SNAPSHOT_INTERVAL_MS, this.#snapshotCost / SNAPSHOT_SHARE);
    return Math.max(0, this.#snapshotAt + pause - performance.now());
  }

  writeSnapshot(): void {
    const began = performance.now();
    // An engine that was taken over would put its older view in the place of a newer one.
    if (this.claim.isLost()) {
      throw new WfError({ code: "LOCK_LOST", message: "another engine has taken this run over" });
    }
    writeSnapshot(this.places.runDir, snapshotOf(this.state, this.#journal.length), { sync: this.sync });
    this.#snapshotSeq = this.state.seq;
    this.#snapshotAt = performance.now();
    this.#snapshotCost = this.#snapshotAt - began;
  }

  toRecord(): RunRecord {
    return toRecord(this.state, this.#journal.length);
  }

  /** What `run.json` says already, when it was written by somebody else. */
  snapshotIsCurrent(): void {
    this.#snapshotSeq = this.state.seq;
    this.#snapshotAt = performance.now();
  }

  close(): void {
    this.digests.close();
    this.#journal.close();
  }
}

/** A start, a wait or an end is in `run.json` at once. */
function isMilestone({ event }: JournalLine): boolean {
  return event === "engine_started" || event === "run_waiting" || event === "run_ended";
}
