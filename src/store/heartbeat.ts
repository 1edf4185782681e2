import * as fs from "node:fs";
import { resolve } from "node:path";
import { heartbeatPath } from "./owner.ts";

export interface HeartbeatTimes {
  /** Milliseconds; the library takes no less than 2000. */
  readonly stale: number;
  /** Milliseconds; the library takes no less than 1000. */
  readonly update: number;
}

const TIMES: HeartbeatTimes = { stale: 30_000, update: 5_000 };

/** Touches `lock/heartbeat` at intervals. It decides nothing: who drives the run, the claims say. */
export class Heartbeat {
  #unlock: (() => void) | undefined;
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;
  readonly #runDir: string;
  readonly #isLost: () => boolean;
  readonly #onLost: () => void;
  readonly #times: HeartbeatTimes;

  constructor(runDir: string, isLost: () => boolean, onLost: () => void, times: HeartbeatTimes = TIMES) {
    this.#runDir = resolve(runDir);
    this.#isLost = isLost;
    this.#onLost = onLost;
    this.#times = times;
  }

  /** Only for the owner: it replaces whatever heartbeat is there. */
  async start(): Promise<void> {
    const { lockSync } = await import("proper-lockfile");
    this.#beat(lockSync);
  }

  /** `remove`: false if the heartbeat on disk may be that of another owner. */
  stop({ remove }: { readonly remove: boolean }): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
    if (!remove) return;
    try {
      this.#unlock?.();
    } catch {
      // Compromised at this moment; whoever did it has removed it.
    }
  }

  #beat(lockSync: typeof import("proper-lockfile").lockSync): void {
    if (this.#stopped) return;
    if (this.#isLost()) {
      this.#stopped = true;
      this.#onLost();
      return;
    }
    try {
      const path = heartbeatPath(this.#runDir);
      fs.rmSync(path, { recursive: true, force: true });
      this.#unlock = lockSync(this.#runDir, {
        lockfilePath: path,
        realpath: false,
        ...this.#times,
        onCompromised: () => {
          this.#unlock = undefined;
          this.#beat(lockSync);
        },
      });
    } catch {
      // A full or failing disk: the journal will meet it too and say so; meanwhile only far watchers are misled.
      this.#retry = setTimeout(() => this.#beat(lockSync), this.#times.update).unref();
    }
  }
}
