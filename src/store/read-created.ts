import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { RunEvent } from "../core/event.ts";
import { errnoOf, ioError } from "./io-error.ts";
import { parseLine } from "./journal-line.ts";
import { RUN_FILES } from "./layout.ts";

const CHUNK_BYTES = 1 << 16;

/** The first line of a run's journal; null if there is none that can be understood. Raises IO_ERROR. */
export function readCreated(runDir: string): (RunEvent & { event: "run_created" }) | null {
  const path = join(runDir, RUN_FILES.journal);
  try {
    const parsed = parseLine(firstLine(path));
    return parsed.kind === "line" && parsed.line.event === "run_created" ? parsed.line : null;
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return null;
    throw ioError(error, `read ${path}`);
  }
}

function firstLine(path: string): string {
  const fd = openSync(path, "r");
  try {
    const chunks: Buffer[] = [];
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const length = readSync(fd, chunk, 0, CHUNK_BYTES, null);
      const end = chunk.subarray(0, length).indexOf(10);
      chunks.push(chunk.subarray(0, end < 0 ? length : end));
      if (end >= 0 || length === 0) return Buffer.concat(chunks).toString("utf8");
    }
  } finally {
    closeSync(fd);
  }
}
