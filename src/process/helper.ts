import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import type { Recorder } from "../core/event.ts";
import { readProcess } from "../system/identity.ts";
import type { Environment } from "./environment.ts";
import { type Gate, type GateSource, type GateSourceEvents, ignoreErrors, onLines } from "./gate-source.ts";
import { watchGroup } from "./group-watch.ts";
import { isGone } from "./process-table.ts";
import { HELPER_READY, helperScript } from "./wrapper.ts";

const CLOSE_MS = 2000;
/** Whatever is called `bash` and has not answered by then is none. */
const READY_MS = 5000;

interface Slot {
  readonly channel: Socket;
  /** `asked`: a wrapper is on its way, from the recorder if there is one already. */
  state: "free" | "asked" | "taken" | "retired";
  recorder: Recorder | undefined;
  /** Of the wrapper that the recorder has made, and that is not offered yet. */
  made: number | undefined;
  gate: Gate | undefined;
}

/**
 * A long-lived `bash` that forks recorders, each of which forks one wrapper after another: Node's own `spawn` costs many
 * times as much, and the more the larger the engine is. It is the leader of its own session, so that the terminal's
 * signals reach no step.
 */
export class Helper implements GateSource {
  readonly #process: ChildProcess;
  readonly #slots: Slot[];
  readonly #events: GateSourceEvents;
  readonly #exited: Promise<void>;
  readonly #readiness: NodeJS.Timeout;
  #gone = false;

  constructor(bash: string, env: Environment, slots: number, events: GateSourceEvents) {
    this.#events = events;
    this.#process = spawn(bash, ["--norc", "--noprofile", "-c", helperScript(slots), "wf"], {
      detached: true,
      cwd: "/",
      env: { ...env, LC_ALL: "C" },
      stdio: ["pipe", "pipe", "ignore", ...Array<"pipe">(slots).fill("pipe")],
    });
    this.#exited = new Promise((resolve) => {
      this.#process.once("exit", () => resolve());
      this.#process.once("error", () => resolve());
    });
    this.#readiness = setTimeout(() => this.#process.kill("SIGKILL"), READY_MS);
    void this.#exited.then(() => this.#lose("it ended"));
    this.#slots = this.#process.stdio.slice(3).map((channel) => this.#slot(channel as Socket));
    const { stdin, stdout } = this.#process;
    if (stdin === null || stdout === null) return;
    ignoreErrors(stdin);
    ignoreErrors(stdout);
    onLines(stdout, (line) => this.#answer(line));
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get room(): number {
    return this.#gone ? 0 : this.#slots.filter((slot) => slot.state === "free").length;
  }

  request(): void {
    const index = this.#slots.findIndex((slot) => slot.state === "free");
    const slot = this.#slots[index];
    if (slot === undefined || this.#gone) return;
    slot.state = "asked";
    this.#process.stdin?.write(`${index}\n`);
  }

  lookForDead(): void {
    for (const slot of this.#slots) {
      const { state, recorder } = slot;
      if (state !== "asked" || recorder === undefined || !isGone(recorder.pid, recorder.startTime)) continue;
      slot.state = "retired";
      slot.channel.destroy();
      this.#events.onLost();
    }
  }

  retire(): void {
    this.#lose("it has no channel left");
  }

  async close(): Promise<void> {
    this.#gone = true;
    for (const slot of this.#slots) slot.channel.destroy();
    // Those whose command runs go on with it. The helper collects the others, and so ends after them.
    const unused = this.#slots.flatMap(({ gate, recorder }) => (gate || !recorder ? [] : [recorder]));
    await Promise.all(
      unused.map((recorder) => new Promise<void>((resolve) => watchGroup(recorder, resolve))),
    );
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), CLOSE_MS);
    this.#process.stdin?.end();
    await this.#exited;
    clearTimeout(timer);
    this.#process.stdout?.destroy();
  }

  #slot(channel: Socket): Slot {
    const slot: Slot = { channel, state: "free", recorder: undefined, made: undefined, gate: undefined };
    ignoreErrors(channel);
    onLines(channel, (line) => {
      const [word, pid] = line.split(" ");
      if (word !== HELPER_READY) return slot.gate?.onLine(line);
      slot.made = Number(pid);
      this.#offer(slot);
    });
    channel.once("close", () => {
      slot.state = "retired";
      slot.gate?.onClose();
    });
    return slot;
  }

  #answer(line: string): void {
    if (line === HELPER_READY) clearTimeout(this.#readiness);
    const [index, pid] = line.split(" ").map(Number);
    const slot = this.#slots[index as number];
    if (slot?.state !== "asked" || !pid || this.#gone) return;
    slot.recorder = { pid, startTime: readProcess(pid)?.startTime ?? "" };
    this.#offer(slot);
  }

  /** Once both are known, and the wrapper before it is done with. */
  #offer(slot: Slot): void {
    const { made, recorder } = slot;
    if (slot.state !== "asked" || made === undefined || recorder === undefined || this.#gone) return;
    slot.state = "taken";
    slot.made = undefined;
    slot.gate = this.#gate(slot, made, recorder);
    this.#events.onGate(slot.gate);
  }

  #gate(slot: Slot, pid: number, recorder: Recorder): Gate {
    return {
      pid,
      recorder,
      send: (text) => void slot.channel.write(text),
      release: (spent) => {
        slot.gate = undefined;
        if (spent && !this.#gone && slot.state === "taken") {
          slot.state = "asked";
          this.#events.onRenewal();
          this.#offer(slot);
        } else {
          slot.state = "retired";
          slot.channel.destroy();
        }
      },
      close: () => void slot.channel.destroy(),
      onLine: () => undefined,
      onClose: () => undefined,
    };
  }

  #lose(why: string): void {
    clearTimeout(this.#readiness);
    if (this.#gone) return;
    this.#gone = true;
    this.#process.stdin?.end();
    for (const slot of this.#slots) {
      if (slot.state !== "taken") slot.channel.destroy();
    }
    this.#events.onGone(why);
  }
}
