import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";

export interface Pipe {
  readonly read: number;
  readonly write: number;
}

/**
 * What Node calls a pipe is a socket, and `echo >/dev/stderr` fails on that. So these are made by name, and the names
 * taken away at once. Null where that can not be: sockets, then.
 */
export function realPipes(): readonly [Pipe, Pipe] | null {
  for (const parent of [tmpdir(), "/tmp", "/dev/shm"]) {
    const pipes = pipesIn(parent);
    if (pipes !== null) return pipes;
  }
  return null;
}

function pipesIn(parent: string): readonly [Pipe, Pipe] | null {
  let folder: string | undefined;
  try {
    folder = fs.mkdtempSync(join(parent, "wf-mask-"));
    const names = [join(folder, "1"), join(folder, "2")] as const;
    const PATH = `/usr/bin:/bin:${process.env.PATH ?? ""}`;
    if (spawnSync("mkfifo", ["-m", "600", ...names], { env: { PATH }, stdio: "ignore" }).status !== 0)
      return null;
    return [openBoth(names[0]), openBoth(names[1])];
  } catch {
    return null;
  } finally {
    if (folder !== undefined) fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Each end by itself: only ours may be non-blocking. */
function openBoth(path: string): Pipe {
  const read = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  return { read, write: fs.openSync(path, fs.constants.O_WRONLY) };
}

export function reader(fd: number): Readable {
  return new Socket({ fd, readable: true, writable: false });
}
