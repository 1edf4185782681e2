import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import type { Environment } from "./environment.ts";
import { type Gate, type GateSource, type GateSourceEvents, ignoreErrors, onLines } from "./gate-source.ts";
import { DIRECT_SCRIPT } from "./wrapper.ts";

const RETRY_MS = 100;
/** The system may be out of processes for a moment. */
const MAX_RETRIES = 50;

/** Starts each wrapper by itself: slower, and works where there is no `bash`. */
export class Direct implements GateSource {
  readonly #sh: string;
  readonly #env: Environment;
  readonly #capacity: number;
  readonly #events: GateSourceEvents;
  #used = 0;
  #failures = 0;
  #closed = false;

  constructor(sh: string, env: Environment, capacity: number, events: GateSourceEvents) {
    this.#sh = sh;
    this.#env = env;
    this.#capacity = capacity;
    this.#events = events;
  }

  get room(): number {
    return this.#closed ? 0 : this.#capacity - this.#used;
  }

  request(): void {
    this.#used++;
    // Later, as it blocks: what is due in this turn of the loop goes first.
    setImmediate(() => this.#start());
  }

  lookForDead(): void {
    // Each makes one, when it is asked.
  }

  retire(): void {
    // Its channels are made anew for each wrapper.
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #start(): void {
    if (this.#closed) return;
    const child = spawn(this.#sh, ["-c", DIRECT_SCRIPT, "wf"], {
      detached: true,
      cwd: "/",
      env: { ...this.#env, LC_ALL: "C" },
      stdio: ["ignore", "ignore", "ignore", "pipe"],
    });
    child.once("error", (error) => this.#failed(error));
    if (child.pid === undefined) return;
    this.#failures = 0;
    child.unref();
    this.#events.onGate(this.#gate(child, child.pid));
  }

  #failed(error: Error): void {
    if (this.#closed) return;
    if (++this.#failures <= MAX_RETRIES) {
      setTimeout(() => this.#start(), RETRY_MS);
      return;
    }
    this.#closed = true;
    this.#events.onGone(error.message);
  }

  #gate(child: ChildProcess, pid: number): Gate {
    const channel = child.stdio[3] as Socket;
    const gate: Gate = {
      pid,
      send: (text) => void channel.write(text),
      release: () => {
        this.#used--;
        channel.destroy();
      },
      close: () => void channel.destroy(),
      onLine: () => undefined,
      onClose: () => undefined,
    };
    ignoreErrors(channel);
    onLines(channel, (line) => gate.onLine(line));
    channel.once("close", () => gate.onClose());
    return gate;
  }
}
