import * as fs from "node:fs";
import { join } from "node:path";
import { errnoOf } from "./io-error.ts";
import { RUN_FILES } from "./layout.ts";

/**
 * Removes a file or folder with all in it; links are removed, and never followed. Several may be at it at once. What a
 * step made read-only goes too. Raises the system's error.
 */
export function removeTree(path: string): void {
  if (fs.lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    empty(path);
    unlessGone(() => fs.rmdirSync(path));
  } else unlessGone(() => fs.unlinkSync(path));
}

function empty(folder: string): void {
  for (const entry of inOrder(
    writably(folder, () => fs.readdirSync(folder, { withFileTypes: true })) ?? [],
  )) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) empty(path);
    writably(folder, () => (entry.isDirectory() ? fs.rmdirSync(path) : fs.unlinkSync(path)));
  }
}

/** Of a run the claims go last: they say who removes it. */
function inOrder(entries: fs.Dirent[]): fs.Dirent[] {
  const isLast = ({ name }: fs.Dirent) => Number(name === RUN_FILES.lock);
  return entries.sort((a, b) => isLast(a) - isLast(b));
}

/** A folder that its owner may not change is made one that he may. */
function writably<T>(folder: string, act: () => T): T | undefined {
  try {
    return unlessGone(act);
  } catch (error) {
    if (errnoOf(error) !== "EACCES") throw error;
    unlessGone(() => fs.chmodSync(folder, 0o700));
    return unlessGone(act);
  }
}

function unlessGone<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
    return undefined;
  }
}
