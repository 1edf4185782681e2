import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { JournalLine, RunEvent } from "../core/event.ts";
import { errnoOf, ioError } from "../store/io-error.ts";
import { parseLine } from "../store/journal-line.ts";
import { RUN_FILES } from "../store/layout.ts";

const TAIL_BYTES = 1 << 16;

const PROGRESS: ReadonlySet<RunEvent["event"]> = new Set<RunEvent["event"]>([
  "attempt_started",
  "attempt_adopted",
  "attempt_ended",
  "step_skipped",
  "transition",
  "run_ended",
]);

/** When a step last began, ended or was skipped; null if none did within the last 64 KiB of the journal. */
export function lastProgressAt(runDir: string): string | null {
  const lines = lastLines(join(runDir, RUN_FILES.journal));
  return lines.reverse().find(({ event }) => PROGRESS.has(event))?.at ?? null;
}

function lastLines(path: string): JournalLine[] {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw ioError(error, `read ${path}`);
  }
  try {
    const from = Math.max(0, fstatSync(fd).size - TAIL_BYTES);
    const bytes = Buffer.allocUnsafe(TAIL_BYTES);
    const text = bytes.toString("utf8", 0, readSync(fd, bytes, 0, TAIL_BYTES, from));
    return text.split("\n").flatMap((line) => {
      const parsed = parseLine(line);
      return parsed.kind === "line" ? [parsed.line] : [];
    });
  } finally {
    closeSync(fd);
  }
}
