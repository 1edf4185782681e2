/**
 * A stand-in for a cluster, in tests only: a queue that is asked over a socket and runs real processes; it forgets, hands ids
 * out again, starts jobs twice or late and does not answer, as clusters do. And an executor for it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { readExit } from "../../src/process/adopt.ts";
import type { Command } from "../../src/process/environment.ts";
import type * as Seam from "../../src/process/executor.ts";
import { cookieBearers, signalGroup, signalProcess } from "../../src/process/process-table.ts";
import { endLeftovers, type Stopper, stopTree, type Tree } from "../../src/process/stop.ts";
import { readProcess } from "../../src/system/identity.ts";
import { isGone } from "../rig/processes.ts";
import { until } from "../rig/wait.ts";
import type { StartedJob, Subject, System } from "./subject.ts";

type KnownJob = Seam.KnownJob<QueueReference>;
type QueueReference = Seam.JobReference & { readonly queue: string };

/** What `sbatch`, `squeue` and `scancel` are asked. A job is named by its token; its id is only told. */
type Script = { readonly argv: readonly string[]; readonly env: NodeJS.ProcessEnv };
type Request =
  | { readonly do: "submit"; readonly token: string; readonly script: Script }
  | { readonly do: "list"; readonly tokens: readonly string[] }
  | { readonly do: "cancel"; readonly token: string; readonly graceMs: number };

interface Entry {
  readonly id: number;
  readonly token: string;
  readonly tree: Tree;
  ended: Promise<void>;
  stopper?: Stopper;
}

