import { join } from "node:path";
import type { RunStatus } from "../core/event.ts";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import { type RunRecord, stepRecords, withoutSteps } from "../core/record.ts";
import type { RunState } from "../core/state.ts";
import { readIfPresent, replaceFile } from "./atomic-file.ts";
import { errnoOf, ioError } from "./io-error.ts";
import { FORMAT, RUN_FILES } from "./layout.ts";
import { type LegacyRunRecord, parseLegacy } from "./legacy-record.ts";
import { tooNew } from "./read-journal.ts";
import { recordInPieces } from "./record-text.ts";

export type Snapshot =
  | { readonly kind: "current"; readonly record: RunRecord }
  | { readonly kind: "legacy"; readonly record: LegacyRunRecord }
  | { readonly kind: "missing" | "unreadable"; readonly why: string };

const STATUSES: Readonly<Record<RunStatus, true>> = {
  queued: true,
  running: true,
  waiting: true,
  succeeded: true,
  failed: true,
  canceled: true,
};

/** The text of `run.json`, in pieces. `journalBytes`: the length of the journal up to `state.seq`. */
export function snapshotOf(state: RunState, journalBytes: number): Generator<string> {
  return recordInPieces(withoutSteps(state, journalBytes), "steps", stepRecords(state));
}

/** Replaces `run.json` as a whole. Raises IO_ERROR. */
export function writeSnapshot(
  runDir: string,
  text: string | Generator<string>,
  options: { readonly sync: boolean },
): void {
  replaceFile(join(runDir, RUN_FILES.snapshot), text, options);
}

/** Raises FORMAT_UNKNOWN if it is newer than this program, IO_ERROR if it can not be read at all. */
export function readSnapshot(runDir: string): Snapshot {
  return readSnapshotFile(join(runDir, RUN_FILES.snapshot));
}

/** The same for a file by its path, as older programs left them: `<run-id>.json`. */
export function readSnapshotFile(path: string): Snapshot {
  let bytes: Buffer | undefined;
  try {
    bytes = readIfPresent(path);
  } catch (error) {
    if (errnoOf(error) !== "EISDIR") throw ioError(error, `read ${path}`);
    return { kind: "unreadable", why: "it is a folder" };
  }
  if (bytes === undefined) return { kind: "missing", why: "it does not exist" };
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch {
    return { kind: "unreadable", why: "it is not JSON" };
  }
  if (!isJsonObject(value)) return { kind: "unreadable", why: "it is not a JSON object" };
  if (value.format === undefined) {
    const record = parseLegacy(value);
    return record ? { kind: "legacy", record } : { kind: "unreadable", why: "it has no format" };
  }
  if (typeof value.format === "string" && /^wf\.run\/\d+$/.test(value.format) && value.format !== FORMAT) {
    throw tooNew(path, `a version of wf that reads the format ${value.format}`);
  }
  const wrong = wrongIn(value);
  return wrong === undefined
    ? { kind: "current", record: value as unknown as RunRecord }
    : { kind: "unreadable", why: `${wrong} is missing or wrong` };
}

/** Enough that no reader trips; what else it should be says `schemas/run.schema.json`. */
function wrongIn(value: JsonObject): string | undefined {
  const { runId, status, workflow, volatile, pointer, reason, nextExpectedAction } = value;
  if (value.format !== FORMAT) return "format";
  if (typeof runId !== "string") return "runId";
  if (!isJsonObject(workflow) || typeof workflow.id !== "string") return "workflow";
  if (typeof status !== "string" || !Object.hasOwn(STATUSES, status)) return "status";
  if (reason !== null && !(isJsonObject(reason) && typeof reason.code === "string")) return "reason";
  for (const key of ["inputs", "options", "steps", "outputs"]) if (!isJsonObject(value[key])) return key;
  if (!Object.values(value.steps as JsonObject).every(isJsonObject)) return "steps";
  if (!Array.isArray(pointer) || !pointer.every(isJsonObject)) return "pointer";
  if (typeof nextExpectedAction !== "string") return "nextExpectedAction";
  if (typeof value.iterations !== "number") return "iterations";
  if (!isJsonObject(volatile)) return "volatile";
  for (const key of ["epoch", "seq", "journalBytes"]) {
    if (!Number.isSafeInteger(volatile[key]) || (volatile[key] as number) < 0) return `volatile.${key}`;
  }
  return undefined;
}
