import * as fs from "node:fs";
import { join } from "node:path";
import type { JournalLine, RunOptions } from "../core/event.ts";
import type { RunRecord } from "../core/record.ts";
import { createExclusive, readExclusive, removeTemps, syncDir } from "./atomic-file.ts";
import { damaged } from "./damage.ts";
import { ioError } from "./io-error.ts";
import { RUN_FILES, tornFile } from "./layout.ts";
import { latestEpoch } from "./owner.ts";
import { type JournalReading, readJournal, type TornEnd } from "./read-journal.ts";
import { readSnapshot } from "./snapshot.ts";

export interface Recovery {
  readonly lines: readonly JournalLine[];
  /** Of the last line. */
  readonly seq: number;
  /** Bytes of the journal, all of them valid. */
  readonly length: number;
  readonly fenced: number;
  /** What was cut from the end, and the file in the run directory that keeps it. */
  readonly cut: { readonly file: string; readonly bytes: number; readonly what: string } | null;
  /** Null if `run.json` has to be rebuilt. It may lag behind the journal. */
  readonly snapshot: RunRecord | null;
}

/**
 * Makes the journal whole again; only for the holder of the claim. Raises RUN_DAMAGED, FORMAT_UNKNOWN, IO_ERROR;
 * then nothing was changed.
 */
export function recoverJournal(
  runDir: string,
  options: { readonly durability: RunOptions["durability"] },
): Recovery {
  const found = readSnapshot(runDir);
  const snapshot = found.kind === "current" ? found.record : null;
  const reading = readTrusted(runDir, snapshot);
  try {
    const cut = reading.torn && cutOff(runDir, reading.torn, options.durability === "power");
    for (const folder of ["", RUN_FILES.lock, RUN_FILES.control]) removeTemps(join(runDir, folder));
    const { lines, validBytes: length, fenced } = reading;
    return { lines, seq: lines.length, length, fenced, cut, snapshot };
  } catch (error) {
    throw ioError(error, `repair ${join(runDir, RUN_FILES.journal)}`);
  }
}

/** The journal, held against what `run.json` knows to be durable. `snapshot` must have been read before. */
export function readTrusted(runDir: string, snapshot: RunRecord | null): JournalReading {
  const path = join(runDir, RUN_FILES.journal);
  const reading = readJournal(runDir);
  const { lines, validBytes, torn } = reading;
  const last = lines.at(-1);
  if (last === undefined) {
    throw damaged(`${path}: ${torn ? `line 1 is bad: ${torn.what}` : "it is empty"}`);
  }
  const claimed = latestEpoch(runDir);
  if (claimed > 0 && last.epoch > claimed) {
    throw damaged(`${path}: line ${last.seq} is of epoch ${last.epoch}, which nobody ever claimed`);
  }
  if (snapshot === null) return reading;
  if (snapshot.runId !== last.run) {
    throw damaged(`${path} is of run ${last.run}, but ${RUN_FILES.snapshot} is of run ${snapshot.runId}`);
  }
  // Holds for a snapshot of a fenced engine too: a commit that its successor did not read has failed.
  const { seq, journalBytes } = snapshot.volatile;
  if (torn && torn.offset < journalBytes) {
    throw damaged(
      `${path}: line ${torn.lineNumber}, at byte ${torn.offset}, is bad: ${torn.what}; ` +
        `${RUN_FILES.snapshot} says that ${journalBytes} bytes were durable`,
    );
  }
  if (seq > lines.length || journalBytes > validBytes) {
    throw damaged(
      `${RUN_FILES.snapshot} is ahead of ${path}: it knows ${seq} lines in ${journalBytes} bytes, ` +
        `the journal holds ${lines.length} in ${validBytes}`,
      `restore the run from a copy; or, if you shortened the journal on purpose, remove ${RUN_FILES.snapshot}: it is rebuilt`,
    );
  }
  return reading;
}

function cutOff(runDir: string, torn: TornEnd, sync: boolean): NonNullable<Recovery["cut"]> {
  const fd = fs.openSync(join(runDir, RUN_FILES.journal), "r+");
  try {
    const tail = Buffer.alloc(fs.fstatSync(fd).size - torn.offset);
    for (let done = 0; done < tail.length; ) {
      const read = fs.readSync(fd, tail, done, tail.length - done, torn.offset + done);
      if (read === 0) break;
      done += read;
    }
    const file = keep(runDir, tail, sync);
    fs.ftruncateSync(fd, torn.offset);
    if (sync) fs.fsyncSync(fd);
    return { file, bytes: tail.length, what: torn.what };
  } finally {
    fs.closeSync(fd);
  }
}

/** Keeps the bytes under the next free name; one that holds them already, if recovery itself was cut off. */
function keep(runDir: string, tail: Buffer, sync: boolean): string {
  for (let n = 1; ; n += 1) {
    const path = join(runDir, tornFile(n));
    if (!createExclusive(path, tail, { sync }) && !readExclusive(path).equals(tail)) continue;
    if (sync) syncDir(runDir);
    return tornFile(n);
  }
}
