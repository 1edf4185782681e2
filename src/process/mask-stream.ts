import * as fs from "node:fs";
import type { Readable } from "node:stream";
import { Masker } from "../secrets/masker.ts";
import type { Patterns } from "../secrets/patterns.ts";

/** What a process that outlives the step has to say within this is still taken, milliseconds. */
const SILENCE_MS = 100;
/** One that goes on talking is not heard longer than this, milliseconds. */
const PATIENCE_MS = 1000;
/** The largest pipe that Linux gives an ordinary user: what the step itself wrote last is within that. */
const PIPE_BYTES = 1024 * 1024;

/** One of the two streams of the step, on its way through a masker to a log file. */
export class MaskedStream {
  readonly #masker: Masker;
  readonly #source: Readable;
  readonly #to: number;
  readonly #fd: number | undefined;
  readonly #closed: Promise<void>;
  #onData: () => void = () => undefined;
  #ended = false;

  /** @param fd the same source as a descriptor that does not block, if there is one */
  constructor(patterns: Patterns, source: Readable, to: number, fd: number | undefined) {
    this.#masker = new Masker(patterns);
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
