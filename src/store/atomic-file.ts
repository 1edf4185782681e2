import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { basename, dirname, join } from "node:path";
import { errnoOf, ioError } from "./io-error.ts";

const TEMP_MARK = ".tmp-";
const NO_HARD_LINKS = new Set(["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EMLINK", "EXDEV"]);
const TAKEN = new Set(["EEXIST", "ENOTEMPTY", "ENOTDIR", "EISDIR"]);

/** Of a file, whole or piece by piece. */
export type Content = string | Uint8Array | Generator<string>;

// Unique per process and not only per pid: two containers on one volume often have the same pids.
let tag: string | undefined;
let counter = 0;

/**
 * Replaces a file as a whole: a reader sees the old bytes or the new, never less. With `sync` the bytes are
 * durable before they get the name, with `syncFolder` the name is durable too. Raises IO_ERROR.
 */
export function replaceFile(
  path: string,
  content: Content,
  options: { readonly sync: boolean; readonly syncFolder?: boolean },
): void {
  const temp = tempName(path);
  try {
    writeNew(temp, content, options.sync);
    fs.renameSync(temp, path);
    if (options.syncFolder) syncDir(dirname(path));
  } catch (error) {
    removeQuietly(temp);
    throw ioError(error, `write ${path}`);
  }
}

/** Writes only if the file is missing or different, and clears what a crash left of an earlier try. */
export function replaceIfDifferent(path: string, text: string, options: { readonly sync: boolean }): boolean {
  const present = readIfPresent(path);
  if (present?.equals(Buffer.from(text))) return false;
  removeTemps(dirname(path));
  replaceFile(path, text, options);
  return true;
}

/**
 * Creates a file that did not exist, whole, with its content durable if `sync`; false if the name is taken.
 * `link()` gives both; where there are no hard links, a folder that holds the file is renamed onto the name, which
 * is as exclusive since the folder is never empty. Read the result with `readExclusive`. Raises IO_ERROR.
 */
export function createExclusive(
  path: string,
  content: string | Uint8Array,
  options: { readonly sync: boolean; readonly link?: (from: string, to: string) => void },
): boolean {
  const temp = tempName(path);
  try {
    writeNew(temp, content, options.sync);
    try {
      (options.link ?? fs.linkSync)(temp, path);
      return true;
    } catch (error) {
      if (errnoOf(error) === "EEXIST") return isSameFile(temp, path);
      // A recovering engine clears away such files; it does so once.
      if (errnoOf(error) === "ENOENT" && !fs.existsSync(temp)) return createExclusive(path, content, options);
      if (!NO_HARD_LINKS.has(errnoOf(error))) throw error;
    }
    return renameInFolder(temp, path, options.sync);
  } catch (error) {
    throw ioError(error, `create ${path}`);
  } finally {
    removeQuietly(temp);
  }
}

/** The bytes of a file that `createExclusive` made. Raises the system's error. */
export function readExclusive(path: string): Buffer {
  try {
    return fs.readFileSync(path);
  } catch (error) {
    if (errnoOf(error) !== "EISDIR") throw error;
    return fs.readFileSync(join(path, basename(path)));
  }
}

export function readIfPresent(path: string): Buffer | undefined {
  let fd: number;
  try {
    // Without O_NONBLOCK, opening a FIFO would wait for its writer.
    fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
  try {
    return fs.readFileSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Makes the names in a folder durable. */
export function syncDir(path: string): void {
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    fs.fsyncSync(fd);
  } catch (error) {
    // Some network file systems can not sync a folder, and make names durable at once.
    if (errnoOf(error) !== "EINVAL" && errnoOf(error) !== "ENOTSUP") throw error;
  } finally {
    fs.closeSync(fd);
  }
}

/** Writes a file that nobody else knows of yet. Raises the system's error. */
export function writeNew(path: string, content: Content, sync: boolean): void {
  const fd = fs.openSync(path, "wx");
  try {
    if (content instanceof Uint8Array) writeFully(fd, content);
    else if (typeof content === "string") writeFully(fd, Buffer.from(content));
    else for (const piece of content) writeFully(fd, Buffer.from(piece));
    if (sync) fs.fdatasyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

export type WriteCall = (fd: number, bytes: Uint8Array, offset: number, length: number) => number;

/** Continues short writes; at the end of the file if it was opened so. */
export function writeFully(fd: number, bytes: Uint8Array, write: WriteCall = fs.writeSync): void {
  let done = 0;
  while (done < bytes.length) {
    try {
      done += write(fd, bytes, done, bytes.length - done);
    } catch (error) {
      if (errnoOf(error) !== "EINTR") throw error;
    }
  }
}

/** Removes what a crash left between a write and its rename. For the holder of the claim. */
export function removeTemps(folder: string): void {
  let names: string[];
  try {
    names = fs.readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw ioError(error, `read ${folder}`);
  }
  for (const name of names) {
    if (isTempName(name)) fs.rmSync(join(folder, name), { force: true, recursive: true });
  }
}

export function isTempName(name: string): boolean {
  return name.startsWith(".") && name.includes(TEMP_MARK);
}

/** Leaves no second error to hide the first. */
function removeQuietly(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== "EISDIR" && errnoOf(error) !== "EPERM") return;
    try {
      fs.rmdirSync(path);
    } catch {}
  }
}

function tempName(path: string): string {
  tag ??= randomBytes(6).toString("hex");
  counter += 1;
  return join(dirname(path), `.${basename(path)}${TEMP_MARK}${tag}-${counter}`);
}

// Over NFS a link can succeed and its reply be lost; the repeated request then says EEXIST.
function isSameFile(a: string, b: string): boolean {
  const [x, y] = [fs.statSync(a), fs.statSync(b)];
  return x.ino === y.ino && x.dev === y.dev;
}

function renameInFolder(temp: string, path: string, sync: boolean): boolean {
  const folder = `${temp}.d`;
  try {
    fs.mkdirSync(folder);
    fs.renameSync(temp, join(folder, basename(path)));
    if (sync) syncDir(folder);
    fs.renameSync(folder, path);
    return true;
  } catch (error) {
    removeQuietly(join(folder, basename(path)));
    removeQuietly(folder);
    if (TAKEN.has(errnoOf(error))) return false;
    throw error;
  }
}
