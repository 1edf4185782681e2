import { isUtf8 } from "node:buffer";
import * as fs from "node:fs";
import { join } from "node:path";
import type { JournalLine } from "../core/event.ts";
import { WfError } from "../core/problem.ts";
import { damaged } from "./damage.ts";
import { errnoOf, ioError } from "./io-error.ts";
import { parseLine } from "./journal-line.ts";
import { RUN_FILES } from "./layout.ts";

const CHUNK_BYTES = 1 << 20;

/** The end of a journal from its first bad line on. */
export interface TornEnd {
  readonly offset: number;
  readonly bytes: number;
  /** From 1. */
  readonly lineNumber: number;
  /** What is wrong with its first line. */
  readonly what: string;
}

export interface JournalReading {
  /** In order, `seq` from 1 without a gap, none of a fenced engine. */
  readonly lines: JournalLine[];
  readonly validBytes: number;
  readonly torn: TornEnd | null;
  /** Lines that were dropped because a later engine had taken over. */
  readonly fenced: number;
}

/**
 * Reads `progress.ndjson` up to its first bad line; whether that is the torn end of an interrupted append or damage,
 * `readTrusted` decides. A line that only a newer program can have written raises FORMAT_UNKNOWN: it is never part
 * of a torn end. Raises RUN_DAMAGED if there is no journal.
 */
export function readJournal(runDir: string): JournalReading {
  const path = join(runDir, RUN_FILES.journal);
  const lines: JournalLine[] = [];
  let validBytes = 0;
  let fenced = 0;
  let lineNumber = 0;
  let torn: TornEnd | null = null;
  const fd = openForReading(path);
  try {
    for (const { bytes, ended } of rawLines(fd, path)) {
      lineNumber += 1;
      const what = ended ? accept(bytes) : "its end is missing";
      if (what !== undefined) {
        torn = { offset: validBytes, bytes: fs.fstatSync(fd).size - validBytes, lineNumber, what };
        break;
      }
      validBytes += bytes.length + 1;
    }
  } finally {
    fs.closeSync(fd);
  }
  return { lines, validBytes, torn, fenced };

  /** What is wrong with the next line; undefined if it was taken or rightly dropped. */
  function accept(bytes: Buffer): string | undefined {
    const parsed = parseLine(isUtf8(bytes) ? bytes.toString("utf8") : undefined);
    if (parsed.kind === "bad") return parsed.what;
    if (parsed.kind === "newer") throw tooNew(`${path}, line ${lineNumber}`, parsed.needs);
    const { line } = parsed;
    const last = lines.at(-1);
    if (last === undefined) {
      if (line.seq !== 1 || line.event !== "run_created")
        return "the journal does not begin with run_created";
      lines.push(line);
      return undefined;
    }
    if (line.run !== last.run) return `it belongs to another run, ${JSON.stringify(line.run)}`;
    if (line.epoch < last.epoch) {
      fenced += 1;
      return undefined;
    }
    if (line.epoch > last.epoch && line.seq > 1) {
      // What an engine wrote after its successor had read the journal: nobody may have acted on it.
      while (lines.length >= line.seq) {
        lines.pop();
        fenced += 1;
      }
    }
    if (line.seq !== lines.length + 1) {
      return `its sequence number is ${line.seq} where ${lines.length + 1} is due`;
    }
    lines.push(line);
    return undefined;
  }
}

export function tooNew(where: string, needs: string): WfError {
  return new WfError({
    code: "FORMAT_UNKNOWN",
    message: `${where} is newer than this program`,
    hint: `it needs ${needs}`,
  });
}

function openForReading(path: string): number {
  try {
    return fs.openSync(path, "r");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") throw damaged(`${path} does not exist`);
    throw ioError(error, `read ${path}`);
  }
}

/** The lines of a file, without their newlines; only the last can lack its end. Reads no more than a chunk ahead. */
function* rawLines(fd: number, path: string): Generator<{ readonly bytes: Buffer; readonly ended: boolean }> {
  let parts: Buffer[] = [];
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const length = readSome(fd, chunk, path);
    if (length === 0) break;
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1 && end < length; end = chunk.indexOf(10, start)) {
      const rest = chunk.subarray(start, end);
      yield { bytes: parts.length === 0 ? rest : Buffer.concat([...parts, rest]), ended: true };
      parts = [];
      start = end + 1;
    }
    if (start < length) parts.push(chunk.subarray(start, length));
  }
  if (parts.length > 0) yield { bytes: Buffer.concat(parts), ended: false };
}

function readSome(fd: number, into: Buffer, path: string): number {
  for (;;) {
    try {
      return fs.readSync(fd, into, 0, into.length, null);
    } catch (error) {
      if (errnoOf(error) !== "EINTR") throw ioError(error, `read ${path}`);
    }
  }
}
