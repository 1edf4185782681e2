import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import { errnoOf } from "../store/io-error.ts";
import { RUN_FILES } from "../store/layout.ts";
import { parseLegacy } from "../store/legacy-record.ts";

/** What a list of runs shows of each. Times are ISO 8601, or null where unknown. */
export interface RunHead {
  readonly runId: string;
  readonly workflowId: string;
  readonly status: string;
  readonly reason: { readonly code: string; readonly message: string } | null;
  readonly createdAt: string | null;
  readonly updatedAt: string | null;
  readonly endedAt: string | null;
  /** RATE_LIMIT: when it is worth to go on. */
  readonly waitingUntil: string | null;
  readonly legacy: boolean;
}

/** A record this small is read and parsed whole; of a larger one only its beginning and its last member. */
const WHOLE_BYTES = 8192;
const HEAD_BYTES = 4096;
const TAIL_BYTES = 4096;
const buffer = Buffer.allocUnsafe(WHOLE_BYTES);

/** Undefined if it is no run, a sentence if it can not be read. `path`: a run directory or a file of an older record. */
export function readHead(path: string): RunHead | string | undefined {
  let json: JsonObject | undefined;
  try {
    json = readEnds(path.endsWith(".json") ? path : `${path}/${RUN_FILES.snapshot}`);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
    return errno === "" ? "run.json is not readable" : `run.json can not be read (${errno})`;
  }
  if (json === undefined) return "run.json is not readable";
  if (json.format === undefined) return legacyHead(json);
  const { runId, workflow, status, reason, volatile } = json;
  if (typeof runId !== "string" || typeof status !== "string" || !isJsonObject(workflow))
    return "run.json is not readable";
  const times = isJsonObject(volatile) ? volatile : {};
  return {
    runId,
    workflowId: String(workflow.id),
    status,
    reason: isJsonObject(reason) ? { code: String(reason.code), message: String(reason.message) } : null,
    createdAt: textOrNull(times.createdAt),
    updatedAt: textOrNull(times.updatedAt),
    endedAt: textOrNull(times.endedAt),
    waitingUntil: textOrNull(times.waitingUntil),
    legacy: false,
  };
}

/** When a run was created; undefined if that is not known. */
export function createdAt(path: string): string | undefined {
  const head = readHead(path);
  return typeof head === "object" ? (head.createdAt ?? undefined) : undefined;
}

function readEnds(path: string): JsonObject | undefined {
  // Without O_NONBLOCK, opening a FIFO would wait for its writer.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const length = readSync(fd, buffer, 0, WHOLE_BYTES, 0);
    if (length < WHOLE_BYTES) return object(buffer.toString("utf8", 0, length));
    const size = fstatSync(fd).size;
    if (size === WHOLE_BYTES) return object(buffer.toString("utf8"));
    const head = buffer.toString("utf8", 0, HEAD_BYTES);
    const from = Math.max(0, size - TAIL_BYTES);
    const tail = buffer.toString("utf8", 0, readSync(fd, buffer, 0, TAIL_BYTES, from));
    return joinEnds(head, tail) ?? readWhole(fd, size);
  } finally {
    closeSync(fd);
  }
}

/** Members before `inputs` and the last one, as the writer lays them out; undefined for any other layout. */
function joinEnds(head: string, tail: string): JsonObject | undefined {
  const inputs = head.indexOf(',\n  "inputs": ');
  const last = tail.lastIndexOf('\n  "volatile": ');
  return inputs < 0 || last < 0 ? undefined : object(`${head.slice(0, inputs)},${tail.slice(last)}`);
}

function readWhole(fd: number, size: number): JsonObject | undefined {
  const all = Buffer.allocUnsafe(size);
  return object(all.toString("utf8", 0, readSync(fd, all, 0, size, 0)));
}

function object(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function legacyHead(json: JsonObject): RunHead | string {
  const record = parseLegacy(json);
  if (record === undefined) return "run.json has no format";
  const ended = !["queued", "running", "waiting"].includes(record.state);
  return {
    runId: record.runId,
    workflowId: record.workflowId,
    status: record.state,
    reason: null,
    createdAt: fromEpoch(record.startedAt),
    updatedAt: fromEpoch(record.updatedAt),
    endedAt: ended ? fromEpoch(record.updatedAt) : null,
    waitingUntil: null,
    legacy: true,
  };
}

/** Older records hold epoch seconds. */
export function fromEpoch(seconds: number | null): string | null {
  if (seconds === null || !Number.isFinite(seconds)) return null;
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
