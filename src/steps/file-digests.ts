import { createHash, type Hash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { HASHED_IN_TURN_BYTES } from "../core/limits.ts";
import { errnoOf } from "../store/io-error.ts";

export interface FileDigest {
  readonly bytes: number;
  readonly sha256: string;
  readonly executable: boolean;
}

/** A file that is there and can not be read. */
export class UnreadableFile extends Error {
  readonly path: string;
  readonly errno: string;
  constructor(path: string, errno: string) {
    super(`${path}: ${errno}`);
    this.path = path;
    this.errno = errno;
  }
}

interface Known extends FileDigest {
  readonly stat: Stats;
  /** Hashed so soon after it was written that a further write may have left its time as it was. */
  readonly isFresh: boolean;
}

/** Times of files advance in ticks of the system's clock, of up to 10 ms; a file system that keeps whole seconds has longer ones. */
const TICK_MS = 50;
const LONG_TICK_MS = 2_100;
/** How much is hashed before others have their turn, bytes. */
const PIECE_BYTES = 8 * 1024 * 1024;
/** What the opening of a file costs, in bytes that could be hashed instead. */
const OPENING_BYTES = 8 * 1024;
const BUFFER_BYTES = 1024 * 1024;

/**
 * Digests of files' contents, each taken once in the life of the engine as long as the file's size, times and inode
 * stay as they are.
 */
export class FileDigests {
  readonly #known = new Map<string, Known>();
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #closed = false;

  /**
   * By path relative to the folder; null where there is no plain file. A promise if there is more to be read than fits
   * into a turn of the loop. Raises `UnreadableFile`.
   */
  of(folder: string, paths: readonly string[]): (FileDigest | null)[] | Promise<(FileDigest | null)[]> {
    const found: (FileDigest | null)[] = [];
    const due: number[] = [];
    let bytes = 0;
    for (const [index, path] of paths.entries()) {
      const stat = statOf(folder, path);
      const known = stat && this.#known.get(`${folder}/${path}`);
      if (stat && !(known && !known.isFresh && isSame(known.stat, stat))) {
        due.push(index);
        bytes += stat.size + OPENING_BYTES;
      }
      found.push(stat ? (known ?? null) : null);
    }
    if (bytes > HASHED_IN_TURN_BYTES) return this.#later(folder, paths, found, due);
    for (const index of due) {
      const hashing = this.#hash(folder, paths[index] as string);
      for (const _ of hashing);
      found[index] = this.#known.get(`${folder}/${paths[index]}`) ?? null;
    }
    return found;
  }

  /** What is still being read is given up. */
  close(): void {
    this.#closed = true;
  }

  async #later(
    folder: string,
    paths: readonly string[],
    found: (FileDigest | null)[],
    due: readonly number[],
  ): Promise<(FileDigest | null)[]> {
    let bytes = 0;
    for (const index of due) {
      for (const read of this.#hash(folder, paths[index] as string)) {
        bytes += read;
        if (bytes < PIECE_BYTES) continue;
        bytes = 0;
        await new Promise((resolve) => setImmediate(resolve));
        if (this.#closed) return found;
      }
      found[index] = this.#known.get(`${folder}/${paths[index]}`) ?? null;
    }
    return found;
  }

  /** Yields how much has been read since it yielded last, and leaves the digest among those that are known. */
  *#hash(folder: string, path: string): Generator<number> {
    const full = `${folder}/${path}`;
    this.#known.delete(full);
    let fd: number;
    try {
      fd = openSync(full, "r");
    } catch (error) {
      if (isGone(error)) return;
      throw new UnreadableFile(path, errnoOf(error));
    }
    try {
      // As it was before it was read: a write that comes in between will show.
      const stat = fstatSync(fd);
      const begun = Date.now();
      const hash = createHash("sha256");
      yield OPENING_BYTES;
      const bytes = yield* this.#read(fd, path, hash);
      this.#known.set(full, {
        stat,
        isFresh: stat.mtimeMs > begun - (stat.mtimeMs % 1000 === 0 ? LONG_TICK_MS : TICK_MS),
        bytes,
        sha256: hash.digest("hex"),
        executable: (stat.mode & 0o100) !== 0,
      });
    } finally {
      closeSync(fd);
    }
  }

  *#read(fd: number, path: string, hash: Hash): Generator<number, number> {
    let bytes = 0;
    for (;;) {
      let read: number;
      try {
        read = readSync(fd, this.#buffer, 0, BUFFER_BYTES, null);
      } catch (error) {
        throw new UnreadableFile(path, errnoOf(error));
      }
      if (read === 0) return bytes;
      hash.update(this.#buffer.subarray(0, read));
      bytes += read;
      if (read === BUFFER_BYTES) yield read;
    }
  }
}

function statOf(folder: string, path: string): Stats | null {
  try {
    const stat = statSync(`${folder}/${path}`, { throwIfNoEntry: false });
    return stat?.isFile() ? stat : null;
  } catch (error) {
    if (isGone(error)) return null;
    throw new UnreadableFile(path, errnoOf(error));
  }
}

function isGone(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR", "ELOOP"].includes(errnoOf(error));
}

function isSame(a: Stats, b: Stats): boolean {
  return (
    a.ino === b.ino &&
    a.dev === b.dev &&
    a.size === b.size &&
    a.mtimeMs === b.mtimeMs &&
    a.ctimeMs === b.ctimeMs &&
    a.mode === b.mode
  );
}
