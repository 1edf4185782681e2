import { isUtf8 } from "node:buffer";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { MASK, Masker } from "./masker.ts";
import type { Secrets } from "./secrets.ts";

/** What was done to the files of an attempt; paths relative to its folder, and masked. */
export interface Scrubbed {
  /** Text in which secrets became `***`. */
  readonly masked: readonly string[];
  /** Files that hold a secret and can not be masked; they are gone. */
  readonly removed: readonly string[];
  /** What the system does not let us look at, or change: another user's. */
  readonly locked: readonly string[];
  /** What had a secret in its name. */
  readonly renamed: readonly string[];
}

const CHUNK_BYTES = 1024 * 1024;
const TEMP_PREFIX = ".wf-scrub-";

/**
 * Takes the secrets out of what an attempt left: text is rewritten, a file that is no text (not UTF-8, or with NUL
 * in it) is removed, and so is a link to a place with a secret in its path. To be called when nothing of the step
 * runs any more. With `sync`, what it changed is on disk when it is done.
 *
 * @param leave names in the folder that are left alone: what was masked as it was written
 */
export async function scrub(
  folder: string,
  secrets: Secrets,
  options: { readonly sync: boolean; readonly leave: ReadonlySet<string> },
): Promise<Scrubbed> {
  const scrubber = new Scrubber(folder, secrets, options.sync);
  await scrubber.folder("", options.leave);
  return scrubber;
}

class Scrubber implements Scrubbed {
  readonly masked: string[] = [];
  readonly removed: string[] = [];
  readonly locked: string[] = [];
  readonly renamed: string[] = [];
  readonly #root: string;
  readonly #secrets: Secrets;
  readonly #sync: boolean;

  constructor(root: string, secrets: Secrets, sync: boolean) {
    this.#root = root;
    this.#secrets = secrets;
    this.#sync = sync;
  }

  async folder(path: string, leave: ReadonlySet<string>): Promise<void> {
    const folder = join(this.#root, path);
    const mode = fs.statSync(folder, { throwIfNoEntry: false })?.mode;
    if (mode === undefined) return;
    const isOpen = (mode & 0o700) === 0o700;
    if (!isOpen) fs.chmodSync(folder, (mode & 0o7777) | 0o700);
    try {
      await this.#inFolder(path, leave);
    } finally {
      if (!isOpen) fs.chmodSync(folder, mode & 0o7777);
    }
  }

  async #inFolder(path: string, leave: ReadonlySet<string>): Promise<void> {
    const folder = join(this.#root, path);
    let changed = false;
    for (const name of fs.readdirSync(folder).sort()) {
      if (leave.has(name)) continue;
      if (name.startsWith(TEMP_PREFIX)) {
        fs.rmSync(join(folder, name), { force: true });
        continue;
      }
      let entry = path === "" ? name : `${path}/${name}`;
      try {
        const named = this.#rename(path, name);
        entry = path === "" ? named : `${path}/${named}`;
        if (named !== name) this.renamed.push(entry);
        if ((await this.#entry(entry)) || named !== name) changed = true;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== "EACCES" && code !== "EPERM") throw error;
        this.locked.push(this.#secrets.maskText(entry));
      }
    }
    if (changed && this.#sync) syncPath(folder);
  }

  async #entry(path: string): Promise<boolean> {
    const absolute = join(this.#root, path);
    const stat = fs.lstatSync(absolute);
    if (stat.isDirectory()) {
      await this.folder(path, new Set());
      return false;
    }
    if (stat.isSymbolicLink()) {
      const target = fs.readlinkSync(absolute);
      if (this.#secrets.maskText(target) === target) return false;
    } else {
      if (!stat.isFile()) return false;
      const isOpen = (stat.mode & 0o400) !== 0;
      if (!isOpen) fs.chmodSync(absolute, (stat.mode & 0o7777) | 0o400);
      const found = await this.#inspect(absolute);
      if (!isOpen) fs.chmodSync(absolute, stat.mode & 0o7777);
      if (found === "clean") return false;
      if (found === "text") {
        await this.#rewrite(absolute, stat.mode);
        this.masked.push(path);
        return true;
      }
    }
    fs.unlinkSync(absolute);
    this.removed.push(path);
    return true;
  }

  /** The name as it is from now on; that of another file is not taken. */
  #rename(path: string, name: string): string {
    const folder = join(this.#root, path);
    const masked = this.#maskedName(path, name);
    if (masked === name) return name;
    let free = masked;
    for (let n = 2; fs.lstatSync(join(folder, free), { throwIfNoEntry: false }); n++) free = `${masked}-${n}`;
    fs.renameSync(join(folder, name), join(folder, free));
    return free;
  }

  /** A secret with `/` in it makes folders. */
  #maskedName(path: string, name: string): string {
    const masked = this.#secrets.maskText(name);
    if (masked !== name || path === "") return masked;
    const whole = `${path}/${name}`;
    return this.#secrets.maskText(whole) === whole ? name : MASK;
  }

  async #inspect(absolute: string): Promise<"clean" | "text" | "binary"> {
    const masker = new Masker(this.#secrets.patterns);
    let isText = true;
    let rest: Uint8Array = Buffer.alloc(0);
    for await (const chunk of chunksOf(absolute)) {
      masker.push(chunk);
      if (!isText) continue;
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const whole = wholeCharacters(bytes);
      isText = isUtf8(bytes.subarray(0, whole)) && !chunk.includes(0);
      rest = Buffer.from(bytes.subarray(whole));
    }
    if (masker.occurrences === 0) return "clean";
    return isText && rest.length === 0 ? "text" : "binary";
  }

  async #rewrite(absolute: string, mode: number): Promise<void> {
    const temp = join(dirname(absolute), `${TEMP_PREFIX}${randomBytes(6).toString("hex")}`);
    const fd = fs.openSync(temp, "wx", 0o600);
    try {
      const masker = new Masker(this.#secrets.patterns);
      if ((mode & 0o400) === 0) fs.chmodSync(absolute, (mode & 0o7777) | 0o400);
      for await (const chunk of chunksOf(absolute)) writeAll(fd, masker.push(chunk));
      writeAll(fd, masker.end());
      fs.fchmodSync(fd, mode & 0o7777);
      if (this.#sync) fs.fdatasyncSync(fd);
      fs.renameSync(temp, absolute);
    } catch (error) {
      fs.rmSync(temp, { force: true });
      throw error;
    } finally {
      fs.closeSync(fd);
    }
  }
}

/** The buffer is used again for the next one. Other work gets its turn in between. */
async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  try {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, fs.fstatSync(fd).size + 1));
    for (;;) {
      const bytes = fs.readSync(fd, buffer);
      if (bytes === 0) return;
      yield buffer.subarray(0, bytes);
      if (bytes === CHUNK_BYTES) await turn();
    }
  } finally {
    fs.closeSync(fd);
  }
}

/** How many of the bytes do not belong to a character that is cut off at the end. */
function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] as number;
    if (byte < 0x80) return bytes.length;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > back ? bytes.length - back : bytes.length;
    }
  }
  return bytes.length;
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done);
}

function syncPath(path: string): void {
  const fd = fs.openSync(path, fs.constants.O_RDONLY);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
