import { KEPT, type Kept, type Need, type Proposed, type PrunePlan } from "../prune-plan.ts";
import { colors, paintStatus } from "./style.ts";
import { bytes, count, localTime, oneLine } from "./text.ts";

/** What became of a run, or of something left over. */
export interface Outcome {
  readonly removed: boolean;
  /** Why it, or a part of it, is still there; a sentence. */
  readonly problem: string | null;
}

/** What would go, and what it is needed for. */
export function planText(plan: PrunePlan, runsDir: string): string {
  const { proposed, leftOvers, kept } = plan;
  const lines: string[] = [];
  if (proposed.length > 0) {
    lines.push(`${count(proposed.length, "run")} of ${runsDir} can go, ${bytes(total(proposed))} on disk:`);
    for (const each of proposed) lines.push("", ...runLines(each));
  }
  if (leftOvers.length > 0) {
    if (lines.length > 0) lines.push("");
    lines.push(`left by processes that died: ${leftOvers.map(oneLine).join(", ")}`);
  }
  if (lines.length === 0) lines.push(`nothing to prune in ${runsDir}`);
  const rest = keptText(kept);
  return [...lines, ...(rest === "" ? [] : ["", rest])].join("\n");
}

function runLines({ run, needs, size }: Proposed): string[] {
  const c = colors();
  const ended = run.head?.endedAt ? `, ended ${localTime(run.head.endedAt)}` : "";
  const head = `  ${c.bold(oneLine(run.id))}  ${paintStatus(run.shown)}${ended}, ${bytes(size.bytes)}`;
  const shared =
    size.sharedFiles > 0 ? [`    not lost: ${count(size.sharedFiles, "file")} that other runs hold too`] : [];
  const needed = needs.map((need) => `    ${c.yellow("needed:")} ${needText(need)}`);
  return [head, `    lost with it: ${lostOf({ run, size }).join(", ")}`, ...shared, ...needed];
}

function lostOf({ run, size }: Pick<Proposed, "run" | "size">): string[] {
  const { logBytes, artifacts, artifactBytes, workFiles, workBytes } = size;
  return [
    run.head?.legacy ? "its record" : "its record and journal",
    ...(logBytes > 0 ? [`logs (${bytes(logBytes)})`] : []),
    ...(artifacts > 0 ? [`${count(artifacts, "artifact")} (${bytes(artifactBytes)})`] : []),
    ...(workFiles > 0 ? [`${count(workFiles, "file")} that its steps worked on (${bytes(workBytes)})`] : []),
  ];
}

function needText(need: Need): string {
  switch (need.kind) {
    case "resume":
      return "wf resume can still go on with it";
    case "fork":
      return `${oneLine(need.by)} was forked from it; that keeps the files that they share`;
    case "reuse":
      return `${oneLine(need.by)} reuses what it finished; what that has not taken over yet would run again`;
    default:
      return need satisfies never;
  }
}

const WHY: Readonly<Record<Kept["why"], string>> = {
  status: "of another status",
  workflow: "of another workflow",
  newest: "the newest of their workflow",
  recent: "not old enough",
  driven: "driven, or may be",
  needed: "forked or reused by one that stays",
  "older-record": "older records",
  unreadable: "not readable",
  "newer-format": "of a newer version of wf",
  link: "links",
  mounted: "with another file system in it",
};

function keptText(kept: readonly Kept[]): string {
  const parts = KEPT.flatMap((why) => {
    const number = kept.filter((each) => each.why === why).length;
    return number === 0 ? [] : [`${number} ${WHY[why]}`];
  });
  return parts.length === 0 ? "" : `${count(kept.length, "run stays", "runs stay")}: ${parts.join(", ")}`;
}

/** Of files and folders that stand nowhere else. */
export function total(proposed: readonly Proposed[]): number {
  return proposed.reduce((sum, { size }) => sum + size.bytes, 0);
}

export function question({ proposed, leftOvers }: PrunePlan): string {
  const what = [
    ...(proposed.length > 0 ? [count(proposed.length, "run")] : []),
    ...(leftOvers.length > 0 ? ["what was left over"] : []),
  ];
  return `remove ${what.join(" and ")} for good?`;
}

export function doneText(plan: PrunePlan, outcomes: ReadonlyMap<string, Outcome>): string {
  const removed = plan.proposed.filter(({ run }) => outcomes.get(run.path)?.removed);
  const cleared = plan.leftOvers.filter((name) => outcomes.get(name)?.removed).length;
  const also = cleared === 0 ? "" : `, and ${count(cleared, "thing")} left over`;
  return `removed ${count(removed.length, "run")} (${bytes(total(removed))} on disk)${also}`;
}

/** Described by `schemas/cli/prune.schema.json`. `outcomes`: by path, and by name of what was left over; null: a dry run. */
export function pruneJson(
  plan: PrunePlan,
  runsDir: string,
  outcomes: ReadonlyMap<string, Outcome> | null,
): object {
  const outcome = (key: string) => outcomes?.get(key) ?? { removed: false, problem: null };
  return {
    runsDir,
    dryRun: outcomes === null,
    runs: plan.proposed.map(({ run, needs, size }) => {
      const { mounted: _, ...sizes } = size;
      return {
        runId: run.head?.runId ?? run.id,
        path: run.path,
        workflowId: run.head?.workflowId ?? null,
        status: run.head?.status ?? null,
        interrupted: run.shown === "interrupted",
        endedAt: run.head?.endedAt ?? null,
        ...sizes,
        neededFor: needs.map((need) => ({
          kind: need.kind,
          run: need.kind === "resume" ? null : need.by,
          message: needText(need),
        })),
        lost: lostOf({ run, size }),
        ...outcome(run.path),
      };
    }),
    kept: plan.kept.map(({ run, why, because }) => ({
      runId: run.head?.runId ?? run.id,
      path: run.path,
      reason: why,
      message: `it ${because}`,
    })),
    leftOvers: plan.leftOvers.map((name) => ({ name, ...outcome(name) })),
  };
}
