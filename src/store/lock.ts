import * as fs from "node:fs";
import { basename, join, resolve } from "node:path";
import { WfError } from "../core/problem.ts";
import { isAlive } from "../system/identity.ts";
import { createExclusive, syncDir } from "./atomic-file.ts";
import { Claim } from "./claim.ts";
import { clockTime } from "./clock-time.ts";
import { errnoOf, ioError } from "./io-error.ts";
import { RUN_FILES } from "./layout.ts";
import { heartbeatPath, isFree, latestEpoch, newOwner, type Owner, ownerPath, readOwner } from "./owner.ts";
import { readJournal } from "./read-journal.ts";
import { formatRecord } from "./record-text.ts";
import { isSilent } from "./watch-heartbeat.ts";

export const STALE_MS = 30_000;

export interface ClaimOptions {
  /** Of the program, for the record. */
  readonly version: string;
  /** False for runs that need not survive a power cut; default true. */
  readonly sync?: boolean;
  /** How long an owner that can not be looked at (another host or container) has to be silent; default 30 s. */
  readonly staleMs?: number;
  /** Told once if that wait begins. */
  readonly onWaiting?: (owner: Owner, staleMs: number) => void;
}

/**
 * Makes this process the one that drives the run. A claim is the exclusive creation of `owner-<N+1>.json`; it may be
 * tried if owner N ended cleanly or is provably dead, or, where no proof is possible, was silent for `staleMs`.
 * Claims are never deleted: each epoch has at most one owner, and whoever finds a later one than its own has lost.
 *
 * Raises RUN_LOCKED (somebody else drives it, or was faster), RUN_DAMAGED, IO_ERROR.
 */
export async function claim(runDir: string, options: ClaimOptions): Promise<Claim> {
  const latest = latestEpoch(runDir);
  if (latest > 0 && !isFree(runDir, latest)) await outlive(runDir, latest, options);
  const epoch = latest > 0 ? latest + 1 : epochAfterJournal(runDir);
  // Looked at again, since the journal that was just read may be that of somebody who claimed in between.
  if (latest === 0 && latestEpoch(runDir) > 0) return claim(runDir, options);

  const owner = newOwner(epoch, options.version);
  const sync = options.sync ?? true;
  try {
    const folder = join(runDir, RUN_FILES.lock);
    if (latest === 0 && fs.mkdirSync(folder, { recursive: true }) !== undefined && sync) syncDir(runDir);
    if (!createExclusive(ownerPath(runDir, epoch), formatRecord(owner), { sync })) {
      throw locked(runDir, readOwner(runDir, epoch));
    }
    if (sync) syncDir(folder);
    removeHeartbeat(runDir);
  } catch (error) {
    throw ioError(error, `claim ${runDir}`);
  }
  return new Claim(runDir, owner);
}

/** Returns once owner `epoch` is dead for all one can know; raises RUN_LOCKED if it is not. */
async function outlive(runDir: string, epoch: number, options: ClaimOptions): Promise<void> {
  const owner = readOwner(runDir, epoch);
  const state = isAlive(owner);
  if (state === "dead") return;
  if (state === "alive") throw locked(runDir, owner);
  const staleMs = options.staleMs ?? STALE_MS;
  options.onWaiting?.(owner, staleMs);
  if (!(await isSilent(runDir, epoch, staleMs))) throw locked(runDir, readOwner(runDir, latestEpoch(runDir)));
}

/** The claims are gone, not so what was written under them. */
function epochAfterJournal(runDir: string): number {
  return (readJournal(runDir).lines.at(-1)?.epoch ?? 0) + 1;
}

/** Left over by an owner that is dead. */
function removeHeartbeat(runDir: string): void {
  try {
    fs.rmdirSync(heartbeatPath(runDir));
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

function locked(runDir: string, owner: Owner): WfError {
  const run = basename(resolve(runDir));
  return new WfError({
    code: "RUN_LOCKED",
    message: `run '${run}' is driven by process ${owner.pid} on ${owner.host} since ${clockTime(owner.since)}`,
    hint: `look:  wf status ${run}\nstop:  wf cancel ${run}`,
  });
}
