import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { WfError } from "../core/problem.ts";
import { RUN_FILES } from "../store/layout.ts";
import type { LegacyRunRecord } from "../store/legacy-record.ts";
import { readSnapshot, readSnapshotFile } from "../store/snapshot.ts";
import { type Liveness, liveness } from "./liveness.ts";
import { otherFormat } from "./verify-journal.ts";
import { type Checked, checkedIn, findingsIn, lookAtRun, type Pass } from "./verify-pass.ts";
import { type Finding, RULES } from "./verify-rules.ts";

/** What a look at all of a run came to. */
export type Verified =
  | {
      readonly kind: "current";
      readonly runDir: string;
      /** As the journal says it, else `run.json`; null if neither can. */
      readonly runId: string | null;
      readonly status: string | null;
      readonly liveness: Liveness;
      /** Damage first. */
      readonly findings: readonly Finding[];
      readonly checked: Checked;
      readonly pass: Pass;
    }
  | { readonly kind: "legacy"; readonly path: string; readonly record: LegacyRunRecord };

export type VerifiedRun = Extract<Verified, { kind: "current" }>;

/** While an engine drives a run, what an unfinished turn leaves is looked at again, so often and after so long. */
const LOOKS = 5;
const PAUSE_MS = 150;

/**
 * Holds a run against every promise of its format. Reads only, and takes no lock: while an engine drives the run, only
 * what stays wrong counts. Raises RUN_NOT_FOUND, and FORMAT_UNKNOWN for a run of a newer program.
 */
export async function verifyRun(path: string): Promise<Verified> {
  const older = legacyAt(path);
  if (older !== null) return older;
  refuseNewer(path);
  let before = liveness(path);
  let pass = lookAtRun(path);
  let driver = liveness(path);
  let findings = findingsIn(pass);
  for (let looks = 1; looks < LOOKS && findings.some(mayPass); looks += 1) {
    if (before.state === "nobody" && driver.state === "nobody") break;
    await wait(PAUSE_MS);
    before = liveness(path);
    pass = lookAtRun(path);
    driver = liveness(path);
    findings = confirmed(findings, findingsIn(pass));
  }
  return toVerified(path, pass, findings, driver);
}

function toVerified(runDir: string, pass: Pass, found: readonly Finding[], driver: Liveness): VerifiedRun {
  const status = pass.record?.status ?? null;
  const findings = [...found];
  if ((status === "running" || status === "queued") && driver.state === "nobody") {
    findings.push({
      level: "note",
      rule: "interrupted",
      path: ".",
      message: "it was cut off, and nobody drives it",
      todo: "wf resume goes on with it",
    });
  }
  return {
    kind: "current",
    runDir,
    runId: pass.record?.runId ?? pass.lines[0]?.run ?? null,
    status,
    liveness: driver,
    findings: findings.sort((a, b) => rank(a) - rank(b)),
    checked: checkedIn(pass),
    pass,
  };
}

/** Damage first, and what the rest rests on before it. */
function rank({ level, rule }: Finding): number {
  return (level === "damage" ? 0 : ORDER.length) + ORDER.indexOf(rule);
}

const ORDER = Object.keys(RULES);

export function isDamaged(findings: readonly Finding[]): boolean {
  return findings.some(({ level }) => level === "damage");
}

/** Whether it may be no more than a write, or a turn, that an engine is in the middle of. */
function mayPass({ level, rule }: Finding): boolean {
  return level === "damage" || rule === "left-over";
}

/** Of what may pass that which was there both times, and the other notes of the later. */
function confirmed(before: readonly Finding[], now: readonly Finding[]): Finding[] {
  const key = ({ rule, path, line, message }: Finding) => JSON.stringify([rule, path, line, message]);
  const known = new Set(before.filter(mayPass).map(key));
  return now.filter((finding) => !mayPass(finding) || known.has(key(finding)));
}

/** A record of before inputs were recorded: a file, or a folder with nothing else. Raises RUN_NOT_FOUND. */
function legacyAt(path: string): Extract<Verified, { kind: "legacy" }> | null {
  const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
  if (isFile) {
    const found = readSnapshotFile(path);
    if (found.kind === "legacy") return { kind: "legacy", path, record: found.record };
    const why = found.kind === "current" ? "it is the run.json of a run; name its folder" : found.why;
    throw notARun(`${path} is no run: ${why}`);
  }
  const journal = existsSync(join(path, RUN_FILES.journal));
  if (journal) return null;
  const found = readSnapshot(path);
  if (found.kind === "legacy") return { kind: "legacy", path, record: found.record };
  if (found.kind === "missing")
    throw notARun(
      `${path} is no run directory: it holds neither ${RUN_FILES.snapshot} nor ${RUN_FILES.journal}`,
    );
  return null;
}

/** Only if the journal says so too: else a byte of `run.json` was changed. Raises FORMAT_UNKNOWN. */
function refuseNewer(path: string): void {
  try {
    readSnapshot(path);
  } catch (error) {
    const isNewer = error instanceof WfError && error.code === "FORMAT_UNKNOWN";
    if (isNewer && otherFormat(readFileSync(join(path, RUN_FILES.journal))) !== undefined) throw error;
  }
}

function notARun(message: string): WfError {
  return new WfError({ code: "RUN_NOT_FOUND", message, hint: "wf ls lists the runs" });
}
