import { spawnSync } from "node:child_process";

/**
 * Makes all that has been written to the file system of `path` durable, names and contents, by one `syncfs(2)`: Node can
 * not call it, and `sync -f` does. False if it could not: elsewhere than on Linux that command only asks for it, or is none.
 */
export function syncFileSystem(path: string): boolean {
  if (process.platform !== "linux") return false;
  return spawnSync("sync", ["-f", path], { stdio: "ignore" }).status === 0;
}
