import { createHash } from "node:crypto";
import type { JournalLine } from "../core/event.ts";
import { foldAll } from "../core/fold.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { toRecord } from "../core/record.ts";
import type { Workflow } from "../core/workflow.ts";
import { ATTEMPT_FILES, attemptPath, RUN_FILES } from "../store/layout.ts";
import { PLACEHOLDERS } from "./canon-places.ts";
import type { Recorded } from "./replay-record.ts";
import { runSchemas } from "./verify-schema.ts";

export interface IntegrityFinding {
  readonly path: string;
  readonly message: string;
}

type Files = ReadonlyMap<string, string>;

/** What of `run.json` the journal alone can say again, whatever version of wf says it. */
const FOLDED = ["status", "reason", "inputs", "options", "steps", "outputs", "iterations"] as const;
const CUT = /^<(?:cut|binary)> (\d+) bytes, sha256 ([0-9a-f]{64})/;

/** Whether the files of a fixture agree with each other, and are of the form that records have. */
export function integrityFindings({ files, lines }: Recorded, workflow: Workflow): IntegrityFinding[] {
  const found: IntegrityFinding[] = [];
  const say = (path: string, message: string) => found.push({ path, message });
  const run = json(files, RUN_FILES.snapshot);
  if (!run) say(RUN_FILES.snapshot, "it is missing, or no JSON object");
  else checkRun(run, lines, workflow, say);
  const created = lines[0];
  const definition = files.get(RUN_FILES.definition) ?? "";
  if (created?.event === "run_created" && created.workflow.sha256 !== sha256(definition)) {
    say(RUN_FILES.definition, "it is not the definition of the recorded digest");
  }
  checkSchemas(lines, say);
  for (const line of lines) if (line.event === "attempt_ended") checkAttempt(line.record, files, say);
  checkGates(files, lines, say);
  checkStray(files, lines, say);
  return found;
}

type Say = (path: string, message: string) => void;

function checkRun(run: JsonObject, lines: readonly JournalLine[], workflow: Workflow, say: Say): void {
  const { snapshot } = RUN_FILES;
  if (run.format !== "wf.run/1") say(snapshot, "its format is not wf.run/1");
  if (run.runId !== PLACEHOLDERS.runId) say(snapshot, `its runId is not ${PLACEHOLDERS.runId}`);
  if (!["succeeded", "failed", "canceled"].includes(String(run.status)))
    say(snapshot, "the run has not ended");
  if ("volatile" in run) say(snapshot, "it has a volatile part");
  let folded: JsonObject;
  try {
    folded = toRecord(foldAll(workflow, lines), 0) as unknown as JsonObject;
  } catch (error) {
    say(RUN_FILES.journal, (error as Error).message);
    return;
  }
  for (const key of FOLDED) {
    if (!isSame(run[key], folded[key])) say(snapshot, `its ${key} is not what the journal says`);
  }
}

/** The lines have been given what their canonical form lacks; all else is held against the schema of the journal. */
function checkSchemas(lines: readonly JournalLine[], say: Say): void {
  const schemas = runSchemas();
  for (const [index, line] of lines.entries()) {
    // What it has been given for a process that nobody knows would not pass.
    const fault = line.event === "engine_started" ? null : schemas.lineFault(line.event, line);
    if (fault !== null) say(RUN_FILES.journal, `line ${index + 1}: ${fault}`);
  }
}

function checkAttempt(
  record: (JournalLine & { event: "attempt_ended" })["record"],
  files: Files,
  say: Say,
): void {
  const path = `${attemptPath(record)}/${ATTEMPT_FILES.record}`;
  const written = json(files, path);
  if (!written) say(path, "it is missing, or no JSON object");
  else if (!isSame(written, record as unknown as Json)) say(path, "it is not what the journal says");
  for (const [key, output] of Object.entries(record.outputs)) {
    if (!("file" in output)) continue;
    const text = files.get(output.file);
    if (text === undefined) say(output.file, `it is missing, and is the output ${key} of ${record.step}`);
    else if (!isFile(text, output)) say(output.file, "its size and digest are not those that were recorded");
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
    if (!path.endsWith(`/${ATTEMPT_FILES.gate}`) || path.split("/").length !== 4) continue;
    const gate = json(files, path);
    digests.set(path, gate?.digest);
    if (!gate || gate.digest !== sha256(JSON.stringify([gate.message, gate.shows]))) {
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
    const folder = path.split("/").slice(0, 3).join("/");
    if (path.startsWith(`${RUN_FILES.steps}/`) && !known.has(folder)) stray.add(folder);
  }
  for (const folder of stray) say(folder, "the journal knows no such attempt");
}

function json(files: Files, path: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(files.get(path) ?? "");
    return isJsonObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** As JSON: the order of keys says nothing, and a member that is undefined is none. */
function isSame(a: Json | undefined, b: Json | undefined): boolean {
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

export function sha256(text: string | Uint8Array): string {
  return createHash("sha256").update(text).digest("hex");
}
