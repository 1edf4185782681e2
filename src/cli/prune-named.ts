import { lstatSync } from "node:fs";
import { basename, dirname } from "node:path";
import { WfError } from "../core/problem.ts";
import { liveStep } from "../review/live-steps.ts";
import { liveness } from "../review/liveness.ts";
import { runLinks } from "../review/run-links.ts";
import { type RunSize, runSize } from "../review/run-size.ts";
import { clockTime } from "../store/clock-time.ts";
import { readJournal } from "../store/read-journal.ts";
import { stampOf } from "../store/remove-run.ts";
import { readSnapshot, readSnapshotFile } from "../store/snapshot.ts";
import { findRun, realOrSame } from "./find-run.ts";
import { listedRun, listedRuns } from "./listed-runs.ts";
import { idsOf, type Need, ownNeeds, type Proposed, type PrunePlan } from "./prune-plan.ts";
import type { ListedRun } from "./render/list.ts";

/**
 * The runs that were named, whatever they are. Raises RUN_NOT_FOUND, RUN_AMBIGUOUS, USAGE if one is not in the runs
 * folder, RUN_LOCKED if one is driven, FORMAT_UNKNOWN, IO_ERROR.
 */
export function planOfNamed(names: readonly string[], runsDir: string): PrunePlan {
  const runs = new Map<string, ListedRun>();
  for (const name of names) {
    const run = namedRun(name, runsDir);
    runs.set(run.path, run);
  }
  const others = listedRuns(realOrSame(runsDir)).filter(({ path }) => !runs.has(path));
  const links = others.flatMap((by) => runLinks(by.path).map((link) => ({ by: by.id, ...link })));
  const proposed = [...runs.values()].map((run): Proposed => {
    const ids = idsOf(run);
    const named = links.filter((link) => ids.includes(link.run));
    const needs = [...ownNeeds(run), ...named.map(({ how, by }): Need => ({ kind: how, by }))];
    return { run, needs: unique(needs), size: wholeSize(run), stamp: stampOf(run.path) };
  });
  return { proposed, kept: [], leftOvers: [] };
}

function unique(needs: readonly Need[]): Need[] {
  return [...new Map(needs.map((need) => [JSON.stringify(need), need])).values()];
}

function namedRun(name: string, runsDir: string): ListedRun {
  const { id, path } = findRun(name, runsDir);
  if (dirname(path) !== realOrSame(runsDir)) {
    throw new WfError({
      code: "USAGE",
      message: `${path} is not in the runs folder, ${runsDir}: wf prune removes nothing else`,
      hint: `if it is a run that can go: wf prune --runs-dir ${dirname(path)} ${id}`,
    });
  }
  if (basename(path, ".json") !== basename(id, ".json")) {
    throw new WfError({
      code: "USAGE",
      message: `${id} is a link to ${basename(path)}: wf prune follows none`,
      hint: `the run itself:  wf prune ${basename(path)}`,
    });
  }
  const run = listedRun(id, path) ?? {
    id,
    path,
    head: null,
    shown: "unreadable",
    problem: "it has no run.json",
  };
  refuseOther(run);
  const driver = liveness(path);
  if (driver.state !== "driven") {
    refuseLiveStep(run);
    return run;
  }
  const { pid, host, since } = driver.owner;
  throw new WfError({
    code: "RUN_LOCKED",
    message: `run '${id}' is driven by process ${pid} on ${host} since ${clockTime(since)}`,
    hint: `stop it first:  wf cancel ${id}`,
  });
}

/** Of a run that was cut off a step may go on, and writes into it. */
function refuseLiveStep({ id, path, shown }: ListedRun): void {
  const live = shown === "interrupted" ? liveStep(path) : null;
  if (live === null) return;
  throw new WfError({
    code: "RUN_LOCKED",
    message: `nobody drives run '${id}', but its step ${live.step} still runs, as process ${live.pid}`,
    hint: `go on with it:  wf resume ${id}\nend it first:  wf cancel ${id}`,
  });
}

/** Raises RUN_NOT_FOUND for what is no run. */
function refuseOther({ path, head }: ListedRun): void {
  const isFile = !lstatSync(path).isDirectory();
  const { kind } = isFile ? readSnapshotFile(path) : readSnapshot(path);
  if (head !== null && (kind === "legacy" || (kind === "current" && !isFile))) return;
  if (!isFile && hasJournal(path)) return;
  throw new WfError({
    code: "RUN_NOT_FOUND",
    message: `${path} is no run: wf prune removes nothing else`,
    hint: "wf ls lists the runs",
  });
}

function wholeSize({ path }: ListedRun): RunSize {
  const size = runSize(path);
  if (size.mounted === null) return size;
  throw new WfError({
    code: "WRONG_STATE",
    message: `${path} can not go: another file system is mounted in it, at ${size.mounted}`,
    hint: `umount ${size.mounted}`,
  });
}

function hasJournal(path: string): boolean {
  try {
    return readJournal(path).lines.length > 0;
  } catch (error) {
    if (error instanceof WfError && error.code === "RUN_DAMAGED") return false;
    throw error;
  }
}
