import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { syncDir } from "./atomic-file.ts";
import { errnoOf, ioError } from "./io-error.ts";

export interface ShareOptions {
  /** Content and names are durable when it returns. */
  readonly sync: boolean;
  /** Files, by their path in the tree, that may still be written to on either side: never a hard link. */
  readonly copied?: (path: string) => boolean;
  /** Files and folders, by their path in the tree, that are none of it. */
  readonly without?: (path: string) => boolean;
  readonly link?: (from: string, to: string) => void;
  readonly clone?: (from: string, to: string) => void;
}

/** How many files came to be how, and what is of no kind that can be shared. */
export interface Shared {
  readonly cloned: number;
  readonly linked: number;
  readonly copied: number;
  /** Sockets, pipes and devices, by their path in the tree. */
  readonly leftOut: readonly string[];
}

/**
 * Makes the folder `to`, which must not exist, with what is in `from`: each file a reflink where the file system has
 * them, else a hard link, else a copy; folders anew; symbolic links as they are. Since a hard link is the same file, this is
 * for trees that nobody writes to any more, such as those of attempts that have ended; to change a file of either tree,
 * replace it. Raises IO_ERROR; then a part of `to` may exist.
 */
export function shareTree(from: string, to: string, options: ShareOptions): Shared {
  const count = { cloned: 0, linked: 0, copied: 0 };
  const leftOut: string[] = [];
  let devices = "";
  let canClone = true;

  const shareFile = (source: string, target: string, path: string) => {
    if (canClone) {
      try {
        (options.clone ?? clone)(source, target);
        keepTimes(fs.statSync(source), target);
        count.cloned += 1;
        return;
      } catch (error) {
        canClone = false;
        if (devices !== "" && NEVER_CLONED.has(errnoOf(error))) NO_CLONES.add(devices);
      }
    }
    if (!options.copied?.(path)) {
      try {
        (options.link ?? fs.linkSync)(source, target);
        count.linked += 1;
        return;
      } catch (error) {
        // Whatever else is in the way of a link (its own limits, its rights) is in the way of that link alone.
        if (errnoOf(error) === "EEXIST" || errnoOf(error) === "ENOENT") throw error;
      }
    }
    fs.copyFileSync(source, target, fs.constants.COPYFILE_EXCL);
    keepTimes(fs.statSync(source), target);
    count.copied += 1;
  };

  const shareFolder = (folder: string, stat: fs.Stats) => {
    const [source, target] = [join(from, folder), join(to, folder)];
    fs.mkdirSync(target);
    for (const entry of fs.readdirSync(source, { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (options.without?.(path)) continue;
      const [file, copy] = [`${source}/${entry.name}`, `${target}/${entry.name}`];
      if (entry.isDirectory()) shareFolder(path, fs.statSync(file));
      else if (entry.isSymbolicLink()) fs.symlinkSync(fs.readlinkSync(file), copy);
      else if (entry.isFile()) {
        shareFile(file, copy, path);
        if (options.sync) syncFile(copy);
      } else leftOut.push(path);
    }
    if (options.sync) syncDir(target);
    // Last, since a folder may forbid to write into it.
    fs.chmodSync(target, stat.mode & 0o7777);
    keepTimes(stat, target);
  };

  try {
    const stat = fs.statSync(from);
    if (!options.clone) devices = `${stat.dev} ${fs.statSync(dirname(to)).dev}`;
    canClone = !NO_CLONES.has(devices);
    shareFolder("", stat);
    return { ...count, leftOut };
  } catch (error) {
    throw ioError(error, `share ${from} as ${to}`);
  }
}

/** What a file system says that has no reflinks at all, or none to another one. */
const NEVER_CLONED = new Set(["ENOTSUP", "EOPNOTSUPP", "ENOTTY", "EXDEV", "EINVAL", "ENOSYS"]);
/** Pairs of file systems between which there are none: a try costs more than the link that follows it. */
const NO_CLONES = new Set<string>();

function clone(from: string, to: string): void {
  fs.copyFileSync(from, to, fs.constants.COPYFILE_EXCL | fs.constants.COPYFILE_FICLONE_FORCE);
}

/** Programs such as make compare them. */
function keepTimes({ atime, mtime }: fs.Stats, to: string): void {
  fs.utimesSync(to, atime, mtime);
}

/** Makes all files and folders in a folder durable, and the folder itself. */
export function syncTree(folder: string): void {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) syncTree(path);
    else if (entry.isFile()) syncFile(path);
  }
  syncDir(folder);
}

/** Makes the content of a file durable. */
export function syncFile(path: string): void {
  let fd: number;
  try {
    fd = fs.openSync(path, "r");
  } catch (error) {
    // A link to a file that may not be read, which is no part of any record.
    if (errnoOf(error) === "EACCES") return;
    throw error;
  }
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
