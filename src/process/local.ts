import { inspect, readExit, type Watch, watch } from "./adopt.ts";
import type { Command } from "./environment.ts";
import type { Executor, ExecutorOptions, Found, Job, KnownJob, Stopping } from "./executor.ts";
import { createLauncher, type LaunchedProcess, type Launcher } from "./launcher.ts";
import { endLeftovers } from "./stop.ts";

/** Idle wrappers that are kept ready, at most: the fork of the next overlaps with what runs. */
const MAX_READY = 8;

export interface LocalOptions extends ExecutorOptions {
  /** As for the launcher. */
  readonly by?: "helper" | "spawn";
}

interface LaunchedJob extends Job {
  readonly launched: LaunchedProcess;
  /** Undefined until the command is handed over. */
  attemptDir: string | undefined;
}

interface AdoptedJob extends Job {
  readonly watch: Watch;
  readonly attemptDir: string;
}

/** Runs jobs as processes of this machine. */
export function createLocal(options: LocalOptions): Executor {
  return new Local(options);
}

class Local implements Executor {
  readonly #launcher: Launcher;
  readonly #launched = new Map<LaunchedProcess, LaunchedJob>();
  readonly #watches = new Set<Watch>();
  readonly #onEnd: ExecutorOptions["onEnd"];

  constructor({ env, maxJobs, onRoom, onEnd, onBroken, by }: LocalOptions) {
    this.#onEnd = onEnd;
    this.#launcher = createLauncher({
      env,
      capacity: maxJobs + Math.min(maxJobs, MAX_READY),
      onReady: onRoom,
      onEnd: (launched, end) => {
        const job = this.#launched.get(launched);
        this.#launched.delete(launched);
        if (job !== undefined) onEnd(job, end);
      },
      onBroken,
      ...(by && { by }),
    });
  }

  get room(): number {
    return this.#launcher.idle;
  }

  want(count: number): void {
    this.#launcher.want(Math.min(count, MAX_READY));
  }

  reserve(cookie: string): Job | null {
    const launched = this.#launcher.take();
    if (launched === null) return null;
    const { pid, startTime, bootId, recorder } = launched.identity;
    const job: LaunchedJob = {
      reference: { pid, startTime, bootId, cookie, ...(recorder && { recorder }) },
      launched,
      attemptDir: undefined,
    };
    this.#launched.set(launched, job);
    return job;
  }

  handOver(job: Job, command: Command): void {
    const own = job as LaunchedJob;
    own.attemptDir = command.attemptDir;
    this.#launcher.prepare(own.launched, command);
  }

  open(job: Job): void {
    this.#launcher.open((job as LaunchedJob).launched);
  }

  hasExited(job: Job): boolean {
    const { attemptDir } = job as LaunchedJob | AdoptedJob;
    return attemptDir !== undefined && typeof readExit(attemptDir) === "number";
  }

  stop(job: Job, { graceMs }: { readonly graceMs: number }): Stopping {
    const own = job as LaunchedJob | AdoptedJob;
    if ("watch" in own) return own.watch.stop({ graceMs });
    return this.#launcher.stop(own.launched, { cookie: own.reference.cookie, graceMs });
  }

  async find(jobs: readonly KnownJob[]): Promise<readonly Found[]> {
    return jobs.map(({ attemptDir, reference }) => inspect(attemptDir, reference));
  }

  adopt({ attemptDir, reference }: KnownJob): Job {
    const watching = watch(attemptDir, reference, (end) => {
      this.#watches.delete(watching);
      this.#onEnd(job, end);
    });
    const job: AdoptedJob = { reference, attemptDir, watch: watching };
    this.#watches.add(watching);
    return job;
  }

  endLeftovers({ reference }: KnownJob): Promise<void> {
    return endLeftovers(reference);
  }

  async close(): Promise<void> {
    for (const watching of this.#watches) watching.close();
    await this.#launcher.close();
  }
}
