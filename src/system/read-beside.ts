import { readFileSync, realpathSync } from "node:fs";
import { join, sep } from "node:path";

/** Reads files by their path below a folder; null for one that can not be read, or that a link leads out to. */
export function readBeside(folder: string): (path: string) => Uint8Array | null {
  return (path) => {
    try {
      const real = realpathSync(join(folder, path));
      return real.startsWith(realpathSync(folder) + sep) ? readFileSync(real) : null;
    } catch {
      return null;
    }
  };
}
