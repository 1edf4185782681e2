import type { ProcessIdentity, StartedProcess } from "../core/event.ts";
import type { Command } from "./environment.ts";

/**
 * What finds a job again. The engine puts it into the journal, and knows only the cookie of it: the attempt's own token,
 * which it has made itself and which no other attempt anywhere has.
 */
export type JobReference = Pick<ProcessIdentity, "cookie">;

/** One attempt's command, from the moment a place is reserved for it. */
export interface Job<R extends JobReference = StartedProcess> {
  readonly reference: R;
}

/** A job as the journal knows it: its reference, and the machine of the engine that started it. */
export interface KnownJob<R extends JobReference = StartedProcess> {
  readonly reference: R & Pick<ProcessIdentity, "host" | "machineId" | "pidNamespace">;
  /** Absolute. */
  readonly attemptDir: string;
}

/** How a job ended, once nothing of it is left. */
export type JobEnd =
  | { readonly exitCode: number }
  /** It began, and left no status: nobody knows how far the command came. */
  | { readonly died: true }
  /** It was adopted, or stopped early: the command has not run, and never will. */
  | { readonly neverBegan: true }
  /** It could not be started, or its status could not be written: why. */
  | { readonly error: string };

/** What a later engine finds of a job that was started and whose end is not in the journal. */
export type Found =
  | { readonly found: "exited"; readonly exitCode: number }
  /** It runs, or has yet to begin and may. */
  | { readonly found: "alive" }
  /** It could not be asked about: it may run, and counts as alive until there is an answer. */
  | { readonly found: "unanswered"; readonly why: string }
  /** The command has not run, and never will. */
  | { readonly found: "never_began" }
  /** It began and is no more, and nothing says how it ended. */
  | { readonly found: "lost" }
  /** Whatever its status says: after a power cut it need not be true. */
  | { readonly found: "rebooted" }
  /** Started where nobody here can look: nobody can tell whether it still runs. */
  | { readonly found: "foreign"; readonly exitCode: number | null };

export interface Stopping {
  /** The grace period is over. */
  killNow(): void;
}

export interface ExecutorOptions<R extends JobReference = StartedProcess> {
  /** What every job inherits; the engine's own environment, and what is the same in the whole run. */
  readonly env: NodeJS.ProcessEnv;
  /** How many jobs the engine has at work at once, at most. */
  readonly maxJobs: number;
  /** There is room where there was none. */
  onRoom(): void;
  /** A job that was opened or adopted has ended, and nothing of it is left. Never within a call of the executor. */
  onEnd(job: Job<R>, end: JobEnd): void;
  /** No job can be started, or none any more. */
  onBroken(why: string): void;
}

/**
 * Where the commands of a run are executed. The engine reserves a place, journals its reference, hands the command
 * over, and opens the gate when the journal is durable; from then on all it relies upon is on disk, in the attempt's
 * folder. What every executor promises, whatever crashes:
 *
 * - The command runs only after `open`, and at most once. The job claims the attempt's folder, by creating something in
 *   it exclusively, before it does anything else: a second start finds it taken, and does nothing. Where a job can still be on
 *   its way when its engine is dead, the executor takes that claim itself before it says that the job never began.
 * - Standard output and error are `stdout.log` and `stderr.log` of the attempt's folder.
 * - `exit` is there, empty, when the command begins, and holds its status and a newline once it has ended; what a signal ended has
 *   128 and its number. A status that is there is the truth; what a system says of the job comes second, and is asked first.
 * - A job is found by its own token, the cookie, which is durable before anything is submitted: the ids of a system
 *   are handed out again. What bears another token is another's job, and is left alone.
 * - "It could not be asked" is never "there is no such job": without an answer a job counts as alive.
 * - However many jobs there are, a system that has to be asked is asked once for all of them.
 * - A job outlives the engine that started it. Nothing that a later engine needs is in memory, or outside of the
 *   reference and the attempt's folder.
 *
 * The contract test in `test/contract` holds an executor to all of it.
 */
export interface Executor<R extends JobReference = StartedProcess> {
  /** How many places can be reserved now. */
  readonly room: number;
  /** How many are likely to be wanted before long, so that they are ready by then; at first none. Said anew in each turn. */
  want(count: number): void;
  /** A place for a job that is to bear this cookie, or null. Nothing runs in it yet, and nothing will if the engine dies. */
  reserve(cookie: string): Job<R> | null;
  /** Hands the command over; it waits at the gate. May overlap with the sync of the journal. */
  handOver(job: Job<R>, command: Command): void;
  /** Opens the gate, the reference being durable: the command runs. */
  open(job: Job<R>): void;
  /** Whether its status is there, and `onEnd` is about to come: there is nothing to stop any more. */
  hasExited(job: Job<R>): boolean;
  /** SIGTERM to all that belongs to the job; SIGKILL after the grace period, until nothing is left. Its end is reported as ever. */
  stop(job: Job<R>, options: { readonly graceMs: number }): Stopping;
  /** What has become of jobs of earlier engines, in their order. Asks for all of them at once. */
  find(jobs: readonly KnownJob<R>[]): Promise<readonly Found[]>;
  /** Takes a job over that an earlier engine started and that counts as alive: its end is reported, and it can be stopped. */
  adopt(job: KnownJob<R>): Job<R>;
  /** Ends what is left of a job that has exited or was lost; resolves when nothing is. */
  endLeftovers(job: KnownJob<R>): Promise<void>;
  /** What was not opened never runs. What runs goes on, and is heard of no more. */
  close(): Promise<void>;
}
