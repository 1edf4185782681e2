import { existsSync, linkSync, readFileSync, statfsSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { errnoOf, ioError } from "../store/io-error.ts";
import { removeLeftOvers } from "../store/left-over.ts";
import { readProcess } from "../system/identity.ts";
import { findProgram, firstLineOf } from "../system/program.ts";
import { displayPath, listRuns } from "./find-run.ts";
import { count, localTime } from "./render/text.ts";
import { readHead } from "./run-head.ts";

export interface Check {
  readonly name: string;
  readonly status: "ok" | "warning" | "failed";
  readonly detail: string;
  readonly hint: string | null;
}

/** Everything around wf that a run needs. The only thing this changes: leftovers of dead processes are removed. */
export function checkSurroundings(runsDir: string): Check[] {
  return [
    node(),
    program("sh", [], "failed", "steps are run by it"),
    program("bash", ["--version"], "warning", "only steps with `shell: bash` need it"),
    program("git", ["--version"], "warning", "runs record the commit they started from if it is there"),
    processes(),
    ...folder(runsDir),
    clock(runsDir),
  ];
}

const ok = (name: string, detail: string): Check => ({ name, status: "ok", detail, hint: null });

function node(): Check {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return ok("node", process.version);
  return { name: "node", status: "failed", detail: process.version, hint: "20.19 or later is needed" };
}

function program(name: string, args: readonly string[], lacking: "warning" | "failed", why: string): Check {
  const path = findProgram(name);
  if (path === undefined) return { name, status: lacking, detail: "not on PATH", hint: why };
  const version = args.length === 0 ? undefined : firstLineOf(path, args);
  return ok(name, version === undefined ? path : `${path}: ${version}`);
}

/** How wf tells a process from a later one with its number. */
function processes(): Check {
  const name = "processes";
  if (readProcess(process.pid)?.startTime) {
    return ok(name, process.platform === "linux" ? "read from /proc" : "read with ps");
  }
  return {
    name,
    status: "failed",
    detail: process.platform === "linux" ? "/proc can not be read" : "ps can not be used",
    hint: "without it a crashed engine can not be told from a live one, and resume has to wait",
  };
}

function folder(runsDir: string): Check[] {
  const shown = displayPath(runsDir);
  const present = existsSync(runsDir);
  const at = present ? runsDir : nearestFolder(runsDir);
  const checks = [writable(at, present ? shown : `${shown} (to be made)`), fileSystem(at)];
  if (!present) return checks;
  try {
    const cleared = removeLeftOvers(runsDir);
    const stuck = cleared.find(({ problem }) => problem !== null);
    if (stuck?.problem) {
      const hint = "remove it as somebody who may";
      return [...checks, { name: "leftovers", status: "warning", detail: stuck.problem, hint }];
    }
    const detail =
      cleared.length === 0 ? "none" : `${count(cleared.length, "folder")} of dead processes removed`;
    return [...checks, ok("leftovers", detail)];
  } catch (error) {
    const { message } = ioError(error, "remove them");
    return [...checks, { name: "leftovers", status: "warning", detail: message, hint: null }];
  }
}

function writable(at: string, shown: string): Check {
  const name = "runs folder";
  const probe = join(at, `.wf-doctor-${process.pid}`);
  try {
    writeFileSync(probe, "", { flag: "wx", flush: true });
  } catch (error) {
    const { message, hint } = ioError(error, `write into ${at}`);
    return { name, status: "failed", detail: message, hint: hint ?? null };
  }
  try {
    linkSync(probe, `${probe}-link`);
    unlinkSync(`${probe}-link`);
    return ok(name, shown);
  } catch (error) {
    return ok(name, `${shown}; no hard links (${errnoOf(error)}), folders are used instead`);
  } finally {
    unlinkSync(probe);
  }
}

/** By their number in statfs(2). */
const FILE_SYSTEMS: Readonly<Record<number, readonly [name: string, warning: string | null]>> = {
  61267: ["ext4", null],
  1481003842: ["xfs", null],
  2435016766: ["btrfs", null],
  801189825: ["zfs", null],
  2035054128: ["overlayfs", "in a container: it may be gone with it"],
  16914836: ["tmpfs", "it is gone after a reboot"],
  26985: ["nfs", "whether a sync reaches the disk is up to the server"],
  4283649346: ["cifs", "whether a sync reaches the disk is up to the server"],
  4266872130: ["smb2", "whether a sync reaches the disk is up to the server"],
  16914839: ["9p", "whether a sync reaches the disk is up to the host"],
  1702057286: ["fuse", "what a sync does is up to the program behind it"],
  26: ["apfs", null],
};

function fileSystem(at: string): Check {
  const name = "file system";
  try {
    const { type, bavail, bsize } = statfsSync(at);
    const free = `${Math.floor((bavail * bsize) / 1e6)} MB free`;
    const [label, warning] = FILE_SYSTEMS[type >>> 0] ?? [`type 0x${(type >>> 0).toString(16)}`, null];
    if (bavail * bsize < 50e6) {
      return {
        name,
        status: "warning",
        detail: `${label}, ${free}`,
        hint: "a run that finds the disk full stops",
      };
    }
    if (warning !== null) return { name, status: "warning", detail: `${label}, ${free}`, hint: warning };
    return ok(name, `${label}, ${free}`);
  } catch (error) {
    return { name, status: "warning", detail: ioError(error, `look at ${at}`).message, hint: null };
  }
}

/** Older than this program is impossible; behind what runs have recorded means it was set back. */
function clock(runsDir: string): Check {
  const name = "clock";
  const now = Date.now();
  if (new Date(now).getUTCFullYear() < 2026) {
    return {
      name,
      status: "warning",
      detail: new Date(now).toISOString(),
      hint: "it is set to a time long past",
    };
  }
  let newest = 0;
  for (const { path } of safeRuns(runsDir)) {
    const head = readHead(path);
    if (typeof head === "object" && head.updatedAt)
      newest = Math.max(newest, Date.parse(head.updatedAt) || 0);
  }
  if (newest > now + 60_000) {
    const detail = `a run here was last changed at ${localTime(new Date(newest).toISOString())}, which is in the future`;
    return { name, status: "warning", detail, hint: "the clock was set back, or another machine's is ahead" };
  }
  return ok(name, bootTime() ?? new Date(now).toISOString());
}

function safeRuns(runsDir: string) {
  try {
    return listRuns(runsDir);
  } catch {
    return [];
  }
}

function bootTime(): string | undefined {
  try {
    const seconds = /^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1];
    const booted =
      seconds === undefined ? "" : `; booted ${localTime(new Date(Number(seconds) * 1000).toISOString())}`;
    return `${localTime(new Date().toISOString())}${booted}`;
  } catch {
    return undefined;
  }
}

function nearestFolder(path: string): string {
  let at = path;
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return at;
}
