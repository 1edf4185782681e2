import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { arch, cpus, release, totalmem, type } from "node:os";
import { fileURLToPath } from "node:url";
import { installed } from "./bench.ts";

const FILE = fileURLToPath(new URL("history.ndjson", import.meta.url));
const PROJECT = fileURLToPath(new URL("../../", import.meta.url));
/** A machine with more load than this does other things too. */
const QUIET = 0.5;

/** One run of the benchmark, a line of the history. */
export interface Entry {
  readonly at: string;
  /** Of what was measured; with a `+` if files differ from it. */
  readonly commit: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: {
    readonly cpu: string;
    readonly cpus: number;
    readonly memoryGb: number;
    readonly system: string;
  };
  /** When it began. */
  readonly load: number;
  readonly rounds: number;
  /** By table and row: the ratio to the base, or the value where there is none. */
  readonly figures: Readonly<Record<string, number>>;
}

/** Where and with what it is measured now. */
export function circumstances(rounds: number, load: number): Omit<Entry, "figures"> {
  const versions: Record<string, string> = { node: process.version.slice(1) };
  for (const program of ["make", "ninja", "parallel"]) {
    if (installed(program)) versions[program] = versionOf(program);
  }
  const [first] = cpus();
  return {
    at: new Date().toISOString(),
    commit: commit(),
    versions,
    machine: {
      cpu: first?.model ?? "unknown",
      cpus: cpus().length,
      memoryGb: Math.round(totalmem() / 2 ** 30),
      system: `${type()} ${release()} ${arch()}`,
    },
    load: Math.round(load * 10) / 10,
    rounds,
  };
}

export function readHistory(): Entry[] {
  if (!existsSync(FILE)) return [];
  return readFileSync(FILE, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Entry);
}

export function append(entry: Entry): void {
  appendFileSync(FILE, `${JSON.stringify(entry)}\n`);
}

/**
 * For each figure the last entry that has it and can be held against this one: the same processor and version of Node,
 * and both on a quiet machine or both not. `commit`: only entries of this one, which may be cut short.
 */
export function before(
  history: readonly Entry[],
  now: Omit<Entry, "figures">,
  commit?: string,
): ReadonlyMap<string, { readonly figure: number; readonly commit: string }> {
  const found = new Map<string, { figure: number; commit: string }>();
  for (const entry of history) {
    if (!isComparable(entry, now) || !entry.commit.startsWith(commit ?? "")) continue;
    for (const [name, figure] of Object.entries(entry.figures))
      found.set(name, { figure, commit: entry.commit });
  }
  return found;
}

function isComparable(a: Omit<Entry, "figures">, b: Omit<Entry, "figures">): boolean {
  const major = ({ versions }: typeof a) => versions.node?.split(".")[0];
  return (
    a.machine.cpu === b.machine.cpu &&
    a.machine.cpus === b.machine.cpus &&
    major(a) === major(b) &&
    a.load <= QUIET === b.load <= QUIET
  );
}

export function isQuiet({ load }: { readonly load: number }): boolean {
  return load <= QUIET;
}

function commit(): string {
  try {
    const git = (...args: string[]) => execFileSync("git", args, { cwd: PROJECT, encoding: "utf8" }).trim();
    const dirty = git("status", "--porcelain", "--", "src", "package-lock.json") === "" ? "" : "+";
    return `${git("rev-parse", "--short=12", "HEAD")}${dirty}`;
  } catch {
    return "unknown";
  }
}

function versionOf(program: string): string {
  const text = execFileSync(program, ["--version"], { encoding: "utf8" });
  return /\d+(?:\.\d+)*/.exec(text)?.[0] ?? "unknown";
}
