import * as fs from "node:fs";
import { join } from "node:path";
import { isJsonObject } from "../core/json.ts";
import { createExclusive, isTempName, syncDir } from "./atomic-file.ts";
import { errnoOf, ioError } from "./io-error.ts";
import { cancelRequest, RUN_FILES } from "./layout.ts";
import { formatRecord } from "./record-text.ts";

const MAX_REQUEST_BYTES = 64 * 1024;

export interface CancelRequest {
  readonly request: "cancel";
  /** A sentence, for the record; may be empty. */
  readonly reason: string;
  /** Who asks, as they say. */
  readonly by: string;
}

/** A file in `control/`; `file` is its path relative to the run. */
export type FoundRequest =
  | { readonly file: string; readonly ok: CancelRequest }
  | { readonly file: string; readonly refusedBecause: string };

/** Asks whoever drives the run, now or later, to cancel it; durable when it returns. Returns the file's path
 * relative to the run. Raises IO_ERROR. */
export function writeCancelRequest(
  runDir: string,
  request: { readonly reason: string; readonly by: string },
): string {
  const folder = join(runDir, RUN_FILES.control);
  const text = formatRecord({ request: "cancel", reason: request.reason, by: request.by });
  try {
    if (fs.mkdirSync(folder, { recursive: true }) !== undefined) syncDir(runDir);
    for (let n = nextNumber(folder); ; n += 1) {
      if (!createExclusive(join(folder, cancelRequest(n)), text, { sync: true })) continue;
      syncDir(folder);
      return `${RUN_FILES.control}/${cancelRequest(n)}`;
    }
  } catch (error) {
    throw ioError(error, `write into ${folder}`);
  }
}

/** Every file in `control/`, `cancel-2` before `cancel-10`. Raises IO_ERROR. */
export function listRequests(runDir: string): FoundRequest[] {
  const folder = join(runDir, RUN_FILES.control);
  let names: string[];
  try {
    names = fs.readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw ioError(error, `read ${folder}`);
  }
  return names
    .filter((name) => !isTempName(name))
    .sort(byNumber)
    .map((name) => ({ file: `${RUN_FILES.control}/${name}`, ...readRequest(join(folder, name), name) }));
}

function readRequest(path: string, name: string): { ok: CancelRequest } | { refusedBecause: string } {
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
  const { request, reason, by, ...others } = value;
  if (request !== "cancel") return refuse('its "request" is not "cancel"');
  if (typeof reason !== "string") return refuse('its "reason" is not a text');
  if (typeof by !== "string") return refuse('its "by" is not a text');
  const [other] = Object.keys(others);
  if (other !== undefined) return refuse(`it has a key that is not known: ${JSON.stringify(other)}`);
  return { ok: { request, reason, by } };
}

function nextNumber(folder: string): number {
  return 1 + fs.readdirSync(folder).reduce((highest, name) => Math.max(highest, numberOf(name)), 0);
}

/** 0 if it is no name of a request. */
function numberOf(name: string): number {
  return Number(/^cancel-([1-9]\d{0,8})\.json$/.exec(name)?.[1] ?? 0);
}

function byNumber(a: string, b: string): number {
  return numberOf(a) - numberOf(b) || (a < b ? -1 : 1);
}
