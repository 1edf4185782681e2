import type { Recorder } from "../core/event.ts";
import { type Identity, ownIdentity, readProcess } from "../system/identity.ts";
import { readExit } from "./adopt.ts";
import {
  type Command,
  renderCommand,
  renderFolder,
  type SplitEnvironment,
  splitEnvironment,
} from "./environment.ts";
import type { JobEnd } from "./executor.ts";
import type { Gate } from "./gate-source.ts";
import { GateSupply } from "./gate-supply.ts";
import { watchGroup } from "./group-watch.ts";
import { groupExists, isGone } from "./process-table.ts";
import { findShell } from "./shell.ts";
import { type Stopper, stopTree } from "./stop.ts";
import { whyNotBegun } from "./why-not-begun.ts";
import { DISCARD, GO, NOT_BEGUN, TAKEN } from "./wrapper.ts";

/** How often it is looked whether a wrapper was killed, milliseconds. */
const LIVENESS_MS = 200;

/** A process that waits at its gate, and what the journal says of it. */
export interface LaunchedProcess {
  /** Told apart from every other of this launcher. */
  readonly slot: number;
  /** Of the leader of the command's group. */
  readonly identity: Identity & { readonly recorder?: Recorder };
}

export interface LauncherOptions {
  /** What every step inherits; the engine's own environment, and what is the same in the whole run. */
  readonly env: NodeJS.ProcessEnv;
  /** How many wrappers, idle and running, there can be at once. */
  readonly capacity: number;
  /** A wrapper has become idle. */
  onReady(): void;
  /** Nothing of the process group is left. Not called for what was discarded. */
  onEnd(process: LaunchedProcess, end: JobEnd): void;
  /** No wrapper can be made on this system, or none any more. */
  onBroken(why: string): void;
  /** `spawn`: do without the helper. Default: a helper where there is a `bash`. */
  readonly by?: "helper" | "spawn";
}

/** Starts commands of which the pid is known before they run. */
export interface Launcher {
  /** How many gated wrappers wait now. */
  readonly idle: number;
  /** The pid of the helper, for tests and for people who look at the process table. */
  readonly helperPid: number | undefined;
  /**
   * How many idle wrappers to keep ready; at first none. What was taken since is made up for now, and not before: a fork
   * at the side of what is being started would only delay it.
   */
  want(count: number): void;
  /** An idle wrapper, or null. */
  take(): LaunchedProcess | null;
  /** Hands the command over; it waits at the gate. May overlap with the sync of the journal. */
  prepare(process: LaunchedProcess, command: Command): void;
  /** Opens the gate: the command runs. */
  open(process: LaunchedProcess): void;
  /** Closes the gate instead: the command never runs, `onEnd` is not called. */
  discard(process: LaunchedProcess): void;
  /** Stops the step's tree, those that bear the cookie included; `onEnd` comes when nothing is left. */
  stop(process: LaunchedProcess, options: { readonly cookie: string; readonly graceMs: number }): Stopper;
  /** Ends the helper and what waits at a gate. What runs goes on, and is heard of no more. */
  close(): Promise<void>;
}

interface Wrapper extends LaunchedProcess {
  readonly gate: Gate;
  state: "idle" | "taken" | "prepared" | "open" | "discarded" | "ended";
  command: Command | undefined;
  stopper: Stopper | undefined;
  /** Seen dead once; what it wrote before may still be on its way. */
  suspect: boolean;
}

export function createLauncher(options: LauncherOptions): Launcher {
  return new ProcessLauncher(options);
}

class ProcessLauncher implements Launcher {
  readonly #options: LauncherOptions;
  readonly #env: SplitEnvironment;
  readonly #envProgram: string;
  readonly #supply: GateSupply;
  readonly #idle: Wrapper[] = [];
  /** Idle ones included, until nothing of their group is left. */
  readonly #live = new Set<Wrapper>();
  readonly #liveness: NodeJS.Timeout;
  #want = 0;
  #made = 0;
  #closed = false;

