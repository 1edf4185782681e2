import * as fs from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { isAlive } from "../system/identity.ts";
import { readIfPresent, syncDir } from "./atomic-file.ts";
import { errnoOf, ioError } from "./io-error.ts";
import { CREATING_PREFIX } from "./layout.ts";
import { latestEpoch, type Owner, ownerPath, parseOwner } from "./owner.ts";

/**
 * Makes the folder that holds runs. The default one, `.wf/runs`, is kept out of git by a file in it; one that was
 * chosen by a person is not. Raises IO_ERROR.
 */
export function prepareRunsDir(runsDir: string, options: { readonly sync: boolean }): void {
  const path = resolve(runsDir);
  if (fs.existsSync(path)) return;
  try {
    const made = fs.mkdirSync(path, { recursive: true });
    const isDefault = basename(path) === "runs" && basename(dirname(path)) === ".wf";
    if (isDefault) keepOutOfGit(join(path, ".gitignore"));
    if (!options.sync || made === undefined) return;
    for (let folder = path; ; folder = dirname(folder)) {
      syncDir(folder);
      if (folder === dirname(made) || folder === dirname(folder)) return;
    }
  } catch (error) {
    throw ioError(error, `make the folder ${path}`);
  }
}

/** Not by way of a temporary file, which a crash would leave beside the runs. */
function keepOutOfGit(path: string): void {
  try {
    fs.writeFileSync(path, "*\n", { flag: "wx" });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
}

/** The claim of the process that builds it: its own is the last, after those of a run whose history it takes over. */
function makerOf(path: string): Owner | undefined {
  return parseOwner(readIfPresent(ownerPath(path, latestEpoch(path)))?.toString("utf8") ?? "");
}

/** Its maker died before it could say who it was; none takes that long. */
function isOld(path: string): boolean {
  const stat = fs.statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && Date.now() - stat.mtimeMs > ABANDONED_AFTER_MS;
}

const ABANDONED_AFTER_MS = 3_600_000;

/**
 * Removes folders in which a run was being built when its maker died; returns their names. One whose maker is not
 * provably dead stays.
 */
export function removeDeadCreating(runsDir: string): string[] {
  const removed: string[] = [];
  try {
    for (const name of fs.readdirSync(runsDir)) {
      if (!name.startsWith(CREATING_PREFIX)) continue;
      const path = join(runsDir, name);
      const owner = makerOf(path);
      const isDead = owner === undefined ? isOld(path) : isAlive(owner) === "dead";
      if (!isDead) continue;
      fs.rmSync(path, { recursive: true, force: true });
      removed.push(name);
    }
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw ioError(error, `clear ${runsDir}`);
  }
  return removed;
}
