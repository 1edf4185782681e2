import { readdirSync, readFileSync } from "node:fs";
import { until } from "./wait.ts";

export interface LiveProcess {
  readonly pid: number;
  readonly ppid: number;
  readonly command: string;
  readonly environ: string;
}

/** The processes, zombies aside, whose environment holds `name=value` (Linux). */
export function processesWith(name: string, value: string): LiveProcess[] {
  const found: LiveProcess[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    try {
      const environ = readFileSync(`/proc/${entry}/environ`, "latin1");
      if (!`\0${environ}`.includes(`\0${name}=${value}\0`)) continue;
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      const [state, ppid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (state === "Z" || state === "X") continue;
      const command = readFileSync(`/proc/${entry}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      found.push({ pid: Number(entry), ppid: Number(ppid), command, environ });
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}

export function isGone(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return /^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return true;
  }
}

/** The one-letter state that the system shows for a process. */
export function stateOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2)[0] ?? "";
  } catch {
    return "";
  }
}

export async function gone(pid: number): Promise<void> {
  await until(() => isGone(pid), `process ${pid} to end`);
}

export function kill(pids: readonly number[], signal: NodeJS.Signals = "SIGKILL"): void {
  for (const pid of pids) {
    if (pid <= 1) throw new Error(`not a process to be killed: ${pid}`);
    try {
      process.kill(pid, signal);
    } catch {
      // It ended meanwhile.
    }
  }
}
