import type { Command } from "../../src/process/environment.ts";
import type { Executor, ExecutorOptions, JobReference } from "../../src/process/executor.ts";

/** An executor, and all that the contract test needs to know about its kind. */
export interface Subject<R extends JobReference> {
  readonly name: string;
  /** An executor as an engine makes it. All of one place see the same system. */
  create(place: string, options: ExecutorOptions<R>): Executor<R>;
  /** Begins what serves a place, an empty folder. Only the test does this, and no engine. */
  serve(place: string): Promise<System<R>>;
}

export interface StartedJob<R extends JobReference> {
  readonly reference: R;
  readonly command: Command;
}

/** What runs the jobs of a place, and what can go wrong with it. */
export interface System<R extends JobReference> {
  /** Ends every process of a job at once, and whatever would tell of its end, as when its machine goes down. */
  strike(reference: R): Promise<void>;
  /** Starts a job once more; resolves when that start has come to its end. */
  startAgain(job: StartedJob<R>): Promise<void>;
  /** Whether a job can be on its way still when its engine is dead. */
  readonly startsLate: boolean;
  /** Gives the id of a job that is no more to another's, and says whether that lives; the reference as it is then. */
  giveIdAway(reference: R): Promise<{ readonly reference: R; alienLives(): boolean }>;
  /** From now on it claims that a job runs whose status is there; the reference as it is then. */
  insistItRuns(reference: R): Promise<R>;
  /** From now on it says nothing about a job, until `speak` is called; the reference as it is then. */
  silence(reference: R): Promise<{ readonly reference: R; speak(): void }>;
  /** About how many jobs it was asked, each time it was; absent where there is nobody to be asked. */
  readonly asked?: () => readonly number[];
  close(): Promise<void>;
}

/** Where a subject is found: engines that are to be killed load it by themselves. */
export interface SubjectPlace {
  /** The URL of a module. */
  readonly module: string;
  /** The name that it exports the subject by. */
  readonly name: string;
}

export async function loadSubject<R extends JobReference>({
  module,
  name,
}: SubjectPlace): Promise<Subject<R>> {
  return (await import(module))[name] as Subject<R>;
}