class FakeCluster implements System<QueueReference> {
  readonly server = createServer({ allowHalfOpen: true }, (socket) => this.#serve(socket));
  readonly #lists: number[] = [];
  /** Says of these that they run, until they are canceled. */
  readonly #insisted = new Set<string>();
  readonly #entries = new Set<Entry>();
  #nextId = 1;
  /** As long as there are any it answers nothing. */
  readonly #silences = new Set<string>();
  readonly startsLate = true;

  async strike({ cookie }: QueueReference): Promise<void> {
    const pids = cookieBearers(cookie);
    for (const { tree } of this.#of(cookie)) signalGroup(tree.pid, "SIGKILL");
    for (const pid of pids) signalProcess(pid, "SIGKILL");
    await until(() => this.#of(cookie).length === 0, "the queue to see it");
  }

  async startAgain({ reference, command }: StartedJob<QueueReference>): Promise<void> {
    await this.#run(reference.cookie, scriptOf(command, process.env)).ended;
  }

  /** The controller crashes, has lost its state, and counts from the beginning. */
  async giveIdAway(reference: QueueReference) {
    this.#entries.clear();
    this.#nextId = 1;
    const { tree } = this.#run("another's", { argv: ["-c", "exec sleep 1000"], env: process.env });
    return { reference, alienLives: () => !isGone(tree.pid) };
  }

  async insistItRuns(reference: QueueReference): Promise<QueueReference> {
    this.#insisted.add(reference.cookie);
    return reference;
  }

  async silence(reference: QueueReference) {
    this.#silences.add(reference.cookie);
    return { reference, speak: () => void this.#silences.clear() };
  }

  readonly asked = () => this.#lists;

  async close(): Promise<void> {
    for (const { tree } of this.#entries) signalGroup(tree.pid, "SIGKILL");
    this.server.close();
  }

  #of(token: string): Entry[] {
    return [...this.#entries].filter((entry) => entry.token === token);
  }

  #run(token: string, { argv, env }: Script): Entry {
    const child = spawn("/bin/sh", argv, { detached: true, stdio: "ignore", cwd: "/", env });
    const pid = child.pid as number;
    const startTime = readProcess(pid)?.startTime ?? "";
    // In place of a control group: all that bears the token, unless a first start does already.
    const tree = { pid, startTime, cookie: this.#of(token).length > 0 ? "" : token };
    const entry: Entry = { id: this.#nextId++, token, tree, ended: Promise.resolve() };
    entry.ended = once(child, "exit").then(async () => {
      await (entry.stopper?.done ?? endLeftovers(tree));
      this.#entries.delete(entry);
    });
    this.#entries.add(entry);
    return entry;
  }

  #serve(socket: Socket): void {
    let request = "";
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      request += data;
    });
    socket.once("end", async () => {
      // What was cut off ends in no brace: its engine was killed.
      if (this.#silences.size > 0 || !request.endsWith("}")) socket.destroy();
      else socket.end(JSON.stringify(await this.#answer(JSON.parse(request))));
    });
  }

  async #answer(request: Request): Promise<unknown> {
    if (request.do === "submit") return this.#run(request.token, request.script).id;
    if (request.do === "list") {
      this.#lists.push(request.tokens.length);
      const listed = [...this.#entries].map(({ id, token }) => ({ id, token }));
      return [...listed, ...[...this.#insisted].map((token) => ({ id: 0, token }))];
    }
    this.#insisted.delete(request.token);
    const entries = this.#of(request.token);
    for (const entry of entries) {
      entry.stopper ??= stopTree(entry.tree, request);
      if (request.graceMs === 0) entry.stopper.killNow();
    }
    await Promise.all(entries.map(({ ended }) => ended));
    return null;
  }
}

const LOOK_MS = 20;

/** Claims the folder, or does nothing; then as the wrapper of local jobs. */
const JOB = `
cd -P -- "$2" || exit
mkdir "$1/claim" 2>/dev/null || exit
trap : HUP INT TERM
( exec <"$3" >>"$1/stdout.log" 2>>"$1/stderr.log" || exit; : >"$1/exit"; shift 3; exec "$@" )
wf__s=$?
[ ! -e "$1/exit" ] || echo "$wf__s" >>"$1/exit"`;

function scriptOf({ attemptDir, cwd, stdin, argv, env }: Command, base: NodeJS.ProcessEnv): Script {
  const all = Object.entries({ ...base, ...env }).filter(([, value]) => value !== null);
  const words = ["-c", JOB, "job", attemptDir, cwd, stdin ?? "/dev/null", ...argv];
  return { argv: words, env: Object.fromEntries(all) as NodeJS.ProcessEnv };
}

interface QueueJob extends Seam.Job<QueueReference> {
  readonly adopted: boolean;
  command?: Command;
  attemptDir: string;
  submitted?: Promise<unknown>;
  stopped?: Promise<unknown>;
}

class FakeClusterExecutor implements Seam.Executor<QueueReference> {
  readonly #place: string;
  readonly #options: Seam.ExecutorOptions<QueueReference>;
  readonly #watched = new Set<QueueJob>();
  room: number;
  #closed = false;

  constructor(place: string, options: Seam.ExecutorOptions<QueueReference>) {
    this.#place = place;
    this.#options = options;
    this.room = options.maxJobs;
    void this.#keepLooking();
  }

  /** A place in a queue needs no preparation. */
  want(): void {}

  reserve(cookie: string): QueueJob | null {
    if (this.room <= 0) return null;
    this.room--;
    return { reference: { cookie, queue: this.#place }, adopted: false, attemptDir: "" };
  }

  handOver(job: QueueJob, command: Command): void {
    Object.assign(job, { command, attemptDir: command.attemptDir });
  }

  open(job: QueueJob): void {
    const script = scriptOf(job.command as Command, this.#options.env);
    job.submitted = this.#insist({ do: "submit", token: job.reference.cookie, script });
    void job.submitted.then(() => this.#watched.add(job));
  }

  hasExited({ attemptDir }: QueueJob): boolean {
    return typeof readExit(attemptDir) === "number";
  }

  stop(job: QueueJob, { graceMs }: { readonly graceMs: number }): Seam.Stopping {
    const cancel = async (ms: number) => {
      await job.submitted;
      await this.#cancel(job, ms);
    };
    job.stopped ??= cancel(graceMs);
    return { killNow: () => void cancel(0) };
  }

  adopt({ reference, attemptDir }: KnownJob): QueueJob {
    const job = { reference, attemptDir, adopted: true };
    this.#watched.add(job);
    return job;
  }

  async endLeftovers(job: KnownJob): Promise<void> {
    await this.#cancel(job);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async #keepLooking(): Promise<void> {
    for (; !this.#closed; await delay(LOOK_MS)) {
      const jobs = [...this.#watched];
      const found = await this.find(jobs);
      for (const [i, job] of jobs.entries()) void this.#take(job, found[i] as Seam.Found);
    }
  }

  async #take(job: QueueJob, found: Seam.Found): Promise<void> {
    if (found.found === "alive" || found.found === "unanswered") return;
    const end = endOf(found, job.adopted || job.stopped !== undefined);
    this.#watched.delete(job);
    await (job.stopped ?? this.#cancel(job));
    if (this.#closed) return;
    if (!job.adopted) this.room++;
    this.#options.onEnd(job, end);
    this.#options.onRoom();
  }

  /** One question about all of them, between two looks into their folders. */
  async find(jobs: readonly Pick<KnownJob | QueueJob, "reference" | "attemptDir">[]): Promise<Seam.Found[]> {
    if (jobs.length === 0) return [];
    const claimed = jobs.map(({ attemptDir }) => existsSync(join(attemptDir, "claim")));
    const tokens = jobs.map(({ reference }) => reference.cookie);
    const answer = await this.#ask({ do: "list", tokens }).catch(() => undefined);
    const listed = (answer as Entry[] | undefined)?.map(({ token }) => token);
    return jobs.map(({ attemptDir, reference }, i) => {
      const mark = readExit(attemptDir);
      if (typeof mark === "number") return { found: "exited", exitCode: mark };
      if (!listed) return { found: "unanswered", why: "the queue does not answer" };
      if (listed.includes(reference.cookie)) return { found: "alive" };
      if (mark === "began") return { found: "lost" };
      // It has come and gone; or it may still be on its way, and must find its folder taken.
      const ours = claimed[i] || mkdirSync(join(attemptDir, "claim"), { recursive: true }) !== undefined;
      return { found: ours ? "never_began" : "alive" };
    });
  }

  #cancel({ reference }: Seam.Job<QueueReference>, graceMs = 2000): Promise<unknown> {
    return this.#insist({ do: "cancel", token: reference.cookie, graceMs });
  }

  /** Asks until there is an answer; nobody hears of it once this is closed. */
  async #insist(request: Request): Promise<unknown> {
    while (!this.#closed) {
      const answer = await this.#ask(request).catch(() => undefined);
      if (answer !== undefined) return answer;
      await delay(LOOK_MS);
    }
    return new Promise(() => undefined);
  }

  async #ask(request: Request): Promise<unknown> {
    const socket = connect(join(this.#place, "queue"));
    socket.end(JSON.stringify(request));
    const answer = await text(socket);
    if (answer === "") throw new Error("it hung up");
    return JSON.parse(answer);
  }
}

function endOf(found: Seam.Found, mayNotBegin: boolean): Seam.JobEnd {
  if (found.found === "exited") return { exitCode: found.exitCode };
  if (found.found !== "never_began") return { died: true };
  return mayNotBegin ? { neverBegan: true } : { error: "it ended before it began" };
}

export const fakeCluster: Subject<QueueReference> = {
  name: "a stand-in for a cluster",
  create: (place, options) => new FakeClusterExecutor(place, options),
  serve: async (place) => {
    const cluster = new FakeCluster();
    await once(cluster.server.listen(join(place, "queue")), "listening");
    return cluster;
  },
};
