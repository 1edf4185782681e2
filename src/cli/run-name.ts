import { existsSync } from "node:fs";
import { placeName } from "../core/ids.ts";
import { runAround } from "../review/inside.ts";
import { attemptDir } from "../store/layout.ts";
import { nameOf } from "./find-run.ts";

/** How commands name a run, or one that is nested in it. */
export interface RunName {
  /** The outermost run: its id, or its path. */
  readonly run: string;
  /** The steps within it that lead to the run; empty for the outermost itself. */
  readonly within: string;
  /** How many runs it is nested in. */
  readonly depth: number;
}

export function runName(runDir: string, runsDir: string): RunName {
  let within = "";
  let depth = 0;
  let outermost = runDir;
  for (let around = runAround(runDir); around !== null; around = runAround(outermost)) {
    const { attempt, ...place } = around.attempt;
    const isNewest = !existsSync(attemptDir(around.runDir, { ...place, attempt: attempt + 1 }));
    const own = `${placeName(place)}${isNewest ? "" : `/${attempt}`}`;
    within = within === "" ? own : `${own}/${within}`;
    outermost = around.runDir;
    depth += 1;
  }
  return { run: nameOf(outermost, runsDir), within, depth };
}
