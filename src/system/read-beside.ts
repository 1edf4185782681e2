import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Reads files by their path below a folder; null for one that can not be read. */
export function readBeside(folder: string): (path: string) => Uint8Array | null {
  return (path) => {
    try {
      return readFileSync(join(folder, path));
    } catch {
      return null;
    }
  };
}
