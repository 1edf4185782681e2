import * as fs from "node:fs";
import { join } from "node:path";
import { isAlive } from "../system/identity.ts";
import { readExclusive } from "./atomic-file.ts";
import { errnoOf, ioError } from "./io-error.ts";
import { CREATING_PREFIX, PRUNING_PREFIX } from "./layout.ts";
import { latestEpoch, type Owner, ownerPath, parseOwner } from "./owner.ts";
import { removeTree } from "./remove-tree.ts";

/** In a runs folder, of processes that died: runs that were being built, and the rest of runs that were being removed. */
export function deadLeftOvers(runsDir: string): string[] {
  try {
    return fs.readdirSync(runsDir).filter((name) => isDeadLeftOver(runsDir, name));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw ioError(error, `read ${runsDir}`);
  }
}

export interface ClearedLeftOver {
  readonly name: string;
  /** Why it, or a part of it, is still there; null: it is gone. */
  readonly problem: string | null;
}

/** Removes them as far as it can: nothing depends on their being gone. What a live process is at stays. */
export function removeLeftOvers(runsDir: string): ClearedLeftOver[] {
  return deadLeftOvers(runsDir).map((name) => {
    const path = join(runsDir, name);
    try {
      removeTree(path);
      return { name, problem: null };
    } catch (error) {
      return { name, problem: ioError(error, `remove ${path}`).message };
    }
  });
}

/** What was being built in a folder in which nobody but the caller may build: whoever began it is not at it any more. */
export function removeBuilds(folder: string): void {
  try {
    for (const name of fs.readdirSync(folder)) {
      if (name.startsWith(CREATING_PREFIX)) removeTree(join(folder, name));
    }
  } catch (error) {
    throw ioError(error, `remove what was being built in ${folder}`);
  }
}

function isDeadLeftOver(runsDir: string, name: string): boolean {
  const path = join(runsDir, name);
  if (name.startsWith(CREATING_PREFIX)) {
    const maker = ownerOf(path);
    // Its maker died before it could say who it was; none takes that long.
    return maker === undefined ? isOld(path) : isAlive(maker) === "dead";
  }
  if (!name.startsWith(PRUNING_PREFIX)) return false;
  const remover = ownerOf(path);
  const state = remover === undefined ? "dead" : isAlive(remover);
  return state === "unknown" ? isOld(path) : state === "dead";
}

/** Its own claim is the last: a run has those of engines before it, and a fork those of the run that it was made from. */
function ownerOf(path: string): Owner | undefined {
  if (!fs.lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) return undefined;
  try {
    return parseOwner(readExclusive(ownerPath(path, latestEpoch(path))).toString("utf8"));
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

function isOld(path: string): boolean {
  const stat = fs.statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && Date.now() - stat.mtimeMs > ABANDONED_AFTER_MS;
}

const ABANDONED_AFTER_MS = 3_600_000;