  constructor(options: LauncherOptions) {
    this.#options = options;
    this.#env = splitEnvironment(options.env);
    this.#envProgram = findShell("env", options.env.PATH, "/") ?? "/usr/bin/env";
    this.#supply = new GateSupply({
      env: this.#env.inherited,
      path: options.env.PATH,
      capacity: options.capacity,
      by: options.by,
      onGate: (gate) => this.#onGate(gate),
      onRoom: () => this.#refill(),
      onBroken: (why) => options.onBroken(why),
    });
    this.#liveness = setInterval(() => this.#lookForDead(), LIVENESS_MS).unref();
  }

  get idle(): number {
    return this.#idle.length;
  }

  get helperPid(): number | undefined {
    return this.#supply.helperPid;
  }

  want(count: number): void {
    this.#want = count;
    this.#refill();
  }

  take(): LaunchedProcess | null {
    let wrapper = this.#idle.shift();
    while (wrapper !== undefined && !groupExists(wrapper.identity.pid)) {
      this.#settle(wrapper, { died: true }, false);
      wrapper = this.#idle.shift();
    }
    if (wrapper !== undefined) wrapper.state = "taken";
    return wrapper ?? null;
  }

  prepare(process: LaunchedProcess, command: Command): void {
    const wrapper = inState(process, "taken");
    if (wrapper === null) return;
    wrapper.state = "prepared";
    wrapper.command = command;
    wrapper.gate.send(renderCommand(command, this.#env, this.#envProgram));
  }

  open(process: LaunchedProcess): void {
    const wrapper = inState(process, "prepared");
    if (wrapper === null) return;
    wrapper.state = "open";
    wrapper.gate.send(GO + renderFolder((wrapper.command as Command).attemptDir));
  }

  discard(process: LaunchedProcess): void {
    const wrapper = inState(process, "taken", "prepared");
    if (wrapper === null) return;
    wrapper.state = "discarded";
    wrapper.gate.send(DISCARD);
  }

  stop(process: LaunchedProcess, options: { readonly cookie: string; readonly graceMs: number }): Stopper {
    const wrapper = process as Wrapper;
    const { pid, startTime } = wrapper.identity;
    wrapper.stopper ??= stopTree({ pid, startTime, cookie: options.cookie }, options);
    return wrapper.stopper;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#liveness);
    const gated = [...this.#live].filter((wrapper) => wrapper.state !== "open");
    for (const wrapper of this.#live) wrapper.gate.close();
    const groups = gated.flatMap(({ identity }) => [
      identity,
      ...(identity.recorder ? [identity.recorder] : []),
    ]);
    const gone = groups.map((leader) => new Promise<void>((resolve) => watchGroup(leader, resolve)));
    // First, while what forked them is there to collect them: whoever else has to takes his time.
    await Promise.all(gone);
    await this.#supply.close();
  }

  #refill(): void {
    if (this.#closed) return;
    this.#supply.ask(Math.min(this.#want - this.#idle.length, this.#options.capacity - this.#live.size));
  }

  #onGate(gate: Gate): void {
    const facts = readProcess(gate.pid);
    if (facts === null || this.#closed) {
      gate.release(false);
      this.#refill();
      return;
    }
    const { pid, recorder } = gate;
    const identity = { ...ownIdentity(), pid, startTime: facts.startTime, ...(recorder && { recorder }) };
    const unused = { state: "idle", command: undefined, stopper: undefined, suspect: false } as const;
    const wrapper: Wrapper = { slot: this.#made++, identity, gate, ...unused };
    gate.onLine = (line) => this.#onLine(wrapper, line);
    gate.onClose = () => this.#onDeath(wrapper);
    this.#live.add(wrapper);
    this.#idle.push(wrapper);
    this.#options.onReady();
  }

  #onLine(wrapper: Wrapper, line: string): void {
    const { command } = wrapper;
    let end: JobEnd = { error: "its exit status could not be written" };
    if (/^\d+$/.test(line)) end = { exitCode: Number(line) };
    else if (line === NOT_BEGUN) end = { error: whyNotBegun(command) };
    else if (line === TAKEN) end = { error: "it was started before: its folder is taken" };
    // It has read all that it was sent, or was killed.
    this.#settle(wrapper, end, line !== TAKEN);
  }

  #onDeath(wrapper: Wrapper): void {
    if (wrapper.state === "ended") return;
    let end: JobEnd = { died: true };
    try {
      const mark = wrapper.command === undefined ? null : readExit(wrapper.command.attemptDir);
      if (mark === null) end = { error: whyNotBegun(wrapper.command) };
      else if (mark !== "began") end = { exitCode: mark };
    } catch (error) {
      end = { error: (error as Error).message };
    }
    this.#settle(wrapper, end, false);
  }

  #lookForDead(): void {
    this.#supply.lookForDead();
    for (const wrapper of this.#live) {
      const { pid, startTime } = wrapper.identity.recorder ?? wrapper.identity;
      if (!isGone(pid, startTime)) continue;
      if (wrapper.suspect) this.#onDeath(wrapper);
      wrapper.suspect = true;
    }
  }

  /** @param spent it has read all that was sent, so that its channel may serve another */
  #settle(wrapper: Wrapper, end: JobEnd, spent: boolean): void {
    if (wrapper.state === "ended" || this.#closed) return;
    const silent = wrapper.state === "idle" || wrapper.state === "discarded";
    if (wrapper.state === "idle") this.#idle.splice(0, Infinity, ...this.#idle.filter((w) => w !== wrapper));
    wrapper.state = "ended";
    const onGone = () => {
      this.#live.delete(wrapper);
      wrapper.gate.release(spent);
      if (this.#closed) return;
      this.#refill();
      if (!silent) this.#options.onEnd(wrapper, end);
    };
    watchGroup(wrapper.identity, onGone, () => wrapper.stopper);
  }
}

/** Null if it has ended meanwhile. */
function inState(process: LaunchedProcess, ...states: Wrapper["state"][]): Wrapper | null {
  const wrapper = process as Wrapper;
  if (wrapper.state === "ended") return null;
  if (!states.includes(wrapper.state)) throw new Error(`a process that is ${wrapper.state}`);
  return wrapper;
}
