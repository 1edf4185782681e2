import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { JournalLine } from "../core/event.ts";
import type { RunState } from "../core/state.ts";
import { replaceFile } from "../store/atomic-file.ts";
import { ATTEMPT_FILES, attemptDir } from "../store/layout.ts";
import { formatRecord } from "../store/record-text.ts";

/**
 * Makes the attempts' folders agree with the journal, which is the truth: each record that is missing or differs is
 * written again, and a folder whose attempt was never started goes away.
 */
export function repairRecords(runDir: string, state: RunState, lines: readonly JournalLine[]): void {
  for (const line of lines) {
    if (line.event !== "attempt_ended") continue;
    const { record } = line;
    const path = join(attemptDir(runDir, record.step, record.attempt), ATTEMPT_FILES.record);
    const text = formatRecord(record);
    if (readOrNull(path) === text) continue;
    mkdirSync(dirname(path), { recursive: true });
    replaceFile(path, text, { sync: false });
  }
  for (const { step, attempts } of state.steps) {
    const stray = attemptDir(runDir, step.id, attempts + 1);
    if (existsSync(stray)) rmSync(stray, { recursive: true });
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
