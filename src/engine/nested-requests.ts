import type { AttemptName } from "../core/ids.ts";
import { placeName } from "../core/ids.ts";
import { nodeAt, placeOf, type RunState } from "../core/state.ts";
import { nestedDir } from "../store/layout.ts";
import { readRun } from "../store/open-run.ts";
import { countRequests } from "../store/requests.ts";

/** A nested run that waits, and how many of the requests in its `control/` its journal tells of. */
export interface Watched {
  readonly runDir: string;
  readonly seen: number;
}

/** Of a run that nobody drives: itself, and those nested in it that wait. */
export function watchedIn(runDir: string): Watched[] {
  const reading = readRun(runDir);
  const waiting = new Map<string, AttemptName>();
  let seen = 0;
  for (const line of reading.kind === "current" ? reading.lines : []) {
    if (line.event === "request_taken" || line.event === "request_refused") seen += 1;
    else if (line.event === "attempt_waiting") waiting.set(placeName(line), line);
    else if (line.event === "attempt_resumed") waiting.delete(placeName(line));
    else if (line.event === "attempt_ended") waiting.delete(placeName(line.record));
  }
  const inner = [...waiting.values()].flatMap((name) => watchedIn(nestedDir(runDir, name)));
  return [{ runDir, seen }, ...inner];
}

export function hasNew(watched: readonly Watched[]): boolean {
  return watched.some(({ runDir, seen }) => countRequests(runDir) > seen);
}

/** Whether a nested run that waits has been asked for something that nobody has looked at. */
export function hasNewWithin(state: RunState, runDir: string): boolean {
  return [...state.waiting].some((index) => {
    const node = nodeAt(state, index);
    const { state: at } = node;
    if (at.status !== "waiting" || !at.nested) return false;
    return hasNew(watchedIn(nestedDir(runDir, { ...placeOf(node), attempt: at.attempt })));
  });
}
