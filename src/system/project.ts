import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** The nearest folder at or above `startDir` that holds `.git` or `.wf`; `startDir` itself if there is none. */
export function findProject(startDir: string): string {
  const start = resolve(startDir);
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, ".git")) || existsSync(join(folder, ".wf"))) return folder;
    if (dirname(folder) === folder) return start;
  }
}
