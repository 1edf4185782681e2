import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { WfError } from "../core/problem.ts";
import { replaceFile, syncDir } from "../store/atomic-file.ts";
import { ioError } from "../store/io-error.ts";
import { ATTEMPT_FILES, attemptPath, RUN_FILES } from "../store/layout.ts";
import { claim } from "../store/lock.ts";
import type { Owner } from "../store/owner.ts";
import { formatRecord } from "../store/record-text.ts";
import { recoverJournal } from "../store/recover.ts";
import { writeSnapshot } from "../store/snapshot.ts";
import { VERSION } from "../system/version.ts";
import { type Verified, type VerifiedRun, verifyRun } from "./verify.ts";
import { findingsIn, lookAtRun, type Pass } from "./verify-pass.ts";
import type { Finding } from "./verify-rules.ts";

/** One thing that a repair did. */
export interface Repaired {
  readonly did: "rebuilt" | "cut" | "quarantined";
  /** Relative to the run. */
  readonly path: string;
  /** Where that is kept which stood there before; null if nothing did. */
  readonly kept: string | null;
}

export interface Repair {
  readonly repaired: readonly Repaired[];
  /** The look after it. */
  readonly verified: VerifiedRun;
}

/**
 * Takes the claim, writes again what the journal is enough for, cuts off a torn end as a resume would, and moves aside
 * what has no place in a run; the same in each nested run. Deletes nothing. Where there is nothing to repair it takes no
 * claim.
 *
 * Raises RUN_LOCKED if somebody drives the run, LEGACY_RUN, RUN_DAMAGED if its newest claim can not be understood.
 */
export async function repairRun(path: string, onWaiting: OnWaiting): Promise<Repair> {
  const before = await verifyRun(path);
  if (before.kind === "legacy") throw legacy(before);
  const canHelp = before.findings.some(({ repair }) => repair !== undefined);
  if (!canHelp && before.liveness.state === "nobody") return { repaired: [], verified: before };
  const repaired = await repairAll(path, before.pass, onWaiting);
  return { repaired, verified: (await verifyRun(path)) as VerifiedRun };
}

type OnWaiting = (owner: Owner, staleMs: number) => void;

/** Whoever holds the claim on a run holds off those who would drive what is nested in it. */
async function repairAll(runDir: string, { nested }: Pass, onWaiting: OnWaiting): Promise<Repaired[]> {
  const held = await claim(runDir, { version: VERSION, onWaiting });
  try {
    const repaired = new Repairer(runDir).repair(held.epoch);
    for (const [folder, pass] of nested) {
      const canHelp = findingsIn(pass).some(
        ({ repair, rule }) => repair !== undefined || rule === "left-over",
      );
      if (!canHelp || !fs.existsSync(join(runDir, folder))) continue;
      const within = (path: string) => `${folder}/${path}`;
      for (const { did, path, kept } of await repairAll(join(runDir, folder), pass, onWaiting)) {
        repaired.push({ did, path: within(path), kept: kept === null ? null : within(kept) });
      }
    }
    return repaired;
  } finally {
    held.release();
  }
}

class Repairer {
  readonly #runDir: string;
  readonly #repaired: Repaired[] = [];
  /** `quarantine/<n>`, once something was moved there. */
  #aside: string | null = null;
  #sync = true;

  constructor(runDir: string) {
    this.#runDir = runDir;
  }

  repair(own: number): Repaired[] {
    const first = lookAtRun(this.#runDir, { own, goesIn: false });
    const created = first.lines[0];
    if (created?.event === "run_created") this.#sync = created.options.durability === "power";
    this.#moveAside(first.findings);
    this.#cut(first);
    // What was in the way is gone, and the journal is as long as it will be.
    const pass = lookAtRun(this.#runDir, { own, goesIn: false });
    this.#rebuildRecords(pass);
    this.#rebuildSnapshot(pass);
    return this.#repaired;
  }

  #moveAside(findings: readonly Finding[]): void {
    for (const { repair, rule, path } of findings) {
      // Recovery of the journal would remove these for good.
      if (repair !== "quarantine" && rule !== "left-over") continue;
      if (fs.lstatSync(join(this.#runDir, path), { throwIfNoEntry: false }) === undefined) continue;
      this.#done("quarantined", path, this.#putAside(path, fs.renameSync));
    }
  }

  #cut({ findings, torn }: Pass): void {
    if (torn === null || !findings.some(({ repair }) => repair === "cut")) return;
    const { cut } = recoverJournal(this.#runDir, { durability: this.#sync ? "power" : "process" });
    if (cut) this.#done("cut", RUN_FILES.journal, cut.file);
  }

  #rebuildRecords({ findings, lines }: Pass): void {
    const wrong = new Set(findings.filter(({ repair }) => repair === "rebuild").map(({ path }) => path));
    for (const line of lines) {
      if (line.event !== "attempt_ended") continue;
      const folder = attemptPath(line.record);
      const path = `${folder}/${ATTEMPT_FILES.record}`;
      if (!wrong.has(path) && !wrong.has(folder)) continue;
      fs.mkdirSync(join(this.#runDir, folder), { recursive: true });
      const kept = this.#keep(path);
      replaceFile(join(this.#runDir, path), formatRecord(line.record), { sync: this.#sync });
      this.#done("rebuilt", path, kept);
    }
  }

  #rebuildSnapshot({ findings, record, trusted }: Pass): void {
    const path = RUN_FILES.snapshot;
    const wrong = findings.some((finding) => finding.path === path && finding.repair === "rebuild");
    // One that knows more than the journal is evidence of what the journal has lost.
    const ahead = findings.some(({ rule }) => rule === "snapshot-ahead");
    if (!wrong || ahead || !trusted || record === null) return;
    const kept = this.#keep(path);
    writeSnapshot(this.#runDir, formatRecord(record), { sync: this.#sync });
    this.#done("rebuilt", path, kept);
  }

  /** A copy, so that the file is there all the time; null if there is none. */
  #keep(path: string): string | null {
    if (!fs.existsSync(join(this.#runDir, path))) return null;
    return this.#putAside(path, fs.copyFileSync);
  }

  /** Puts something into `quarantine/<n>/`, under the path that it had. */
  #putAside(path: string, put: (from: string, to: string) => void): string {
    try {
      this.#aside ??= this.#newFolder();
      const kept = `${this.#aside}/${path}`;
      fs.mkdirSync(dirname(join(this.#runDir, kept)), { recursive: true });
      put(join(this.#runDir, path), join(this.#runDir, kept));
      return kept;
    } catch (error) {
      throw ioError(error, `put ${path} into ${RUN_FILES.quarantine}/`);
    }
  }

  #newFolder(): string {
    fs.mkdirSync(join(this.#runDir, RUN_FILES.quarantine), { recursive: true });
    for (let n = 1; ; n += 1) {
      const folder = `${RUN_FILES.quarantine}/${n}`;
      try {
        fs.mkdirSync(join(this.#runDir, folder));
        if (this.#sync) syncDir(join(this.#runDir, RUN_FILES.quarantine));
        return folder;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
    }
  }

  #done(did: Repaired["did"], path: string, kept: string | null): void {
    this.#repaired.push({ did, path, kept });
  }
}

function legacy({ record }: Extract<Verified, { kind: "legacy" }>): WfError {
  return new WfError({
    code: "LEGACY_RUN",
    message: `run '${record.runId}' has no journal that it could be repaired from: it is an older record`,
    hint: "wf verify without --repair says what it is",
  });
}
