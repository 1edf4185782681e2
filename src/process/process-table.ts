import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { isSafePid, readProcess } from "../system/identity.ts";

/** The variable by which a step's processes are found; nested runs append theirs, joined by a comma. */
export const COOKIE_VARIABLE = "WF_ATTEMPT_ID";

/** One system call: is anything left in the group, dead or alive? */
export function groupExists(pgid: number): boolean {
  try {
    process.kill(-pgid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Sends the signal to a whole group; one that is gone, or could never be a step's, is left alone. */
export function signalGroup(pgid: number, signal: NodeJS.Signals): void {
  if (isSafePid(pgid)) send(-pgid, signal);
}

export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  if (isSafePid(pid) && pid !== process.pid) send(pid, signal);
}

/** Gone, or a zombie that nobody has collected, or another process by now. */
export function isGone(pid: number, startTime: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return true;
  }
  // Elsewhere it would take a process to ask; a zombie there is found when its group is.
  if (process.platform !== "linux") return false;
  const found = readProcess(pid);
  return found === null || isDead(found.state) || found.startTime !== startTime;
}

/** The group's processes, zombies aside. */
export function groupMembers(pgid: number): number[] {
  if (process.platform !== "linux") {
    return psTable().flatMap((p) => (p.pgrp === pgid && !isDead(p.state) ? [p.pid] : []));
  }
  return pids().filter((pid) => {
    const found = readProcess(pid);
    return found !== null && found.pgrp === pgid && !isDead(found.state);
  });
}

/** The processes with this cookie in the environment they were started with (Linux only), zombies aside. */
export function cookieBearers(cookie: string): number[] {
  if (process.platform !== "linux" || cookie === "") return [];
  return pids().filter((pid) => pid !== process.pid && bears(pid, cookie));
}

function bears(pid: number, cookie: string): boolean {
  let environ: string;
  try {
    environ = readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    return false;
  }
  const prefix = `${COOKIE_VARIABLE}=`;
  if (!environ.includes(prefix)) return false;
  const entry = environ.split("\0").find((variable) => variable.startsWith(prefix));
  return entry?.slice(prefix.length).split(",").includes(cookie) ?? false;
}

function pids(): number[] {
  return readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

function psTable(): { pid: number; pgrp: number; state: string }[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,pgid=,state="], { encoding: "utf8" });
  return table.split("\n").flatMap((line) => {
    const [pid, pgrp, state] = line.trim().split(/\s+/);
    return pid && pgrp && state ? [{ pid: Number(pid), pgrp: Number(pgrp), state }] : [];
  });
}

function isDead(state: string): boolean {
  return state.startsWith("Z") || state.startsWith("X");
}

function send(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch {
    // Gone already, or not ours any more.
  }
}
