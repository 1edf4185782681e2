import * as fs from "node:fs";
import { join } from "node:path";
import type { Decision } from "../core/event.ts";
import { isJsonObject } from "../core/json.ts";
import { createExclusive, isTempName, syncDir } from "./atomic-file.ts";
import { errnoOf, ioError } from "./io-error.ts";
import { cancelRequest, decideRequest, RUN_FILES } from "./layout.ts";
import { formatRecord } from "./record-text.ts";

const MAX_REQUEST_BYTES = 64 * 1024;

export interface CancelRequest {
  readonly request: "cancel";
  /** A sentence, for the record; may be empty. */
  readonly reason: string;
  /** Who asks, as they say. */
  readonly by: string;
}

/** A person's decision on an open gate; nonce and digest repeat those of its `gate.json`. */
export interface DecideRequest {
  readonly request: "decide";
  readonly step: string;
  readonly attempt: number;
  readonly decision: Decision;
  /** May be empty, but not for a rejection. */
  readonly comment: string;
  readonly nonce: string;
  readonly digest: string;
  /** Who decides, as they say. */
  readonly by: string;
  /** Only if the decider is a process of a step: its `WF_ATTEMPT_ID`. */
  readonly cookie?: string;
}

export type ControlRequest = CancelRequest | DecideRequest;

/** A file in `control/`; `file` is its path relative to the run. */
export type FoundRequest =
  | { readonly file: string; readonly ok: ControlRequest }
  | { readonly file: string; readonly refusedBecause: string };

/** Asks whoever drives the run, now or later, to cancel it; durable when it returns. Returns the file's path
 * relative to the run. Raises IO_ERROR. */
export function writeCancelRequest(
  runDir: string,
  request: { readonly reason: string; readonly by: string },
): string {
  const { reason, by } = request;
  return writeRequest(runDir, { request: "cancel", reason, by }, cancelRequest, CANCEL_NAME);
}

/** The same for a decision on an open gate. */
export function writeDecideRequest(runDir: string, request: Omit<DecideRequest, "request">): string {
  const { step, attempt } = request;
  const nameOf = (n: number) => decideRequest(step, attempt, n);
  const prefix = nameOf(0).slice(0, -"0.json".length);
  const pattern = new RegExp(`^${prefix}([1-9]\\d{0,8})\\.json$`);
  return writeRequest(runDir, { request: "decide", ...request }, nameOf, pattern);
}

function writeRequest(
  runDir: string,
  request: ControlRequest,
  nameOf: (n: number) => string,
  pattern: RegExp,
): string {
  const folder = join(runDir, RUN_FILES.control);
  const text = formatRecord(request);
  try {
    if (fs.mkdirSync(folder, { recursive: true }) !== undefined) syncDir(runDir);
    for (let n = nextNumber(folder, pattern); ; n += 1) {
      if (!createExclusive(join(folder, nameOf(n)), text, { sync: true })) continue;
      syncDir(folder);
      return `${RUN_FILES.control}/${nameOf(n)}`;
    }
  } catch (error) {
    throw ioError(error, `write into ${folder}`);
  }
}

/** Every file in `control/`, `cancel-2` before `cancel-10`. Raises IO_ERROR. */
export function listRequests(runDir: string): FoundRequest[] {
  const folder = join(runDir, RUN_FILES.control);
  return namesOfRequests(folder)
    .sort(byNumber)
    .map((name) => ({ file: `${RUN_FILES.control}/${name}`, ...readRequest(join(folder, name), name) }));
}

/** How many files there are in `control/`. Raises IO_ERROR. */
export function countRequests(runDir: string): number {
  return namesOfRequests(join(runDir, RUN_FILES.control)).length;
}

function namesOfRequests(folder: string): string[] {
  try {
    return fs.readdirSync(folder).filter((name) => !isTempName(name));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw ioError(error, `read ${folder}`);
  }
}

function readRequest(path: string, name: string): { ok: ControlRequest } | { refusedBecause: string } {
  const refuse = (refusedBecause: string) => ({ refusedBecause });
  if (numberOf(name) === 0) return refuse("its name is not that of a request");
  let text: string;
  try {
    const stat = fs.lstatSync(path);
    // Where there are no hard links a request is a folder that holds the file.
    const file = stat.isDirectory() ? join(path, name) : path;
    const { size } = fs.lstatSync(file);
    if (!fs.lstatSync(file).isFile()) return refuse("it is not a file");
    if (size > MAX_REQUEST_BYTES) return refuse(`it is longer than ${MAX_REQUEST_BYTES} bytes`);
    text = fs.readFileSync(file, "utf8");
  } catch (error) {
    return refuse(`it can not be read (${errnoOf(error) || "unknown error"})`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse("it is not JSON");
  }
  if (!isJsonObject(value)) return refuse("it is not a JSON object");
  const keys = name.startsWith("cancel-") ? CANCEL_KEYS : DECIDE_KEYS;
  if (value.request !== keys.request) return refuse(`its "request" is not "${keys.request}"`);
  for (const [key, type] of Object.entries(keys.types)) {
    if (typeof value[key] !== type)
      return refuse(`its "${key}" is not a ${type === "string" ? "text" : type}`);
  }
  const other = Object.keys(value).find(
    (key) => key !== "request" && key !== "cookie" && !(key in keys.types),
  );
  if (other !== undefined) return refuse(`it has a key that is not known: ${JSON.stringify(other)}`);
  if (value.request === "decide") {
    if (value.decision !== "approve" && value.decision !== "reject")
      return refuse("it neither approves nor rejects");
    if (value.decision === "reject" && String(value.comment).trim() === "")
      return refuse("a rejection needs a comment");
  }
  return { ok: value as unknown as ControlRequest };
}

const CANCEL_KEYS = { request: "cancel", types: { reason: "string", by: "string" } };
const DECIDE_KEYS = {
  request: "decide",
  types: {
    step: "string",
    attempt: "number",
    decision: "string",
    comment: "string",
    nonce: "string",
    digest: "string",
    by: "string",
  },
};
const CANCEL_NAME = /^cancel-([1-9]\d{0,8})\.json$/;
const DECIDE_NAME = /^decide-[a-z][a-z0-9_-]*-[1-9]\d*-([1-9]\d{0,8})\.json$/;

function nextNumber(folder: string, pattern: RegExp): number {
  const numbers = fs.readdirSync(folder).map((name) => Number(pattern.exec(name)?.[1] ?? 0));
  return 1 + Math.max(0, ...numbers);
}

/** 0 if it is no name of a request. */
function numberOf(name: string): number {
  return Number((CANCEL_NAME.exec(name) ?? DECIDE_NAME.exec(name))?.[1] ?? 0);
}

function byNumber(a: string, b: string): number {
  return numberOf(a) - numberOf(b) || (a < b ? -1 : 1);
}
