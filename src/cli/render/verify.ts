import { isDamaged, type Verified, type VerifiedRun } from "../../review/verify.ts";
import type { Repaired } from "../../review/verify-repair.ts";
import type { Finding } from "../../review/verify-rules.ts";
import { displayPath } from "../find-run.ts";
import { LEGACY_WHY } from "./legacy.ts";
import { livenessJson } from "./liveness.ts";
import { colors, paintStatus } from "./style.ts";
import { count, oneLine, shellWord } from "./text.ts";

type Legacy = Extract<Verified, { kind: "legacy" }>;

/**
 * ```
 * run r is damaged: 1 finding
 *
 * damage  steps/a/attempt-1/outputs/x.txt   [artifact-intact]
 *         it has 3 bytes where 5 were recorded (output x of a/1)
 *         restore it from a copy, or …
 * ```
 */
export function verifyText(
  verified: VerifiedRun,
  name: string,
  repaired: readonly Repaired[] | null,
): string {
  const { findings } = verified;
  const lines: string[] = [];
  if (repaired !== null) {
    for (const each of repaired) lines.push(repairedText(each));
    if (repaired.length === 0) lines.push("nothing that could be repaired");
    lines.push("");
  }
  lines.push(verdict(verified));
  for (const finding of findings) lines.push("", ...findingText(finding, name));
  lines.push("", checkedText(verified));
  return lines.join("\n");
}

function verdict(verified: VerifiedRun): string {
  const { findings, runId, runDir } = verified;
  const run = `run ${runId ?? displayPath(runDir)}`;
  const damage = findings.filter(({ level }) => level === "damage").length;
  const notes = findings.length - damage;
  const noted = notes === 0 ? "" : `, ${count(notes, "note")}`;
  if (damage === 0) return `${run} is ${paintStatus("succeeded", "sound")}${noted}`;
  return `${run} is ${paintStatus("failed", "damaged")}: ${count(damage, "finding")}${noted}`;
}

function findingText({ level, rule, path, line, message, todo }: Finding, name: string): string[] {
  const c = colors();
  const label = level.padEnd(WIDTH);
  const where = line === undefined ? path : `${path}, line ${line}`;
  const indent = " ".repeat(WIDTH);
  return [
    `${level === "damage" ? c.red(label) : c.dim(label)}${c.bold(oneLine(where))}   ${c.dim(`[${rule}]`)}`,
    `${indent}${oneLine(message)}`,
    `${indent}${oneLine(withName(todo, name))}`,
  ];
}

const WIDTH = 8;

function checkedText({ checked, status }: VerifiedRun): string {
  const parts = [
    count(checked.lines, "line of the journal", "lines of the journal"),
    count(checked.attempts, "attempt"),
    count(checked.artifacts, "artifact"),
    count(checked.names, "file and folder", "files and folders"),
  ];
  return colors().dim(`looked at ${parts.join(", ")}${status === null ? "" : `; the run is ${status}`}`);
}

const DID: Readonly<Record<Repaired["did"], string>> = {
  rebuilt: "written again from the journal",
  cut: "cut after its last whole line",
  quarantined: "moved",
};

function repairedText({ did, path, kept }: Repaired): string {
  const where = kept === null ? "" : did === "quarantined" ? ` to ${kept}` : `; what was there is in ${kept}`;
  return `${oneLine(path)}: ${DID[did]}${oneLine(where)}`;
}

/** The commands in a sentence, for the run at hand. */
function withName(todo: string, name: string): string {
  return todo.replace(/\b(wf \w+) RUN\b/g, (_, command) => `${command} ${shellWord(name)}`);
}

/** Described by `schemas/cli/verify.schema.json`. */
export function verifyJson(verified: VerifiedRun, repaired: readonly Repaired[] | null): object {
  const { runId, runDir, status, findings, checked } = verified;
  return {
    runId,
    runDir,
    legacy: false,
    status,
    sound: !isDamaged(findings),
    liveness: livenessJson(verified.liveness),
    findings: findings.map(({ level, rule, path, line, message, todo, repair }) => ({
      level,
      rule,
      path,
      line: line ?? null,
      message,
      todo,
      repair: repair ?? null,
    })),
    checked,
    repaired,
  };
}

export function legacyVerifyText({ path, record }: Legacy): string {
  return [
    `run ${oneLine(record.runId)} is an older record: there is nothing to hold it against`,
    "",
    `file    ${displayPath(path)}`,
    `status  ${oneLine(record.state)}`,
    "",
    `It can be read and not resumed: ${LEGACY_WHY}.`,
  ].join("\n");
}

/** The same shape as for a run of today. */
export function legacyVerifyJson({ path, record }: Legacy): object {
  return {
    runId: record.runId,
    runDir: path,
    legacy: true,
    status: record.state,
    sound: true,
    liveness: livenessJson({ state: "nobody" }),
    findings: [],
    checked: { lines: 0, attempts: 0, artifacts: 0, names: 1 },
    repaired: null,
  };
}
