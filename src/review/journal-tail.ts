import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { JournalLine } from "../core/event.ts";
import { ioError } from "../store/io-error.ts";
import { parseLine } from "../store/journal-line.ts";
import { RUN_FILES } from "../store/layout.ts";

const CHUNK_BYTES = 1 << 16;

/** The bytes that are appended to a file, from a position on, as they come. */
export class Tail {
  readonly #path: string;
  #at: number;

  constructor(path: string, from = 0) {
    this.#path = path;
    this.#at = from;
  }

  /** What is new; empty if nothing is, or the file is not there yet. */
  read(): Buffer {
    let fd: number;
    try {
      fd = openSync(this.#path, "r");
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" || code === "ENOTDIR") return Buffer.alloc(0);
      throw ioError(error, `read ${this.#path}`);
    }
    try {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const length = readSync(fd, chunk, 0, CHUNK_BYTES, this.#at);
      this.#at += length;
      return chunk.subarray(0, length);
    } finally {
      closeSync(fd);
    }
  }
}

/** Whole lines of a journal as they are appended; those of an engine that had been taken over are dropped. */
export class JournalTail {
  readonly #tail: Tail;
  #rest = Buffer.alloc(0);
  #epoch = 0;

  constructor(runDir: string) {
    this.#tail = new Tail(join(runDir, RUN_FILES.journal));
  }

  read(): JournalLine[] {
    const lines: JournalLine[] = [];
    for (let bytes = this.#tail.read(); bytes.length > 0; bytes = this.#tail.read()) {
      this.#rest = Buffer.concat([this.#rest, bytes]);
      for (let end = this.#rest.indexOf(10); end >= 0; end = this.#rest.indexOf(10)) {
        const parsed = parseLine(this.#rest.toString("utf8", 0, end));
        this.#rest = this.#rest.subarray(end + 1);
        if (parsed.kind !== "line" || parsed.line.epoch < this.#epoch) continue;
        this.#epoch = parsed.line.epoch;
        lines.push(parsed.line);
      }
    }
    return lines;
  }
}
