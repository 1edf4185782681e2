import { closeSync, createReadStream, fstatSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import { MAX_AGENT_LINE_BYTES, MAX_AGENT_STDERR_BYTES } from "../core/limits.ts";
import type { ClientLog } from "./provider.ts";

/** Reads the logs of an attempt; its standard output by lines, so that a long one takes no more memory than a line. */
export function openClientLog(
  paths: { readonly stdout: string; readonly stderr: string },
  exitCode: number | null,
): ClientLog {
  const stat = statSync(paths.stdout, { throwIfNoEntry: false });
  const text = () => {
    if (!stat) return "";
    return stat.size > MAX_AGENT_LINE_BYTES ? null : readFileSync(paths.stdout, "utf8");
  };
  return {
    records: () => recordsOf(paths.stdout, text),
    text,
    stderr: tailOf(paths.stderr, MAX_AGENT_STDERR_BYTES),
    exitCode,
    endedAt: stat?.mtimeMs ?? 0,
  };
}

/**
 * Clients print warnings before their JSON, on the same line too: what counts begins at the first `{`. Where that line
 * is no object by itself, all of the output may be one, as some clients print it when they are asked for `json`.
 */
async function* recordsOf(path: string, text: () => string | null): AsyncGenerator<JsonObject> {
  let first = true;
  for await (const line of linesOf(path, MAX_AGENT_LINE_BYTES)) {
    const records = recordsIn(line);
    if (first && records.length === 0 && line.includes("{")) {
      const document = recordsIn(text() ?? "");
      yield* document;
      if (document.length > 0) return;
    }
    if (line.includes("{")) first = false;
    yield* records;
  }
}

function recordsIn(text: string): JsonObject[] {
  const list = parsed(text, "[");
  if (Array.isArray(list) && text.trimStart().startsWith("[")) return list.filter(isJsonObject);
  const record = parsed(text, "{");
  return isJsonObject(record) ? [record] : [];
}

function parsed(text: string, opening: string): unknown {
  const from = text.indexOf(opening);
  if (from < 0) return undefined;
  try {
    return JSON.parse(text.slice(from));
  } catch {
    return undefined;
  }
}

const NEWLINE = 10;

/** The lines of a file; one that is longer than `max` bytes is left out. */
export async function* linesOf(path: string, max: number): AsyncGenerator<string> {
  if (!statSync(path, { throwIfNoEntry: false })) return;
  let held: Buffer[] = [];
  let bytes = 0;
  const take = (): string | null => {
    const line = bytes > max ? null : Buffer.concat(held).toString("utf8");
    held = [];
    bytes = 0;
    return line;
  };
  const hold = (part: Buffer) => {
    bytes += part.length;
    if (bytes > max) held = [];
    else held.push(part);
  };
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) {
    const data = chunk as Buffer;
    let from = 0;
    for (let at = data.indexOf(NEWLINE); at >= 0; at = data.indexOf(NEWLINE, from)) {
      hold(data.subarray(from, at));
      from = at + 1;
      const line = take();
      if (line !== null) yield line;
    }
    hold(data.subarray(from));
  }
  const last = take();
  if (last) yield last;
}

/** The last bytes of a file as text; nothing if there is no such file. */
export function tailOf(path: string, max: number): string {
  if (!statSync(path, { throwIfNoEntry: false })) return "";
  const fd = openSync(path, "r");
  try {
    const { size } = fstatSync(fd);
    const tail = Buffer.alloc(Math.min(size, max));
    const read = readSync(fd, tail, 0, tail.length, size - tail.length);
    return tail.subarray(0, read).toString("utf8");
  } finally {
    closeSync(fd);
  }
}
