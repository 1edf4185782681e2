import { join, resolve } from "node:path";
import type { JournalLine } from "../core/event.ts";
import { ancestorsOf, type KnownPlaces } from "./canon-places.ts";

type Recorded = Pick<KnownPlaces, "runId" | "ancestors" | "run" | "project" | "home" | "tmp">;

/**
 * What engines recorded of their surroundings; `home`, `tmp` and `runDir` are not known of older runs. Of a nested run,
 * what is known is that of the outermost run around it: so each of its files has one canonical form, wherever it is read.
 */
export function knownPlaces(runDir: string, runId: string, lines: readonly JournalLine[]): Recorded {
  const found: Record<"project" | "home" | "tmp", string[]> = { project: [], home: [], tmp: [] };
  const run: string[] = [];
  for (const line of lines) {
    if (line.event !== "run_created" && line.event !== "engine_started") continue;
    const volatile: Readonly<Record<string, unknown>> = line.volatile;
    for (const place of ["project", "home", "tmp"] as const) {
      const path = volatile[place];
      if (typeof path === "string") found[place].push(path);
    }
    if (typeof volatile.runDir === "string") run.push(volatile.runDir);
  }
  const depth = Math.max(0, ...run.map((path) => outermost(path).depth));
  const names = runId.split(".");
  const id = names.slice(0, names.length - depth).join(".");
  const folders = [...new Set(run.map((path) => outermost(path).folder))];
  const here = outermost(resolve(runDir)).folder;
  if (here.endsWith(`/${id}`)) folders.unshift(here);
  const ancestors = ancestorsOf(lines);
  for (const each of [id, ...ancestors]) {
    for (const project of found.project) folders.push(join(project, ".wf", "runs", each));
  }
  return { runId: id, ancestors, run: folders, ...found };
}

const NESTED_IN = /\/steps\/[a-z][a-z0-9_-]*\/(?:item-\d+\/)?attempt-\d+\/run$/;

/** The folder of the outermost run, and how many of its nested runs the path goes through. */
function outermost(path: string): { readonly folder: string; readonly depth: number } {
  let folder = path;
  for (let depth = 0; ; depth += 1) {
    const around = folder.replace(NESTED_IN, "");
    if (around === folder) return { folder, depth };
    folder = around;
  }
}
