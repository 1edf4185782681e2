import * as fs from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { errnoOf } from "./io-error.ts";
import { freePath, heartbeatPath, ownerPath } from "./owner.ts";

/**
 * Watches an owner that no system call can tell alive or dead, for `staleMs`: false at the first sign of life or if
 * somebody else took over, true if there was none or it ended cleanly. Only changes count, never the times
 * themselves, and only our own monotonic clock: the clocks of two machines may be an hour apart.
 */
export async function isSilent(runDir: string, epoch: number, staleMs: number): Promise<boolean> {
  const interval = Math.min(250, Math.max(5, staleMs / 20));
  const before = pulse(runDir);
  let watched = 0;
  let last = performance.now();
  while (watched < staleMs) {
    await wait(interval);
    const now = performance.now();
    // If this process was stopped meanwhile, the owner, on the same laptop, may have been too.
    watched += Math.min(now - last, 2 * interval);
    last = now;
    if (fs.existsSync(ownerPath(runDir, epoch + 1))) return false;
    if (fs.existsSync(freePath(runDir, epoch))) return true;
    if (pulse(runDir) !== before) return false;
  }
  return true;
}

function pulse(runDir: string): string {
  try {
    const { ino, mtimeNs } = fs.statSync(heartbeatPath(runDir), { bigint: true });
    return `${ino} ${mtimeNs}`;
  } catch (error) {
    // A heartbeat that can not be seen is as good as none, as long as that does not change.
    return errnoOf(error);
  }
}
