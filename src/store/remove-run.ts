import * as fs from "node:fs";
import { basename, dirname, join } from "node:path";
import { WfError } from "../core/problem.ts";
import { ownIdentity } from "../system/identity.ts";
import { syncDir } from "./atomic-file.ts";
import type { Claim } from "./claim.ts";
import { errnoOf, ioError } from "./io-error.ts";
import { PRUNING_PREFIX, RUN_FILES } from "./layout.ts";
import { type ClaimOptions, claim } from "./lock.ts";
import { latestEpoch } from "./owner.ts";
import { removeTree } from "./remove-tree.ts";

/** Tells whether a run has been gone on with since it was looked at. */
export function stampOf(path: string): string {
  const files = [path, join(path, RUN_FILES.snapshot), join(path, RUN_FILES.journal)];
  return files.map(stampOfFile).join(" ");
}

function stampOfFile(path: string, index: number): string {
  const stat = statIfThere(path);
  if (stat === undefined) return "-";
  // The folder's own times change with what others put into it.
  return index === 0 && stat.isDirectory() ? `${stat.ino}` : `${stat.ino}:${stat.size}:${stat.mtimeMs}`;
}

function statIfThere(path: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (errnoOf(error) === "ENOTDIR") return undefined;
    throw ioError(error, `look at ${path}`);
  }
}

export type Removal =
  | { readonly kind: "removed" }
  /** Somebody else removed it. */
  | { readonly kind: "gone" }
  /** It is not any more what it was when `stamp` was taken; nothing was done to it. */
  | { readonly kind: "changed" }
  /** It is no run any more; what is left of it is at `path`. */
  | { readonly kind: "rest"; readonly path: string; readonly problem: string };

/**
 * Removes a run, or the file of an older record. It is claimed, so that nobody begins to drive it; then it gets a name
 * under which nobody takes it for a run, in one step; then it is removed. Wherever that is cut off, the run is whole, or
 * it is none, and `removeLeftOvers` removes the rest. Raises RUN_LOCKED, RUN_DAMAGED, IO_ERROR; then it is there as it was.
 */
export async function removeRun(path: string, stamp: string, options: ClaimOptions): Promise<Removal> {
  const held = await claimIfDriven(path, options);
  if (held === "gone") return { kind: "gone" };
  const aside = asideOf(path);
  try {
    if (stampOf(path) !== stamp) {
      held?.release();
      return { kind: "changed" };
    }
    fs.renameSync(path, aside);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return { kind: "gone" };
    held?.release();
    throw ioError(error, `remove ${path}`);
  }
  try {
    // Else a power cut could take the new name back, and not what was removed under it.
    syncDir(dirname(path));
    removeTree(aside);
    return { kind: "removed" };
  } catch (error) {
    return { kind: "rest", path: aside, problem: ioError(error, `remove ${aside}`).message };
  }
}

/** Null: nobody can drive it, since it has no journal or none that can be read. */
async function claimIfDriven(path: string, options: ClaimOptions): Promise<Claim | null | "gone"> {
  if (!fs.existsSync(join(path, RUN_FILES.journal))) return fs.existsSync(path) ? null : "gone";
  try {
    return await claim(path, options);
  } catch (error) {
    if (!fs.existsSync(path)) return "gone";
    // Of the journal, and not of a claim, of which there is none.
    if (error instanceof WfError && error.code === "RUN_DAMAGED" && latestEpoch(path) === 0) return null;
    throw error;
  }
}

function asideOf(path: string): string {
  const { pid, startTime } = ownIdentity();
  const process = `${pid}-${startTime.replace(/[^A-Za-z0-9]+/g, "-")}`;
  return join(dirname(path), `${PRUNING_PREFIX}${basename(path)}-${process}`);
}
