import * as fs from "node:fs";
import { join } from "node:path";
import type { JournalLine, RunEvent, RunOptions } from "../core/event.ts";
import { WfError } from "../core/problem.ts";
import { type WriteCall, writeFully } from "./atomic-file.ts";
import { ioError } from "./io-error.ts";
import { LOCK_FILES, RUN_FILES } from "./layout.ts";

/** Where the journal stands, as its creation or its recovery found it. */
export interface JournalPosition {
  /** Of the last line. */
  readonly seq: number;
  /** Of the claim under which lines are written. */
  readonly epoch: number;
  /** The run's id. */
  readonly run: string;
  /** Bytes. */
  readonly length: number;
  readonly durability: RunOptions["durability"];
}

/** The calls through which tests make the disk fail. */
export interface JournalCalls {
  readonly write: WriteCall;
  readonly sync: (fd: number) => void;
}

/**
 * Appends to `progress.ndjson`. Nothing is on disk before `commit`; nothing may be told or acted on before it
 * returned. After any error the journal is poisoned, since what is on disk is then known only to recovery; every
 * later call raises the same error (IO_ERROR or LOCK_LOST).
 */
export class Journal {
  #seq: number;
  #length: number;
  #buffered: string[] = [];
  #error: WfError | undefined;
  readonly #path: string;
  readonly #successor: string;
  readonly #fd: number;
  readonly #inode: number;
  readonly #position: JournalPosition;
  readonly #calls: JournalCalls;

  static open(runDir: string, position: JournalPosition, calls: Partial<JournalCalls> = {}): Journal {
    return new Journal(runDir, position, { write: fs.writeSync, sync: fs.fdatasyncSync, ...calls });
  }

  private constructor(runDir: string, position: JournalPosition, calls: JournalCalls) {
    this.#position = position;
    this.#calls = calls;
    this.#seq = position.seq;
    this.#length = position.length;
    this.#path = join(runDir, RUN_FILES.journal);
    this.#successor = join(runDir, RUN_FILES.lock, LOCK_FILES.owner(position.epoch + 1));
    try {
      this.#fd = fs.openSync(this.#path, fs.constants.O_WRONLY | fs.constants.O_APPEND);
      this.#inode = fs.fstatSync(this.#fd).ino;
    } catch (error) {
      throw ioError(error, `open ${this.#path}`);
    }
  }

  /** `seq` of the last line, committed or not. */
  get seq(): number {
    return this.#seq;
  }

  /** Bytes committed; what `journalBytes` of a snapshot may say. */
  get length(): number {
    return this.#length;
  }

  get hasBuffered(): boolean {
    return this.#buffered.length > 0;
  }

  append(event: RunEvent, at: Date): JournalLine {
    this.#throwIfPoisoned();
    const line = journalLine(event, {
      seq: this.#seq + 1,
      at: at.toISOString(),
      epoch: this.#position.epoch,
      run: this.#position.run,
    });
    this.#buffered.push(JSON.stringify(line));
    this.#seq += 1;
    return line;
  }

  /** Makes all lines appended since the last commit durable, by one write and one sync. */
  commit(): void {
    this.#throwIfPoisoned();
    if (this.#buffered.length === 0) return;
    try {
      this.#checkAlone();
      const bytes = Buffer.from(`${this.#buffered.join("\n")}\n`);
      writeFully(this.#fd, bytes, this.#calls.write);
      if (this.#position.durability === "power") this.#calls.sync(this.#fd);
      // A successor that claims after this look reads these lines; one that claimed before may have missed them,
      // so they must not be acted on.
      this.#checkNoSuccessor();
      this.#length += bytes.length;
      this.#buffered = [];
    } catch (error) {
      this.#error = ioError(error, `append to ${this.#path}`);
      throw this.#error;
    }
  }

  close(): void {
    this.#error ??= new WfError({ code: "INTERNAL", message: "the journal is closed" });
    try {
      fs.closeSync(this.#fd);
    } catch {
      // Closed already, or a late error of data that a sync has confirmed.
    }
  }

  #throwIfPoisoned(): void {
    if (this.#error) throw this.#error;
  }

  #checkAlone(): void {
    this.#checkNoSuccessor();
    // By path, since a file that was replaced or removed would still take writes through the descriptor.
    const { ino, size } = fs.statSync(this.#path);
    if (ino !== this.#inode) throw lockLost(`${this.#path} has been replaced by another file`);
    if (size !== this.#length) {
      throw lockLost(`${this.#path} has ${size} bytes where this engine left ${this.#length}`);
    }
  }

  #checkNoSuccessor(): void {
    // Not `accessSync`: making its error takes longer than the look, and this is done with every commit.
    if (!fs.statSync(this.#successor, { throwIfNoEntry: false })) return;
    throw lockLost(`another engine has taken the run over: ${this.#successor} exists`);
  }
}

/** A line with its keys in order: the volatile head, the event, `volatile` last. */
export function journalLine(
  event: RunEvent,
  head: { readonly seq: number; readonly at: string; readonly epoch: number; readonly run: string },
): JournalLine {
  const { seq, at, epoch, run } = head;
  const { volatile, ...stable } = event as RunEvent & { volatile?: unknown };
  // Never a literal that begins with a spread: V8 gives each such object a shape of its own.
  const line = { seq, at, epoch, run, ...stable } as JournalLine & { volatile?: unknown };
  if (volatile !== undefined) line.volatile = volatile;
  return line;
}

function lockLost(message: string): WfError {
  return new WfError({
    code: "LOCK_LOST",
    message,
    hint: "this engine has stopped and left its steps to the other one; look with wf status",
  });
}
