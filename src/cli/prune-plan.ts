import { lstatSync } from "node:fs";
import { WfError } from "../core/problem.ts";
import { liveness } from "../review/liveness.ts";
import { type RunLink, runLinks } from "../review/run-links.ts";
import { type RunSize, runSize } from "../review/run-size.ts";
import { ioError } from "../store/io-error.ts";
import { deadLeftOvers } from "../store/left-over.ts";
import { stampOf } from "../store/remove-run.ts";
import { readSnapshot } from "../store/snapshot.ts";
import { listedRuns } from "./listed-runs.ts";
import type { ListedRun } from "./render/list.ts";

/** Which runs go that nobody named. */
export interface Criteria {
  readonly statuses: readonly string[];
  /** Only those of this workflow. */
  readonly workflow: string | null;
  /** Only those that ended before; null: whenever they did. */
  readonly before: Date | null;
  /** Of each workflow so many of the newest that fit stay. */
  readonly keep: number;
}

export type Need = { readonly kind: "resume" } | { readonly kind: RunLink["how"]; readonly by: string };

export interface Proposed {
  readonly run: ListedRun;
  /** It can still be resumed; others name it. */
  readonly needs: readonly Need[];
  readonly size: RunSize;
  /** As `removeRun` takes it. */
  readonly stamp: string;
}

export const KEPT = [
  "status",
  "workflow",
  "newest",
  "recent",
  "driven",
  "needed",
  "older-record",
  "unreadable",
  "newer-format",
  "link",
  "mounted",
] as const;

export interface Kept {
  readonly run: ListedRun;
  readonly why: (typeof KEPT)[number];
  /** The end of a sentence that begins with the run. */
  readonly because: string;
}

export interface PrunePlan {
  readonly proposed: readonly Proposed[];
  /** Runs of the folder that stay; none if runs were named. */
  readonly kept: readonly Kept[];
  /** Names in the runs folder. */
  readonly leftOvers: readonly string[];
}

/** What can go of a runs folder by itself. Raises IO_ERROR. */
export function planByCriteria(runsDir: string, criteria: Criteria): PrunePlan {
  const all = listedRuns(runsDir);
  const kept = new Map<ListedRun, Kept>();
  const keep = (run: ListedRun, why: Kept["why"], because: string) => kept.set(run, { run, why, because });
  const counts = new Map<string, number>();
  for (const run of all) {
    const [why, because] = whyKept(run, criteria, counts) ?? [];
    if (why !== undefined && because !== undefined) keep(run, why, because);
  }
  const sizes = new Map<ListedRun, RunSize>();
  for (const run of all) {
    if (kept.has(run)) continue;
    const size = runSize(run.path);
    sizes.set(run, size);
    if (size.mounted !== null) keep(run, "mounted", `${size.mounted} is mounted in it`);
  }
  keepWhatIsNamed(all, kept);
  const proposed = all.flatMap((run): Proposed[] => {
    const size = sizes.get(run);
    return kept.has(run) || !size ? [] : [{ run, needs: ownNeeds(run), size, stamp: stampOf(run.path) }];
  });
  return { proposed, kept: [...kept.values()], leftOvers: deadLeftOvers(runsDir) };
}

/** `counts`: by workflow, how many that fit have stayed. */
function whyKept(
  run: ListedRun,
  { statuses, workflow, before, keep }: Criteria,
  counts: Map<string, number>,
): readonly [Kept["why"], string] | null {
  const { head, shown, path } = run;
  if (isLink(path)) return ["link", "is a link"];
  if (head === null) return ["unreadable", `can not be read: ${run.problem}`];
  if (head.legacy) return ["older-record", "is an older record"];
  if (workflow !== null && head.workflowId !== workflow)
    return ["workflow", `is of the workflow ${head.workflowId}`];
  if (!statuses.includes(shown)) return ["status", `is ${shown}`];
  const count = counts.get(head.workflowId) ?? 0;
  counts.set(head.workflowId, count + 1);
  if (count < keep) {
    const which = keep === 1 ? "the newest" : `one of the ${keep} newest`;
    return ["newest", `is ${which} of ${head.workflowId}`];
  }
  const ended = Date.parse(head.endedAt ?? "");
  if (before !== null && !(ended < before.getTime()))
    return ["recent", Number.isNaN(ended) ? "does not say when it ended" : `ended at ${head.endedAt}`];
  const driver = liveness(path);
  if (driver.state !== "nobody") return ["driven", "is driven, or may be"];
  return isNewer(path) ? ["newer-format", "is of a newer version of wf"] : null;
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch (error) {
    throw ioError(error, `look at ${path}`);
  }
}

function isNewer(path: string): boolean {
  try {
    readSnapshot(path);
    return false;
  } catch (error) {
    if (error instanceof WfError && error.code === "FORMAT_UNKNOWN") return true;
    throw error;
  }
}

/** What stays keeps those that it names, and these those that they name. */
function keepWhatIsNamed(all: readonly ListedRun[], kept: Map<ListedRun, Kept>): void {
  if (kept.size === all.length) return;
  const byId = new Map(all.flatMap((run) => idsOf(run).map((id) => [id, run] as const)));
  const open = [...kept.keys()];
  for (let by = open.pop(); by !== undefined; by = open.pop()) {
    for (const { run: id, how } of runLinks(by.path)) {
      const run = byId.get(id);
      if (run === undefined || kept.has(run)) continue;
      const because = how === "fork" ? `is what ${by.id} was forked from` : `is what ${by.id} reuses`;
      kept.set(run, { run, why: "needed", because });
      open.push(run);
    }
  }
}

/** A run that was moved into the folder may have another name there. */
export function idsOf({ id, head }: ListedRun): string[] {
  return head === null || head.runId === id ? [id] : [id, head.runId];
}

export function ownNeeds({ shown, head }: ListedRun): Need[] {
  return shown === "succeeded" || head === null || head.legacy ? [] : [{ kind: "resume" }];
}
