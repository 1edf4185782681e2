import { accessSync, constants, statSync } from "node:fs";
import { delimiter, resolve } from "node:path";

/**
 * The program that `execvp` would find, or null.
 *
 * @param path the value of PATH; an empty or relative entry counts from `cwd`
 */
export function findShell(program: string, path: string | undefined, cwd: string): string | null {
  if (program === "") return null;
  const folders = program.includes("/") ? ["."] : (path ?? "/usr/bin:/bin").split(delimiter);
  for (const folder of folders) {
    const candidate = resolve(cwd, folder || ".", program);
    if (isExecutable(candidate)) return candidate;
  }
  return null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
