import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";

/** A digest of all that a folder holds: names, kinds, contents. */
export function digestOf(dir: string, leaveOut: (path: string) => boolean = () => false): string {
  const hash = createHash("sha256");
  const walk = (relative: string) => {
    for (const entry of fs.readdirSync(join(dir, relative), { withFileTypes: true }).sort(byName)) {
      const path = relative === "" ? entry.name : `${relative}/${entry.name}`;
      if (leaveOut(path)) continue;
      hash.update(`${path}\0`);
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile()) hash.update(fs.readFileSync(join(dir, path)));
      else if (entry.isSymbolicLink()) hash.update(fs.readlinkSync(join(dir, path)));
    }
  };
  walk("");
  return hash.digest("hex");
}

function byName(a: fs.Dirent, b: fs.Dirent): number {
  return a.name < b.name ? -1 : 1;
}

/** A file system in memory at `dir`; a reason if none can be mounted here. */
export function mountTmpfs(dir: string, size: string): string | null {
  fs.mkdirSync(dir, { recursive: true });
  const { status, error } = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", dir]);
  return status === 0 ? null : `no file system can be mounted here (${error?.message ?? `status ${status}`})`;
}

export function remount(dir: string, options: string): void {
  const { status, stderr } = spawnSync("mount", ["-o", `remount,${options}`, dir], { encoding: "utf8" });
  if (status !== 0) throw new Error(`remount of ${dir}: ${stderr}`);
}

export function unmount(dir: string): void {
  spawnSync("umount", ["-l", dir]);
}
