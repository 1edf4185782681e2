import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Command } from "../../src/process/environment.ts";
import type { Executor, Found, Job, JobEnd, JobReference, KnownJob } from "../../src/process/executor.ts";
import { cookieBearers, signalProcess } from "../../src/process/process-table.ts";
import { ownIdentity } from "../../src/system/identity.ts";
import { PATIENCE_MS, until } from "../rig/wait.ts";
import type { Phase } from "./engine.ts";
import type { Subject, SubjectPlace, System } from "./subject.ts";

/** A job as it is to be: its token, what it runs, and how a test follows it. */
export class Order {
  readonly cookie: string;
  readonly command: Command;

  constructor(cookie: string, command: Command) {
    this.cookie = cookie;
    this.command = command;
  }

  file(name: string): string | null {
    const path = join(this.command.attemptDir, name);
    return existsSync(path) ? readFileSync(path, "utf8") : null;
  }

  get stdout(): string | null {
    return this.file("stdout.log");
  }

  /** Until it has printed this. */
  async said(text: string): Promise<void> {
    await until(() => this.stdout?.includes(text), `${this.cookie} to say ${text}`);
  }

  /** Lets a script go on that waits with `HOLD`. */
  letGo(): void {
    writeFileSync(join(this.command.attemptDir, "go"), "");
  }

  isGone(): boolean {
    return cookieBearers(this.cookie).length === 0;
  }
}

/** Says that it is at work, and waits until the test lets it go. */
export const HOLD = 'echo on; until [ -e "$WF_ATTEMPT_DIR/go" ]; do sleep 0.01; done';

/** One engine of the test itself, and the ends that it has heard of. */
export interface Engine<R extends JobReference> {
  readonly executor: Executor<R>;
  readonly ends: Map<Job<R>, JobEnd[]>;
  /** How often it has heard that there is room. */
  rooms(): number;
  place(order: Order): Promise<Job<R>>;
  start(order: Order): Promise<Job<R>>;
  end(job: Job<R>): Promise<JobEnd>;
  /** The end of a job from its start. */
  run(order: Order): Promise<JobEnd>;
}

/** A place with its system, engines and jobs; all of it is gone after the test. */
export class Stage<R extends JobReference> {
  readonly place: string;
  readonly system: System<R>;
  readonly #subject: Subject<R>;
  readonly #at: SubjectPlace;
  readonly #name = `contract-${randomBytes(6).toString("hex")}`;
  readonly #orders: Order[] = [];
  readonly #engines: Engine<R>[] = [];
  readonly #children: ChildProcess[] = [];

  static async on<R extends JobReference>(
    t: TestContext,
    subject: Subject<R>,
    at: SubjectPlace,
  ): Promise<Stage<R>> {
    const place = mkdtempSync(join(tmpdir(), "wf-contract-"));
    const stage = new Stage(subject, at, place, await subject.serve(place));
    t.after(() => stage.#end());
    return stage;
  }

  private constructor(subject: Subject<R>, at: SubjectPlace, place: string, system: System<R>) {
    this.#subject = subject;
    this.#at = at;
    this.place = place;
    this.system = system;
  }

  order(script: string, more: Partial<Command> = {}): Order {
    const n = this.#orders.length + 1;
    const cookie = `${this.#name}/${n}`;
    const attemptDir = join(this.place, `attempt-${n}`);
    mkdirSync(attemptDir);
    writeFileSync(join(attemptDir, "script.sh"), `echo ${n} >>"${this.place}/effects"\n${script}\n`);
    const argv = ["/bin/sh", "-e", join(attemptDir, "script.sh")];
    const env = { WF_ATTEMPT_ID: cookie, WF_ATTEMPT_DIR: attemptDir, ...more.env };
    const order = new Order(cookie, { attemptDir, cwd: this.place, argv, ...more, env });
    this.#orders.push(order);
    return order;
  }

  /** How often each command was executed, in the order of their first execution. */
  effects(): Record<string, number> {
    const counts: Record<string, number> = {};
    const path = join(this.place, "effects");
    if (!existsSync(path)) return counts;
    for (const n of readFileSync(path, "utf8").trimEnd().split("\n")) counts[n] = (counts[n] ?? 0) + 1;
    return counts;
  }

  engine(maxJobs = 3): Engine<R> {
    const ends: Engine<R>["ends"] = new Map();
    let rooms = 0;
    const executor = this.#subject.create(this.place, {
      env: { ...process.env, WF_INHERITED: "it's inherited" },
      maxJobs,
      onRoom: () => void rooms++,
      onEnd: (job, end) => void ends.set(job, [...(ends.get(job) ?? []), end]),
      onBroken: (why) => {
        throw new Error(why);
      },
    });
    const engine: Engine<R> = {
      executor,
      ends,
      rooms: () => rooms,
      place: async (order) => {
        executor.want(1);
        const job = await until(() => executor.reserve(order.cookie), "a place");
        assert.equal(job.reference.cookie, order.cookie);
        executor.handOver(job, order.command);
        return job;
      },
      start: async (order) => {
        const job = await engine.place(order);
        executor.open(job);
        return job;
      },
      end: (job) => until(() => ends.get(job)?.[0], `the end of ${job.reference.cookie}`),
      run: async (order) => engine.end(await engine.start(order)),
    };
    this.#engines.push(engine);
    return engine;
  }

  /** An engine in a process of its own that starts them, and is killed when it has come so far, and `then` resolves. */
  async killedEngine(
    orders: readonly Order[],
    phase: Phase,
    then: () => unknown = () => undefined,
  ): Promise<KnownJob<R>[]> {
    const main = fileURLToPath(import.meta.resolve("./engine.ts"));
    const list = JSON.stringify(orders.map(({ cookie, command }) => ({ cookie, command })));
    const argv = ["--import", "tsx", main, this.#at.module, this.#at.name, this.place, list, phase];
    const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"] });
    this.#children.push(child);
    const gone = once(child, "exit");
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const references = JSON.parse((await lines.next()).value ?? "[]") as R[];
    if (phase !== "opening") {
      assert.equal((await lines.next()).value, phase);
      await then();
      child.kill("SIGKILL");
    }
    await gone;
    return orders.map(({ command }, i) => known(references[i] as R, command.attemptDir));
  }

  /** A test that failed may have left anything. */
  async #end(): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    for (const { executor } of this.#engines) await executor.close();
    for (const { cookie } of this.#orders) {
      for (const pid of cookieBearers(cookie)) signalProcess(pid, "SIGKILL");
    }
    await this.system.close();
    rmSync(this.place, { recursive: true, force: true });
    for (const { ends } of this.#engines) {
      for (const each of ends.values()) assert.equal(each.length, 1, "a job ends once");
    }
  }

  /** What an engine finds of one job when it no longer counts as alive. */
  async settled(engine: Engine<R>, job: KnownJob<R>): Promise<Found> {
    for (const end = performance.now() + PATIENCE_MS; ; await delay(5)) {
      const [found] = await engine.executor.find([job]);
      if (found?.found !== "alive") return found as Found;
      if (performance.now() > end) throw new Error(`waited in vain for ${job.reference.cookie} to settle`);
    }
  }
}

/** What the journal would give a later engine on this machine. */
export function known<R extends JobReference>(reference: R, attemptDir: string): KnownJob<R> {
  const { host, machineId, pidNamespace } = ownIdentity();
  return { reference: { host, machineId, pidNamespace, ...reference }, attemptDir };
}
