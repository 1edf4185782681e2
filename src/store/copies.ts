import { join } from "node:path";
import { readBeside } from "../system/read-beside.ts";
import { copyPath, RUN_FILES } from "./layout.ts";

/** Reads a file that a definition names; null if there is none. */
export type ReadNamed = (path: string, use: "prompt" | "workflow") => Uint8Array | null;

/** From the copies that a run has. */
export function readCopies(runDir: string): ReadNamed {
  const prompts = readBeside(join(runDir, RUN_FILES.prompts));
  const workflows = readBeside(join(runDir, RUN_FILES.workflows));
  return (path, use) => (use === "prompt" ? prompts : workflows)(path);
}

/** Notes what is read, and what was not there, by the path that a run has it under. */
export function noting(read: ReadNamed): {
  readonly readFile: ReadNamed;
  readonly found: ReadonlyMap<string, Uint8Array>;
  readonly missing: ReadonlySet<string>;
} {
  const found = new Map<string, Uint8Array>();
  const missing = new Set<string>();
  const readFile: ReadNamed = (path, use) => {
    const bytes = read(path, use);
    if (bytes) found.set(copyPath(path, use), bytes);
    else missing.add(copyPath(path, use));
    return bytes;
  };
  return { readFile, found, missing };
}
