import { closeSync, constants, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ProcessIdentity } from "../core/event.ts";
import { isAlive, ownIdentity } from "../system/identity.ts";
import type { Found, JobEnd } from "./executor.ts";
import { endLeftovers, type Stopper, stopTree } from "./stop.ts";
import { WRAPPER_FILES } from "./wrapper.ts";

const WATCH_MS = 50;

export function inspect(attemptDir: string, identity: ProcessIdentity): Found {
  const life = lifeOf(identity);
  if (life === "rebooted") return { found: "rebooted" };
  // After the look at the process: what it wrote before it died is there by now.
  const mark = readExit(attemptDir);
  const exitCode = typeof mark === "number" ? mark : null;
  if (life === "foreign") return { found: "foreign", exitCode };
  if (exitCode !== null) return { found: "exited", exitCode };
  if (life === "alive") return { found: "alive" };
  if (life === "unknown") {
    return {
      found: "unanswered",
      why: `the system does not tell whether process ${identity.pid} is still its own`,
    };
  }
  return mark === "began" ? { found: "lost" } : { found: "never_began" };
}

/** The status in `exit`; `began` if it holds none, null if the command never began. */
export function readExit(attemptDir: string): number | "began" | null {
  let file: number;
  try {
    file = openSync(join(attemptDir, WRAPPER_FILES.exit), constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  try {
    // The step could have put anything there, a device without end too.
    const bytes = Buffer.alloc(8);
    const text = bytes.toString("latin1", 0, readSync(file, bytes));
    return /^\d{1,3}\n$/.test(text) ? Number(text) : "began";
  } finally {
    closeSync(file);
  }
}

export interface Watch {
  /** Stops the step's tree; its end is reported as ever. */
  stop(options: { readonly graceMs: number }): Stopper;
  /** Looks no more; the step goes on. */
  close(): void;
}

/** Waits for a wrapper that is not our child, and then for its group; what is left in that is ended. */
export function watch(attemptDir: string, identity: ProcessIdentity, onEnd: (end: JobEnd) => void): Watch {
  let closed = false;
  let stopper: Stopper | undefined;
  const settle = async (): Promise<JobEnd> => {
    const exited = typeof readExit(attemptDir) === "number";
    await (stopper?.done ?? endLeftovers(exited ? { ...identity, cookie: "" } : identity));
    // The status of what was stopped is on its way.
    while (typeof readExit(attemptDir) !== "number" && lifeOf(identity) === "alive") await delay(WATCH_MS);
    const mark = readExit(attemptDir);
    if (typeof mark === "number") return { exitCode: mark };
    return mark === "began" ? { died: true } : { neverBegan: true };
  };
  const report = (end: JobEnd) => {
    if (!closed) onEnd(end);
  };
  const look = () => {
    const life = lifeOf(identity);
    if ((life === "alive" || life === "unknown") && typeof readExit(attemptDir) !== "number") return;
    clearInterval(timer);
    settle().then(report, (error: Error) => report({ error: error.message }));
  };
  const timer = setInterval(() => {
    try {
      look();
    } catch (error) {
      clearInterval(timer);
      report({ error: (error as Error).message });
    }
  }, WATCH_MS);
  return {
    stop: (options) => {
      stopper ??= stopTree(identity, options);
      return stopper;
    },
    close: () => {
      closed = true;
      clearInterval(timer);
    },
  };
}

/** Of who records the step's status: as long as that lives, the status may still come, and without it never will. */
function lifeOf(identity: ProcessIdentity): "alive" | "dead" | "unknown" | "rebooted" | "foreign" {
  const self = ownIdentity();
  const sameBoot = identity.bootId !== "" && identity.bootId === self.bootId;
  const alive = isAlive({ ...identity, ...identity.recorder }, self);
  if (!sameBoot) return alive === "dead" ? "rebooted" : "foreign";
  return identity.pidNamespace === self.pidNamespace ? alive : "foreign";
}
