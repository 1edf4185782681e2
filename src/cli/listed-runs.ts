import { liveness } from "../review/liveness.ts";
import { listRuns } from "./find-run.ts";
import type { ListedRun } from "./render/list.ts";
import { readHead } from "./run-head.ts";

/** All runs in a folder, newest first. */
export function listedRuns(runsDir: string): ListedRun[] {
  const runs: ListedRun[] = [];
  for (const { id, path } of listRuns(runsDir)) {
    const run = listedRun(id, path);
    if (run !== null) runs.push(run);
  }
  return runs.sort(newestFirst);
}

/** Null if it is no run. */
export function listedRun(id: string, path: string): ListedRun | null {
  const head = readHead(path);
  if (head === undefined) return null;
  if (typeof head === "string") return { id, path, head: null, shown: "unreadable", problem: head };
  return { id, path, head, shown: shownStatus(path, head.status, head.legacy), problem: null };
}

/** A run that says it runs and that nobody drives was cut off. */
function shownStatus(path: string, status: string, legacy: boolean): string {
  if (legacy || (status !== "running" && status !== "queued")) return status;
  return liveness(path).state === "nobody" ? "interrupted" : status;
}

function newestFirst(a: ListedRun, b: ListedRun): number {
  const [atA, atB] = [a.head?.createdAt ?? "", b.head?.createdAt ?? ""];
  if (atA !== atB) return atA < atB ? 1 : -1;
  return a.id < b.id ? 1 : -1;
}
