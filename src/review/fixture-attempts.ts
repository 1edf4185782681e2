import type { AttemptRecord, JournalLine } from "../core/event.ts";
import { placeName } from "../core/ids.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { filesOf } from "../core/output-value.ts";
import { gateDigest } from "../steps/approval.ts";
import { ATTEMPT_FILES, attemptPath, RUN_FILES } from "../store/layout.ts";
import { jsonOf } from "./canon.ts";
import { sha256 } from "./canon-cut.ts";

/** Texts by path. */
export type Files = ReadonlyMap<string, string>;

export type Say = (path: string, message: string) => void;

const CUT = /^<(?:cut|binary)> (\d+) bytes, sha256 ([0-9a-f]{64})/;
/** A file in the folder of an attempt. */
const IN_ATTEMPT = /^steps\/[^/]+\/(?:item-\d+\/)?attempt-\d+\/(.+)$/;

/** Whether the files of a run's attempts are what its journal says. */
export function checkAttempts(files: Files, lines: readonly JournalLine[], say: Say): void {
  for (const line of lines) if (line.event === "attempt_ended") checkAttempt(line.record, files, say);
  checkGates(files, lines, say);
  checkStray(files, lines, say);
}

function checkAttempt(record: AttemptRecord, files: Files, say: Say): void {
  const path = `${attemptPath(record)}/${ATTEMPT_FILES.record}`;
  const written = json(files, path);
  if (!written) say(path, "it is missing, or no JSON object");
  else if (!isSame(written, record as unknown as Json)) say(path, "it is not what the journal says");
  for (const [key, output] of Object.entries(record.outputs)) {
    for (const file of filesOf(output)) {
      // Those of a nested run are looked at there.
      if (file.file.startsWith(`${attemptPath(record)}/${ATTEMPT_FILES.run}/`)) continue;
      const text = files.get(file.file);
      if (text === undefined)
        say(file.file, `it is missing, and is the output ${key} of ${placeName(record)}`);
      else if (!isFile(text, file)) say(file.file, "its size and digest are not those that were recorded");
    }
  }
}

function isFile(text: string, { bytes, sha256: digest }: { bytes: number; sha256: string }): boolean {
  const cut = CUT.exec(text);
  if (cut) return Number(cut[1]) === bytes && cut[2] === digest;
  return Buffer.byteLength(text) === bytes && sha256(text) === digest;
}

function checkGates(files: Files, lines: readonly JournalLine[], say: Say): void {
  const digests = new Map<string, Json | undefined>();
  for (const path of files.keys()) {
    const [, name] = IN_ATTEMPT.exec(path) ?? [];
    if (name !== ATTEMPT_FILES.gate) continue;
    const gate = json(files, path);
    digests.set(path, gate?.digest);
    if (!gate || gate.digest !== gateDigest(gate.message, gate.shows)) {
      say(path, "its digest is not that of its message and of what it shows");
    }
  }
  for (const line of lines) {
    if (line.event !== "decision") continue;
    const path = `${attemptPath(line)}/${ATTEMPT_FILES.gate}`;
    if (digests.get(path) !== line.digest) say(path, "the decision is of something else than it shows");
  }
}

/** Folders of attempts that the journal does not know. */
function checkStray(files: Files, lines: readonly JournalLine[], say: Say): void {
  const known = new Set(
    lines.flatMap((line) => (line.event === "attempt_started" ? [attemptPath(line)] : [])),
  );
  const stray = new Set<string>();
  for (const path of files.keys()) {
    if (!path.startsWith(`${RUN_FILES.steps}/`)) continue;
    const [folder = path] = /^steps\/[^/]+\/(?:item-\d+\/)?[^/]+/.exec(path) ?? [];
    if (!known.has(folder)) stray.add(folder);
  }
  for (const folder of stray) say(folder, "the journal knows no such attempt");
}

export function json(files: Files, path: string): JsonObject | null {
  return jsonOf(files.get(path) ?? "");
}

/** As JSON: the order of keys says nothing, and a member that is undefined is none. */
export function isSame(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((each, at) => isSame(each, b[at]));
  }
  if (!isJsonObject(a) || !isJsonObject(b)) return false;
  let left = Object.keys(b).filter((key) => b[key] !== undefined).length;
  for (const key of Object.keys(a)) {
    if (a[key] === undefined) continue;
    if (!Object.hasOwn(b, key) || !isSame(a[key], b[key])) return false;
    left -= 1;
  }
  return left === 0;
}
