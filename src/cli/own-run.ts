import { readFileSync } from "node:fs";
import { readProcess } from "../system/identity.ts";

const VARIABLE = "WF_ATTEMPT_ID";

/**
 * The `WF_ATTEMPT_ID` by which this process is one of a step of the run: its own, or on Linux that of a process it
 * descends from. Null if it is none, as far as that can be seen.
 */
export function cookieOf(runId: string): string | null {
  const own = process.env[VARIABLE];
  if (names(own, runId)) return own;
  if (process.platform !== "linux") return null;
  const seen = new Set<number>();
  for (let pid = process.pid; pid > 0 && !seen.has(pid); pid = readProcess(pid)?.ppid ?? 0) {
    seen.add(pid);
    const cookie = cookieIn(pid);
    if (names(cookie, runId)) return cookie;
  }
  return null;
}

/** Nested runs append their own to that of the run they are a step of, joined by a comma. */
function names(cookie: string | undefined, runId: string): cookie is string {
  return cookie?.split(",").some((each) => each.startsWith(`${runId}/`)) ?? false;
}

/** Undefined too for a process that may not be looked at. */
function cookieIn(pid: number): string | undefined {
  try {
    const variables = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    return variables.find((each) => each.startsWith(`${VARIABLE}=`))?.slice(VARIABLE.length + 1);
  } catch {
    return undefined;
  }
}
