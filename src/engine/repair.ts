import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { JournalLine } from "../core/event.ts";
import { placeOf, type RunState } from "../core/state.ts";
import { replaceIfDifferent } from "../store/atomic-file.ts";
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
    const dir = attemptDir(runDir, record);
    if (!existsSync(dir)) mkdirSync(dir, { recursive: true });
    replaceIfDifferent(join(dir, ATTEMPT_FILES.record), formatRecord(record), { sync: false });
  }
  for (const node of [...state.steps, ...state.items]) {
    const stray = attemptDir(runDir, { ...placeOf(node), attempt: node.attempts + 1 });
    if (existsSync(stray)) rmSync(stray, { recursive: true });
  }
}
