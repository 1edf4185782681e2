import type { Checked, CheckFinding, Saved } from "../../review/fixture.ts";
import type { Listed } from "../../review/fixture-list.ts";
import type { Updated } from "../../review/fixture-update.ts";
import { displayPath } from "../find-run.ts";
import { differenceLines, replayJson } from "./replay.ts";
import { colors, paintStatus } from "./style.ts";
import { bytes, count, oneLine, table } from "./text.ts";

export function savedText({ folder, files, bytes: size }: Saved): string {
  const shown = displayPath(folder);
  return `${oneLine(shown)}: ${count(files, "file")}, ${bytes(size)}\n\nlook at it, then commit it; wf fixture check ${shown} is its test`;
}

export function savedJson({ folder, files, bytes: size }: Saved): object {
  return { saved: { folder, files, bytes: size } };
}

export function isSound({ findings, replayed }: Checked): boolean {
  return findings.length === 0 && replayed !== null && replayed.differences.length === 0;
}

/** A line for each fixture that is sound; for the others all that was found. */
export function checkedText(checked: readonly Checked[]): string {
  const bad = checked.filter((each) => !isSound(each)).length;
  const blocks = checked.map((each) => checkedLines(each).join("\n"));
  const separated = blocks.map((block, at) =>
    at > 0 && (block.includes("\n") || blocks[at - 1]?.includes("\n")) ? `\n${block}` : block,
  );
  if (checked.length > 1) {
    const sum = `${count(checked.length, "fixture")}: ${checked.length - bad} sound, ${bad} not`;
    separated.push("", colors().dim(sum));
  }
  return separated.join("\n");
}

function checkedLines(each: Checked): string[] {
  const c = colors();
  const { findings, replayed, folder } = each;
  const name = oneLine(displayPath(folder));
  if (isSound(each)) return [`${name}: ${c.green("sound")}, ${replayed?.status}`];
  const differences = replayed?.differences ?? [];
  const parts = [
    ...(findings.length > 0 ? [count(findings.length, "finding")] : []),
    ...(differences.length > 0 ? [count(differences.length, "difference")] : []),
  ];
  const lines = [`${name}: ${c.red(parts.join(", "))}`];
  for (const finding of findings) lines.push(`  ${findingText(finding)}`);
  for (const difference of differences) {
    lines.push(...differenceLines(difference).map((line) => (line === "" ? "" : `  ${line}`)));
  }
  return lines;
}

function findingText({ kind, path, line, message }: CheckFinding): string {
  const c = colors();
  const where = path === "." ? "" : `${c.bold(oneLine(line === null ? path : `${path}:${line}`))}  `;
  return `${where}${oneLine(message)}   ${c.dim(`[${kind}]`)}`;
}

export function checkedJson(checked: readonly Checked[]): object {
  return {
    checked: checked.map((each) => ({
      folder: each.folder,
      sound: isSound(each),
      findings: each.findings.map(({ kind, path, line, message }) => ({ kind, path, line, message })),
      replay: each.replayed === null ? null : replayJson(each.replayed, displayPath(each.folder)),
    })),
  };
}

export function updatedText({ folder, workflow, changed }: Updated): string {
  const name = oneLine(displayPath(folder));
  const by = workflow === null ? "its page alone: the workflow's file is not there" : displayPath(workflow);
  if (changed.length === 0) return `${name}: nothing to update (${oneLine(by)})`;
  const lines = changed.map((path) => `  ${oneLine(path)}`);
  return [`${name}: ${count(changed.length, "file")} updated (${oneLine(by)})`, ...lines].join("\n");
}

export function updatedJson({ folder, workflow, changed }: Updated): object {
  return { updated: { folder, workflow, changed: [...changed] } };
}

export function listedText(listed: readonly Listed[], folders: readonly string[]): string {
  if (listed.length === 0) {
    return `no fixtures in ${folders.map((folder) => oneLine(displayPath(folder))).join(", ")}`;
  }
  const rows = listed.map(({ folder, workflow, status, steps, attempts }) => [
    oneLine(displayPath(folder)),
    oneLine(workflow),
    oneLine(status),
    String(steps),
    String(attempts),
  ]);
  return table([["FIXTURE", "WORKFLOW", "STATUS", "STEPS", "ATTEMPTS"], ...rows], (cell, row, column) => {
    if (row === 0) return colors().dim(cell);
    return column === 2 ? paintStatus(cell.trimEnd(), cell) : cell;
  }).join("\n");
}

/** Described by `schemas/cli/fixture.schema.json`, as all that `wf fixture` prints. */
export function listedJson(listed: readonly Listed[]): object {
  return { fixtures: listed.map((each) => ({ ...each })) };
}
