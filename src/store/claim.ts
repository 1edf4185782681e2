import * as fs from "node:fs";
import { resolve } from "node:path";
import { writeNew } from "./atomic-file.ts";
import { Heartbeat, type HeartbeatTimes } from "./heartbeat.ts";
import { errnoOf, ioError } from "./io-error.ts";
import { freePath, type Owner, ownerPath } from "./owner.ts";

/** The right to drive a run and to write into its directory, until it is released or somebody takes it. */
export class Claim {
  readonly runDir: string;
  readonly owner: Owner;
  #heartbeat: Heartbeat | undefined;
  #released = false;

  constructor(runDir: string, owner: Owner) {
    this.runDir = resolve(runDir);
    this.owner = owner;
  }

  get epoch(): number {
    return this.owner.epoch;
  }

  /** Whether somebody took the run over or its directory is gone; two system calls. */
  isLost(): boolean {
    return (
      fs.existsSync(ownerPath(this.runDir, this.epoch + 1)) ||
      !fs.existsSync(ownerPath(this.runDir, this.epoch))
    );
  }

  /**
   * Tells those who can not see this process that it lives. To be called within a few seconds of the claim, and not
   * before: a short run is over by then and never pays for it. `onLost` is called once, if somebody took the run
   * over; then nothing may be written any more and the steps are theirs.
   *
   * The library behind it turns Node's exit code 13 (the event loop ran dry) into 0 and its timers do not hold the
   * process, so whoever drives a run sets `process.exitCode` to a failure first and clears it at the end.
   */
  async startHeartbeat(onLost: () => void, times?: HeartbeatTimes): Promise<void> {
    if (this.#heartbeat || this.#released) return;
    this.#heartbeat = new Heartbeat(this.runDir, () => this.isLost(), onLost, times);
    await this.#heartbeat.start();
  }

  /** The clean end: the next claim need not wait or prove anything. After a loss it leaves everything as it is. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    const lost = this.isLost();
    // Before `free`: after it the heartbeat may already be that of the next owner.
    this.#heartbeat?.stop({ remove: !lost });
    if (lost) return;
    try {
      writeNew(freePath(this.runDir, this.epoch), "", false);
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw ioError(error, `release ${this.runDir}`);
    }
  }
}
