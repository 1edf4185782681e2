import { diffTexts } from "../../review/diff-text.ts";
import type { Difference, Replayed } from "../../review/replay.ts";
import { colors } from "./style.ts";
import { count, neutralize, oneLine } from "./text.ts";

/**
 * ```
 * fixtures/runs/release: 2 differences
 *
 * ci/release.yaml:12  build, attempt 1, has another script   [script]
 *     -echo old
 *     +echo new
 *
 * compared 3 attempts, 1 skipped step
 * ```
 */
export function replayText(replayed: Replayed, name: string): string {
  const c = colors();
  const { differences, notes } = replayed;
  const lines = [verdict(replayed, name)];
  for (const difference of differences) lines.push("", ...differenceLines(difference));
  for (const note of notes) lines.push("", c.dim(`not compared: ${oneLine(note)}`));
  lines.push(...(differences.length > 0 ? [""] : []), c.dim(comparedText(replayed)));
  return lines.join("\n");
}

function verdict({ differences, status }: Replayed, name: string): string {
  const c = colors();
  if (differences.length === 0) return `${oneLine(name)}: ${c.green("the same")}, ${status}`;
  return `${oneLine(name)}: ${c.red(count(differences.length, "difference"))}`;
}

function comparedText({ counts }: Replayed): string {
  const { attempts, skipped, decisions, passedOver } = counts;
  const parts = [count(attempts, "attempt")];
  if (skipped > 0) parts.push(count(skipped, "skipped step"));
  if (decisions > 0) parts.push(count(decisions, "decision"));
  const noise = passedOver === 0 ? "" : `; ${count(passedOver, "cut-off attempt")} passed over`;
  return `compared ${parts.join(", ")}${noise}`;
}

/** Also what `wf fixture check` prints. */
export function differenceLines({ kind, message, expected, actual, place }: Difference): string[] {
  const c = colors();
  const where = place === null ? "" : `${c.bold(oneLine(`${place.file}:${place.line}`))}  `;
  return [
    `${where}${oneLine(message)}   ${c.dim(`[${kind}]`)}`,
    ...(isLong(expected) || isLong(actual) ? changedLines(expected, actual) : bothLines(expected, actual)),
  ];
}

function isLong(text: string): boolean {
  return text.includes("\n");
}

function bothLines(expected: string, actual: string): string[] {
  const c = colors();
  return [`    expected  ${c.red(oneLine(expected))}`, `    actual    ${c.green(oneLine(actual))}`];
}

function changedLines(expected: string, actual: string): string[] {
  const c = colors();
  const { hunks, added, removed } = diffTexts(expected, actual);
  if (hunks.length === 0) return [`    ${count(removed, "line")} recorded, ${count(added, "line")} now`];
  const lines = hunks.flatMap((hunk) => hunk.lines);
  return lines.map((line) => {
    const text = `    ${neutralize(line)}`;
    return line.startsWith("+") ? c.green(text) : line.startsWith("-") ? c.red(text) : text.trimEnd();
  });
}

/** Described by `schemas/cli/replay.schema.json`. */
export function replayJson(replayed: Replayed, name: string): object {
  const { workflow, definition, status, counts, notes, differences } = replayed;
  return {
    record: name,
    workflow,
    definition,
    status,
    same: differences.length === 0,
    counts: { ...counts },
    notes,
    differences: differences.map(differenceJson),
  };
}

export function differenceJson({
  kind,
  step,
  attempt,
  message,
  expected,
  actual,
  place,
}: Difference): object {
  return { kind, step, attempt, message, expected, actual, place };
}
