import { execFileSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

const VERSION_WITHIN_MS = 5000;

/** Where a program of this name is on PATH; undefined if nowhere. */
export function findProgram(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder === "" ? "." : folder, name);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // Not here; perhaps in the next folder.
    }
  }
  return undefined;
}

/** The first line that `program ARGS` prints; undefined if it fails. */
export function firstLineOf(program: string, args: readonly string[]): string | undefined {
  try {
    const text = execFileSync(program, args, {
      encoding: "utf8",
      timeout: VERSION_WITHIN_MS,
      stdio: ["ignore", "pipe", "ignore"],
    });
    return text.split("\n", 1)[0]?.trim();
  } catch {
    return undefined;
  }
}
