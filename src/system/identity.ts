import { execFileSync } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import type { ProcessIdentity } from "../core/event.ts";

/** What tells a process from every other one, on this machine and elsewhere, now and after a reboot. */
export type Identity = Omit<ProcessIdentity, "cookie" | "recorder">;

export interface ProcessFacts {
  readonly startTime: string;
  /** One letter, as `ps` shows it. */
  readonly state: string;
  readonly ppid: number;
  readonly pgrp: number;
}

let own: Identity | undefined;

export function ownIdentity(): Identity {
  own ??= {
    pid: process.pid,
    startTime: readProcess(process.pid)?.startTime ?? "",
    bootId: readBootId(),
    pidNamespace: linkOrEmpty("/proc/self/ns/pid"),
    host: hostname(),
    machineId: readMachineId(),
  };
  return own;
}

/** What the system says about a process; null if there is none, or none that it lets us see. */
export function readProcess(pid: number): ProcessFacts | null {
  if (!Number.isSafeInteger(pid) || pid <= 0) return null;
  return process.platform === "linux" ? readProcStat(pid) : readPs(pid);
}

/** A process that may be signalled: never our own group, every process, or init. */
export function isSafePid(pid: number): boolean {
  return Number.isSafeInteger(pid) && pid > 1;
}

/**
 * "dead" only on proof, since what follows is a takeover: the same boot and pid namespace and no such process,
 * another start time, or a zombie; or the same machine after a reboot. A stopped process is alive.
 */
export function isAlive(identity: Identity, self: Identity = ownIdentity()): "alive" | "dead" | "unknown" {
  if (identity.bootId === "" || identity.bootId !== self.bootId) {
    const rebooted =
      identity.bootId !== "" &&
      self.bootId !== "" &&
      identity.host === self.host &&
      identity.machineId !== "" &&
      identity.machineId === self.machineId;
    return rebooted ? "dead" : "unknown";
  }
  if (identity.pidNamespace !== self.pidNamespace) return "unknown";
  const found = readProcess(identity.pid);
  // A /proc mounted with hidepid does not show the processes of other users.
  if (found === null) return exists(identity.pid) ? "unknown" : "dead";
  if (found.state === "Z" || found.state === "X") return "dead";
  if (identity.startTime === "" || found.startTime === "") return "unknown";
  return found.startTime === identity.startTime ? "alive" : "dead";
}

function readProcStat(pid: number): ProcessFacts | null {
  const stat = textOrEmpty(`/proc/${pid}/stat`);
  // The second field is the program's name in parentheses, and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, ppid, pgrp] = fields;
  const startTime = fields[19];
  if (!state || startTime === undefined) return null;
  return { startTime, state, ppid: Number(ppid), pgrp: Number(pgrp) };
}

function readPs(pid: number): ProcessFacts | null {
  const line = outputOrEmpty("ps", ["-o", "state=,ppid=,pgid=,lstart=", "-p", String(pid)]);
  const match = /^(\S)\S*\s+(\d+)\s+(\d+)\s+(\S.*)$/.exec(line);
  if (!match) return null;
  return {
    state: match[1] as string,
    ppid: Number(match[2]),
    pgrp: Number(match[3]),
    startTime: match[4] as string,
  };
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

function readBootId(): string {
  if (process.platform === "linux") return textOrEmpty("/proc/sys/kernel/random/boot_id").trim();
  return outputOrEmpty("sysctl", ["-n", "kern.bootsessionuuid"]);
}

function readMachineId(): string {
  if (process.platform === "linux") {
    return (textOrEmpty("/etc/machine-id") || textOrEmpty("/var/lib/dbus/machine-id")).trim();
  }
  const tree = outputOrEmpty("ioreg", ["-rd1", "-c", "IOPlatformExpertDevice"]);
  return /"IOPlatformUUID" = "([^"]+)"/.exec(tree)?.[1] ?? "";
}

function textOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function linkOrEmpty(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function outputOrEmpty(command: string, args: readonly string[]): string {
  try {
    const env = { ...process.env, LC_ALL: "C", TZ: "UTC" };
    return execFileSync(command, args, { encoding: "utf8", env, stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "";
  }
}
