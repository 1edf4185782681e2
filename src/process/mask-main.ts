import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { Socket } from "node:net";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { Masker } from "../secrets/masker.ts";
import { patternsOf } from "../secrets/secrets.ts";
import { takeOrder } from "./mask-order.ts";

// Around a step of a run with secrets: `node mask.js -- PROGRAM ARGUMENT…`. It stands where the step would, in its
// process group, with the log files as its output; what the step prints comes to it by pipes. It decides nothing:
// signals are for the step, and the step's exit status is its own.

/** What a process that outlives the step has to say within this is still taken, milliseconds. */
const SILENCE_MS = 100;
/** One that goes on talking is not heard longer than this, milliseconds. */
const PATIENCE_MS = 1000;
/** The largest pipe that Linux gives an ordinary user: what the step itself wrote last is within that. */
const PIPE_BYTES = 1024 * 1024;

const [STDOUT, STDERR] = [1, 2] as const;
const NOT_FOUND = 127;
const NOT_RUNNABLE = 126;

/** SIGUSR1 would start a debugger. */
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const) {
  process.on(signal, () => undefined);
}
const { values, env: forTheStep } = takeOrder(process.env);
const [program = "", ...args] = process.argv.slice(process.argv.indexOf("--") + 1);
const env = { ...process.env, ...forTheStep };
if (env._ !== undefined) env._ = program;
const patterns = patternsOf(values);
main();

function main(): void {
  const pipes = realPipes();
  const [out, err] = pipes ?? [];
  let child: ChildProcess;
  try {
    child = spawn(program, args, {
      env,
      stdio: ["inherit", out?.write ?? "pipe", err?.write ?? "pipe"],
    });
  } catch (error) {
    notStarted(error as NodeJS.ErrnoException);
  }
  for (const pipe of pipes ?? []) fs.closeSync(pipe.write);
  if (child.pid === undefined) {
    child.once("error", notStarted);
    return;
  }
  const streams = [
    new Stream(out ? reader(out.read) : (child.stdout as Readable), STDOUT, out?.read),
    new Stream(err ? reader(err.read) : (child.stderr as Readable), STDERR, err?.read),
  ];
  child.once("exit", (code, signal) => {
    const status = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
    void Promise.all(streams.map((stream) => stream.drained())).then(() => process.exit(status));
  });
}

/** As a shell says it. */
function notStarted(error: NodeJS.ErrnoException): never {
  fs.writeSync(STDERR, `wf: ${program} can not be started: ${error.code}\n`);
  process.exit(error.code === "ENOENT" ? NOT_FOUND : NOT_RUNNABLE);
}

interface Pipe {
  readonly read: number;
  readonly write: number;
}

/**
 * What Node calls a pipe is a socket, and `echo >/dev/stderr` fails on that. So these are made by name, and the names
 * taken away at once. Null where that can not be: sockets, then.
 */
function realPipes(): readonly [Pipe, Pipe] | null {
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
    if (spawnSync("mkfifo", ["-m", "600", ...names], { env: { PATH }, stdio: "ignore" }).status !== 0) return null;
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

function reader(fd: number): Readable {
  return new Socket({ fd, readable: true, writable: false });
}

/** One of the two streams of the step, on its way through a masker to a log file. */
class Stream {
  readonly #masker = new Masker(patterns);
  readonly #source: Readable;
  readonly #to: number;
  readonly #fd: number | undefined;
  readonly #closed: Promise<void>;
  #onData: () => void = () => undefined;
  #ended = false;

  constructor(source: Readable, to: number, fd: number | undefined) {
    this.#source = source;
    this.#to = to;
    this.#fd = fd;
    this.#closed = new Promise((resolve) => source.once("close", () => resolve()));
    source.on("data", (chunk: Buffer) => {
      this.#write(this.#masker.push(chunk));
      this.#onData();
    });
    source.once("end", () => this.#end());
    source.once("error", () => this.#end());
  }

  /** The step has ended: what it wrote is taken, and a little of what others still write. */
  async drained(): Promise<void> {
    let silence: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      const late = setTimeout(resolve, PATIENCE_MS);
      silence = setTimeout(resolve, SILENCE_MS);
      this.#onData = () => silence?.refresh();
      void this.#closed.then(() => clearTimeout(late));
    });
    await Promise.race([enough, this.#closed]);
    clearTimeout(silence);
    if (!this.#ended) this.#takeWhatIsThere();
    this.#end();
  }

  #takeWhatIsThere(): void {
    if (this.#fd === undefined) return;
    const buffer = Buffer.allocUnsafe(64 * 1024);
    try {
      for (let left = PIPE_BYTES; left > 0; ) {
        const bytes = fs.readSync(this.#fd, buffer);
        if (bytes === 0) return;
        this.#write(this.#masker.push(buffer.subarray(0, bytes)));
        left -= bytes;
      }
    } catch {
      // EAGAIN: it is empty.
    }
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#write(this.#masker.end());
    this.#source.destroy();
  }

  /** Waits for the file, and so lets the step wait: nothing heaps up. */
  #write(bytes: Uint8Array): void {
    try {
      for (let done = 0; done < bytes.length; ) done += writeSome(this.#to, bytes, done);
    } catch {
      // As with a log file that can not be written: the step's next write fails.
      this.#ended = true;
      this.#source.destroy();
    }
  }
}

const never = new Int32Array(new SharedArrayBuffer(4));

function writeSome(fd: number, bytes: Uint8Array, from: number): number {
  try {
    return fs.writeSync(fd, bytes, from);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EAGAIN" && code !== "EINTR") throw error;
    Atomics.wait(never, 0, 0, 1);
    return 0;
  }
}

