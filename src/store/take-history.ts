import * as fs from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { AttemptRecord, FileOutput } from "../core/event.ts";
import { filesOf } from "../core/output-value.ts";
import { syncFileSystem } from "../system/sync-file-system.ts";
import {
  isTempName,
  readExclusive,
  readIfPresent,
  replaceIfDifferent,
  syncDir,
  writeNew,
} from "./atomic-file.ts";
import { damaged } from "./damage.ts";
import { fileDigest } from "./file-digest.ts";
import { errnoOf, ioError } from "./io-error.ts";
import { ATTEMPT_FILES, attemptDir, RUN_FILES } from "./layout.ts";
import { freePath, ownerPath } from "./owner.ts";
import { formatRecord } from "./record-text.ts";
import { type Shared, type ShareOptions, shareTree, syncFile, syncTree } from "./share-tree.ts";

/** What a run takes over from another one, beside the lines of its journal. */
export interface History {
  /** All of them have ended; as this run's journal has them. */
  readonly attempts: readonly AttemptRecord[];
  /** Requests that an engine has looked at, by their path in the run. */
  readonly requests: readonly string[];
  /** Folders of the definitions that the run went on with. */
  readonly definitions: readonly string[];
  /** The last epoch whose engine wrote a line. */
  readonly epoch: number;
  /** Files that stand in the place of artifacts, by the artifact's path in the run. */
  readonly replaced: ReadonlyMap<string, string>;
  /** Whether an artifact is known to have been edited so after its attempt had ended. */
  wasEdited(file: string, sha256: string): boolean;
}

const COPIED = [RUN_FILES.prompts, RUN_FILES.workflows, RUN_FILES.workspace];

/** From so many attempts on one sync of the file system is faster than one of each file. */
const MANY_ATTEMPTS = 50;

/**
 * Puts into the folder `to`, in which a run is being built, what the run `from` has of the history: attempts are shared,
 * claims, requests, and the files of the definition and the steps' common workspace copied. Each artifact is held
 * against its record. Raises RUN_DAMAGED, IO_ERROR.
 */
export function takeHistory(
  from: string,
  to: string,
  history: History,
  { sync }: { readonly sync: boolean },
): Shared {
  if (!sync || history.attempts.length < MANY_ATTEMPTS) return take(from, to, history, sync);
  const shared = take(from, to, history, false);
  try {
    if (!syncFileSystem(to)) syncTree(to);
  } catch (error) {
    throw ioError(error, `sync ${to}`);
  }
  return shared;
}

function take(from: string, to: string, history: History, sync: boolean): Shared {
  const total = { cloned: 0, linked: 0, copied: 0 };
  const leftOut: string[] = [];
  const folders = new Set([to]);
  const makeFolder = (folder: string) => {
    if (folders.has(folder)) return;
    makeFolder(dirname(folder));
    if (!fs.existsSync(folder)) fs.mkdirSync(folder);
    folders.add(folder);
  };
  const share = (path: string, how: Pick<ShareOptions, "copied" | "without">) => {
    const source = join(from, path);
    if (!fs.existsSync(source)) return;
    makeFolder(dirname(join(to, path)));
    const shared = shareTree(source, join(to, path), { sync, ...how });
    for (const kind of ["cloned", "linked", "copied"] as const) total[kind] += shared[kind];
    leftOut.push(...shared.leftOut.map((name) => `${path}/${name}`));
  };
  try {
    for (const record of history.attempts) {
      const dir = attemptDir(to, record);
      share(dir.slice(to.length + 1), { without: isTemp });
      // An empty folder is lost on the way through git, say.
      fs.mkdirSync(dir, { recursive: true });
      for (const output of Object.values(record.outputs)) {
        for (const file of filesOf(output)) takeFile({ from, to, dir, output: file, history, sync });
      }
      replaceIfDifferent(join(dir, ATTEMPT_FILES.record), formatRecord(record), { sync });
      if (sync) syncDir(dir);
    }
    for (const folder of [...history.definitions, ...COPIED]) share(folder, { copied: () => true });
    for (const file of history.requests) copyRequest(from, to, file, sync);
    for (let epoch = 1; epoch <= history.epoch; epoch += 1) copyClaim(from, to, epoch, sync);
    for (const folder of [RUN_FILES.control, RUN_FILES.lock]) folders.add(join(to, folder));
    if (sync) for (const folder of folders) syncDir(folder);
    return { ...total, leftOut };
  } catch (error) {
    throw ioError(error, `take over what ${from} has done`);
  }
}

/** Of the engine's own writes, which lie in no folder of the attempt. */
function isTemp(path: string): boolean {
  return !path.includes("/") && isTempName(path);
}

/** Puts the file in its place that an artifact is replaced by, and holds it against its record. */
function takeFile({ from, to, dir, output, history, sync }: Taking): void {
  const path = join(to, output.file);
  const run = basename(resolve(from));
  const refuse = (what: string) =>
    damaged(`run '${run}' is damaged: ${output.file}: ${what}`, `look:  wf verify ${run}`);
  if (!isWithin(path, dir)) throw refuse("it is missing, or lies outside of its attempt");
  const other = history.replaced.get(output.file);
  if (other !== undefined) {
    // First, since it may be the same file as that of the other run.
    fs.rmSync(path, { force: true });
    fs.copyFileSync(other, path, fs.constants.COPYFILE_EXCL | fs.constants.COPYFILE_FICLONE);
    if (sync) syncFile(path);
  }
  const found = isFile(path) ? fileDigest(path) : null;
  if (found === null) throw refuse("it is missing");
  if (found.sha256 === output.sha256 && found.bytes === output.bytes) return;
  if (other !== undefined) throw new Error(`${other} has changed meanwhile`);
  if (history.wasEdited(output.file, found.sha256)) return;
  throw refuse(`it is not the file of ${output.bytes} bytes that was recorded`);
}

interface Taking {
  readonly from: string;
  readonly to: string;
  /** Of the attempt. */
  readonly dir: string;
  readonly output: FileOutput;
  readonly history: History;
  readonly sync: boolean;
}

/** Also by way of links. */
function isWithin(path: string, dir: string): boolean {
  const folder = dirname(path);
  if (!`${folder}/`.startsWith(`${dir}/`) || !fs.existsSync(folder)) return false;
  return `${fs.realpathSync(folder)}/`.startsWith(`${fs.realpathSync(dir)}/`);
}

function isFile(path: string): boolean {
  return fs.statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function copyRequest(from: string, to: string, file: string, sync: boolean): void {
  const bytes = readNamed(join(from, file));
  if (bytes !== null) writeNew(join(to, file), bytes, sync);
}

/** Who drove the run while what is shared was done. */
function copyClaim(from: string, to: string, epoch: number, sync: boolean): void {
  const owner = readNamed(ownerPath(from, epoch));
  if (owner !== null) writeNew(ownerPath(to, epoch), owner, sync);
  if (readIfPresent(freePath(from, epoch)) !== undefined) writeNew(freePath(to, epoch), "", sync);
}

/** The bytes of a file that was created exclusively; null if it is not there. */
function readNamed(path: string): Buffer | null {
  try {
    return readExclusive(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw error;
  }
}
