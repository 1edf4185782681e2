import { existsSync } from "node:fs";
import { join } from "node:path";
import type { JournalLine } from "../core/event.ts";
import { placeName } from "../core/ids.ts";
import { ATTEMPT_FILES, attemptDir, RUN_FILES } from "../store/layout.ts";
import { readJournal } from "../store/read-journal.ts";
import { isAlive } from "../system/identity.ts";

/**
 * The process of a step that goes on though nobody drives the run any more; null if there is none that can be seen.
 * Raises RUN_DAMAGED, FORMAT_UNKNOWN, IO_ERROR.
 */
export function liveStep(runDir: string): { readonly step: string; readonly pid: number } | null {
  for (const { started, engine } of openAttempts(readJournal(runDir).lines)) {
    const step = placeName(started);
    const process = started.volatile && "process" in started.volatile ? started.volatile.process : undefined;
    if (process && engine && isAlive({ ...engine, ...process }) === "alive")
      return { step, pid: process.pid };
    const nested = join(attemptDir(runDir, started), ATTEMPT_FILES.run);
    const found = existsSync(join(nested, RUN_FILES.journal)) ? liveStep(nested) : null;
    if (found) return { ...found, step: `${step}/${found.step}` };
  }
  return null;
}

interface Open {
  readonly started: JournalLine & { readonly event: "attempt_started" };
  /** The one that started it: on the same machine, in the same container. */
  readonly engine: (JournalLine & { readonly event: "engine_started" })["volatile"] | null;
}

function openAttempts(lines: readonly JournalLine[]): Iterable<Open> {
  const open = new Map<string, Open>();
  let engine: Open["engine"] = null;
  for (const line of lines) {
    if (line.event === "engine_started") engine = line.volatile;
    else if (line.event === "attempt_started")
      open.set(`${placeName(line)} ${line.attempt}`, { started: line, engine });
    else if (line.event === "attempt_ended") open.delete(`${placeName(line.record)} ${line.record.attempt}`);
  }
  return open.values();
}
