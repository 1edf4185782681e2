import { lstatSync, readdirSync, type Stats } from "node:fs";
import { errnoOf, ioError } from "../store/io-error.ts";
import { ATTEMPT_FILES, LOG_FILES, RUN_FILES } from "../store/layout.ts";

/** What a run takes up, and what of it stands nowhere else. */
export interface RunSize {
  readonly files: number;
  /** On disk, and free once it is gone. */
  readonly bytes: number;
  /** Files that stand in another folder too, as those of a fork do: they stay there. */
  readonly sharedFiles: number;
  /** Lengths. */
  readonly logBytes: number;
  readonly artifacts: number;
  readonly artifactBytes: number;
  /** What steps left in the folders that they worked in. */
  readonly workFiles: number;
  readonly workBytes: number;
  /** The folder of another file system that is mounted in it; null: there is none. */
  readonly mounted: string | null;
}

type Part = "record" | "artifact" | "work";

const BLOCK_BYTES = 512;

/** Follows no link. `path`: a run directory, or the file of an older record. Raises IO_ERROR. */
export function runSize(path: string): RunSize {
  const walk = new Walk();
  try {
    const stat = lstatSync(path);
    if (stat.isDirectory()) walk.folder(path, stat, "record", 0);
    else walk.file(basename(path), stat, "record", false);
  } catch (error) {
    throw ioError(error, `look through ${path}`);
  }
  return walk.size();
}

/** The last part of a path; not of `node:path`, since this is done for each file. */
function basename(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

class Walk {
  readonly #count = {
    files: 0,
    bytes: 0,
    logBytes: 0,
    artifacts: 0,
    artifactBytes: 0,
    workFiles: 0,
    workBytes: 0,
  };
  /** By inode: files that have several names, and how many of these are in the run. */
  readonly #linked = new Map<number, { found: number; readonly stat: Stats }>();
  #device: number | undefined;
  #mounted: string | null = null;

  folder(path: string, stat: Stats, part: Part, depth: number): void {
    this.#device ??= stat.dev;
    if (stat.dev !== this.#device) {
      this.#mounted ??= path;
      return;
    }
    this.#count.bytes += stat.blocks * BLOCK_BYTES;
    const isAttempt = /^attempt-\d+$/.test(basename(path));
    for (const name of readdirSync(path)) {
      const inner = `${path}/${name}`;
      const found = statOf(inner);
      if (found?.isDirectory()) {
        this.folder(inner, found, part === "record" ? partOf(name, isAttempt, depth) : part, depth + 1);
      } else if (found) this.file(name, found, part, isAttempt);
    }
  }

  file(name: string, stat: Stats, part: Part, isInAttempt: boolean): void {
    const count = this.#count;
    count.files += 1;
    if (stat.nlink > 1) {
      const known = this.#linked.get(stat.ino);
      if (known) known.found += 1;
      else this.#linked.set(stat.ino, { found: 1, stat });
    } else count.bytes += stat.blocks * BLOCK_BYTES;
    if (part === "artifact") {
      count.artifacts += 1;
      count.artifactBytes += stat.size;
    } else if (part === "work") {
      count.workFiles += 1;
      count.workBytes += stat.size;
    } else if (isInAttempt && LOG_FILES.has(name)) count.logBytes += stat.size;
  }

  size(): RunSize {
    let { bytes } = this.#count;
    let sharedFiles = 0;
    for (const { found, stat } of this.#linked.values()) {
      if (found < stat.nlink) sharedFiles += found;
      else bytes += stat.blocks * BLOCK_BYTES;
    }
    return { ...this.#count, bytes, sharedFiles, mounted: this.#mounted };
  }
}

function partOf(name: string, isInAttempt: boolean, depth: number): Part {
  if (isInAttempt && name === ATTEMPT_FILES.outputs) return "artifact";
  if (isInAttempt && name === ATTEMPT_FILES.work) return "work";
  return depth === 0 && name === RUN_FILES.workspace ? "work" : "record";
}

/** Undefined if it has just been removed. */
function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (errnoOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
}
