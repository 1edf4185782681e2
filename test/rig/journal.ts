import { readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./wait.ts";

/** A line of a journal, as loosely as a reader from outside sees it. */
export interface Line {
  readonly seq: number;
  readonly at: string;
  readonly epoch: number;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into events without repeating their types.
  readonly [key: string]: any;
}

/** The whole lines of a journal that can be read; none if there is no journal. */
export function readJournal(runDir: string): Line[] {
  let text: string;
  try {
    text = readFileSync(join(runDir, "progress.ndjson"), "utf8");
  } catch {
    return [];
  }
  const lines: Line[] = [];
  for (const line of text.split("\n").slice(0, -1)) {
    try {
      lines.push(JSON.parse(line));
    } catch {
      // Torn or damaged: not what a story waits for.
    }
  }
  return lines;
}

/** Waits until the journal holds an event that fits. */
export async function untilEvent(
  runDir: string,
  event: string,
  fits: (line: Line) => boolean = () => true,
): Promise<Line> {
  return until(
    () => readJournal(runDir).find((line) => line.event === event && fits(line)),
    `${event} in ${runDir}`,
  );
}

// biome-ignore lint/suspicious/noExplicitAny: a test looks into records without repeating their types.
export function readRun(runDir: string): any {
  return JSON.parse(readFileSync(join(runDir, "run.json"), "utf8"));
}
