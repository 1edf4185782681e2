import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { RunRecord } from "../core/record.ts";
import { errnoOf, ioError } from "../store/io-error.ts";
import { RUN_FILES } from "../store/layout.ts";
import { isFixture } from "./fixture.ts";

export interface Listed {
  readonly folder: string;
  readonly workflow: string;
  readonly status: string;
  readonly steps: number;
  readonly attempts: number;
}

/** Folders in folders, at most so many; a fixture holds no other fixture. */
const MAX_DEPTH = 6;
const NOT_LOOKED_AT = new Set(["node_modules", ".git", ".wf"]);

/** The fixtures in a folder and below it, by path; the folder itself if it is one. Raises IO_ERROR. */
export function listFixtures(folder: string, depth = 0): Listed[] {
  if (isFixture(folder)) return [listed(folder)];
  if (depth > MAX_DEPTH) return [];
  return foldersIn(folder).flatMap((name) => listFixtures(join(folder, name), depth + 1));
}

function foldersIn(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory() && !NOT_LOOKED_AT.has(entry.name));
    return folders.map(({ name }) => name).sort();
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return [];
    throw ioError(error, `read ${folder}`);
  }
}

function listed(folder: string): Listed {
  const text = readFileSync(join(folder, RUN_FILES.snapshot), "utf8");
  const { workflow, status, steps = {}, iterations = 0 } = JSON.parse(text) as Partial<RunRecord>;
  return {
    folder,
    workflow: workflow?.id ?? "",
    status: status ?? "",
    steps: Object.keys(steps).length,
    attempts: iterations,
  };
}
