import * as fs from "node:fs";
import { join } from "node:path";
import type { JournalLine } from "../core/event.ts";
import { WfError } from "../core/problem.ts";
import type { RunRecord } from "../core/record.ts";
import { isAlive } from "../system/identity.ts";
import { ioError } from "./io-error.ts";
import { RUN_FILES } from "./layout.ts";
import type { LegacyRunRecord } from "./legacy-record.ts";
import { isFree, latestEpoch, type Owner, readOwner } from "./owner.ts";
import { readTrusted } from "./recover.ts";
import { readSnapshot } from "./snapshot.ts";

/** Who drives a run. `unknown`: on another host or in another container. */
export type Liveness =
  | { readonly driver: null }
  | { readonly driver: Owner; readonly alive: "alive" | "dead" | "unknown"; readonly since: string };

export type RunReading =
  | {
      readonly kind: "current";
      /** Null if it is missing or unreadable; the lines say all it could. It may lag behind them. */
      readonly snapshot: RunRecord | null;
      readonly lines: readonly JournalLine[];
      readonly definition: Uint8Array;
      readonly liveness: Liveness;
    }
  | { readonly kind: "legacy"; readonly record: LegacyRunRecord };

/**
 * Reads a run without any lock, while an engine drives it or from a read-only copy. Raises RUN_NOT_FOUND,
 * RUN_DAMAGED, FORMAT_UNKNOWN, IO_ERROR.
 */
export function readRun(runDir: string): RunReading {
  // Before the journal: it grows, so that the later reading of it holds all that the earlier snapshot knows.
  const found = readSnapshot(runDir);
  if (found.kind === "legacy") return found;
  if (found.kind === "missing" && !fs.existsSync(join(runDir, RUN_FILES.journal))) throw notARun(runDir);
  const snapshot = found.kind === "current" ? found.record : null;
  const { lines } = readTrusted(runDir, snapshot);
  return {
    kind: "current",
    snapshot,
    lines,
    definition: readDefinition(runDir),
    liveness: readLiveness(runDir),
  };
}

/** The snapshot if the journal holds nothing that it lacks; else null. Cheap: parses no journal. */
export function readSnapshotIfCurrent(runDir: string): RunRecord | null {
  const found = readSnapshot(runDir);
  if (found.kind !== "current") return null;
  const journal = fs.statSync(join(runDir, RUN_FILES.journal), { throwIfNoEntry: false });
  return journal?.size === found.record.volatile.journalBytes ? found.record : null;
}

/** Raises RUN_DAMAGED if the newest claim can not be understood. */
export function readLiveness(runDir: string): Liveness {
  const epoch = latestEpoch(runDir);
  if (epoch === 0 || isFree(runDir, epoch)) return { driver: null };
  const driver = readOwner(runDir, epoch);
  return { driver, alive: isAlive(driver), since: driver.since };
}

/** @param file its path in the run; absent: the one that the run began with */
export function readDefinition(runDir: string, file: string = RUN_FILES.definition): Uint8Array {
  const path = join(runDir, file);
  try {
    return fs.readFileSync(path);
  } catch (error) {
    throw ioError(error, `read ${path}`);
  }
}

function notARun(runDir: string): WfError {
  const exists = fs.existsSync(runDir);
  return new WfError({
    code: "RUN_NOT_FOUND",
    message: exists
      ? `${runDir} is not a run: it has neither run.json nor a journal`
      : `there is no run ${runDir}`,
    hint: "list the runs with wf ls",
  });
}
