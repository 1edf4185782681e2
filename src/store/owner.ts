import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { isJsonObject } from "../core/json.ts";
import { type Identity, ownIdentity } from "../system/identity.ts";
import { readExclusive } from "./atomic-file.ts";
import { damaged } from "./damage.ts";
import { errnoOf, ioError } from "./io-error.ts";
import { LOCK_FILES, RUN_FILES } from "./layout.ts";

/** `lock/owner-<epoch>.json`: who drives the run, or did. */
export interface Owner extends Identity {
  readonly epoch: number;
  /** Tells two claims of one process apart. */
  readonly nonce: string;
  /** Of the program. */
  readonly version: string;
  /** When it claimed the run; ISO 8601, UTC. */
  readonly since: string;
}

export function newOwner(epoch: number, version: string): Owner {
  const nonce = randomBytes(8).toString("hex");
  return { epoch, ...ownIdentity(), nonce, version, since: new Date().toISOString() };
}

export function ownerPath(runDir: string, epoch: number): string {
  return join(runDir, RUN_FILES.lock, LOCK_FILES.owner(epoch));
}

export function freePath(runDir: string, epoch: number): string {
  return join(runDir, RUN_FILES.lock, LOCK_FILES.free(epoch));
}

export function heartbeatPath(runDir: string): string {
  return join(runDir, RUN_FILES.lock, LOCK_FILES.heartbeat);
}

/** The highest epoch that was claimed; 0 if none was. Raises IO_ERROR. */
export function latestEpoch(runDir: string): number {
  const folder = join(runDir, RUN_FILES.lock);
  let latest = 0;
  try {
    for (const name of fs.readdirSync(folder)) {
      const epoch = Number(/^owner-([1-9]\d{0,14})\.json$/.exec(name)?.[1] ?? 0);
      if (epoch > latest) latest = epoch;
    }
  } catch (error) {
    if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENOTDIR") throw ioError(error, `read ${folder}`);
  }
  return latest;
}

/** Whether owner `epoch` ended cleanly. */
export function isFree(runDir: string, epoch: number): boolean {
  return fs.existsSync(freePath(runDir, epoch));
}

/** Raises RUN_DAMAGED if it can not be understood: it was created whole, so it never is half written. */
export function readOwner(runDir: string, epoch: number): Owner {
  const path = ownerPath(runDir, epoch);
  let text: string;
  try {
    text = readExclusive(path).toString("utf8");
  } catch (error) {
    throw ioError(error, `read ${path}`);
  }
  const owner = parseOwner(text);
  if (owner) return owner;
  throw damaged(
    `${path} does not say who drives the run`,
    `if no wf process drives it, on any machine, create the empty file ${freePath(runDir, epoch)}`,
  );
}

export function parseOwner(text: string): Owner | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value) || !Number.isSafeInteger(value.pid) || !Number.isSafeInteger(value.epoch))
    return undefined;
  for (const key of [
    "startTime",
    "bootId",
    "pidNamespace",
    "host",
    "machineId",
    "nonce",
    "version",
    "since",
  ]) {
    if (typeof value[key] !== "string") return undefined;
  }
  return value as unknown as Owner;
}
