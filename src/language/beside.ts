/** What is wrong with the path of a file that a workflow file names; as the end of a sentence, null if nothing is. */
export function besideFault(path: string): string | null {
  if (path.startsWith("/") || /^[A-Za-z]:[\\/]/.test(path)) return "is absolute";
  if (path.startsWith("~")) return "begins with ~, which is not replaced";
  if (path.split(/[\\/]/).includes("..")) return "leaves the folder of the workflow file";
  return /^[\s./]*$/.test(path) ? "names no file" : null;
}

export const BESIDE_HINT = "write a path relative to the workflow file, in its folder or below it";

/** The path without `.` and doubled slashes, so that each file has one. */
export function normalPath(path: string): string {
  return path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");
}

/** The folder that a path is in, with `/` at its end; empty for that of the path itself. */
export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}
