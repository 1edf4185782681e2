import type { AttemptRecord, FileOutput } from "../core/event.ts";
import { placeName } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { filesOf } from "../core/output-value.ts";
import { ATTEMPT_FILES } from "../store/layout.ts";
import { formatRecord } from "../store/record-text.ts";
import {
  type AttemptsContext,
  type Ended,
  isLast,
  type KnownAttempt,
  type Present,
} from "./verify-attempts.ts";
import type { Files } from "./verify-files.ts";
import { CHANGED, differences, parsed } from "./verify-snapshot.ts";

/** How an attempt ended: its record, its exit status, its logs, its artifacts. */
export function checkEnd(
  context: AttemptsContext,
  known: KnownAttempt,
  path: string,
  present: Present,
): void {
  const { findings, claims } = context;
  const { ended } = known;
  if (ended === null) {
    if (context.trusted && present.has(ATTEMPT_FILES.record)) {
      const file = `${path}/${ATTEMPT_FILES.record}`;
      findings.damage("attempt-record", file, "the journal does not say that the attempt has ended", {
        repair: "quarantine",
      });
    }
    return;
  }
  checkRecord(context, ended, path, present);
  const lost = claims.mayHaveLostPower(ended.epoch);
  checkExit(context, ended.record, path, present, lost);
  if (present.has(ATTEMPT_FILES.exit)) checkLogs(context, ended, path, present, lost);
  for (const [key, output] of Object.entries(ended.record.outputs)) {
    for (const file of filesOf(output)) {
      // What a nested run made is looked at there, and the outputs of the two are held against each other.
      if (file.file.startsWith(`${path}/${ATTEMPT_FILES.run}/`)) continue;
      checkArtifact(context, `${placeName(known)}/${known.attempt}`, key, file);
    }
  }
}

function checkRecord(context: AttemptsContext, ended: Ended, path: string, present: Present): void {
  const { files, findings, claims } = context;
  const file = `${path}/${ATTEMPT_FILES.record}`;
  const found = present.isFile(ATTEMPT_FILES.record) ? files.text(file) : null;
  const due = formatRecord(ended.record);
  if (found === due) return;
  if (!present.has(ATTEMPT_FILES.record)) {
    findings.unless(isLast(context, ended), "attempt-record", file, "it is missing", { repair: "rebuild" });
    return;
  }
  if (found === null) return;
  const excused = isLast(context, ended) && claims.mayHaveLostPower(ended.epoch);
  findings.unless(excused, "attempt-record", file, whatDiffers(found, ended.record), {
    line: ended.seq,
    repair: "rebuild",
  });
}

function whatDiffers(text: string, record: AttemptRecord): string {
  const value = parsed(text);
  if (value === undefined) return "it is not JSON";
  const [first, ...more] = differences(value, record as unknown as Json);
  if (first === undefined) return CHANGED;
  return more.length === 0 ? first : `${first}; and ${more.length} more`;
}

function checkExit(
  { files, findings }: AttemptsContext,
  record: AttemptRecord,
  path: string,
  present: Present,
  lost: boolean,
): void {
  const file = `${path}/${ATTEMPT_FILES.exit}`;
  const { exitCode, status } = record;
  if (!present.has(ATTEMPT_FILES.exit)) {
    if (exitCode !== undefined)
      findings.unless(lost, "attempt-exit", file, `it is missing, the journal says ${exitCode}`);
    return;
  }
  if (status === "not_run") {
    findings.damage("attempt-exit", file, "the journal says that the command never began");
    return;
  }
  const found = present.isFile(ATTEMPT_FILES.exit) ? files.text(file) : null;
  if (found === null) return;
  if (exitCode !== undefined && found !== `${exitCode}\n`) {
    const shown = found === "" ? "it is empty" : `it says ${JSON.stringify(found.trimEnd().slice(0, 20))}`;
    findings.unless(lost, "attempt-exit", file, `${shown}, the journal says ${exitCode}`);
  } else if (exitCode === undefined && !/^(\d{1,3}\n)?$/.test(found)) {
    findings.unless(lost, "attempt-exit", file, "it is neither empty nor an exit status");
  } else if (exitCode === undefined && found !== "" && (status === "succeeded" || status === "failed")) {
    findings.damage("attempt-exit", file, `it says ${found.trimEnd()}, the journal says nothing of it`);
  }
}

function checkLogs(
  { files, findings }: AttemptsContext,
  { volatile }: Ended,
  path: string,
  present: Present,
  lost: boolean,
): void {
  for (const [name, due] of [
    [ATTEMPT_FILES.stdout, volatile.stdoutBytes],
    [ATTEMPT_FILES.stderr, volatile.stderrBytes],
  ] as const) {
    const file = `${path}/${name}`;
    if (!present.has(name)) findings.unless(lost, "attempt-log", file, "it is missing");
    if (!present.isFile(name)) continue;
    const size = files.size(file) ?? 0;
    if (size < due) findings.unless(lost, "attempt-log", file, `it has ${size} bytes of ${due}`);
    else if (size > due) {
      const what = `it has grown from ${due} to ${size} bytes since the attempt ended`;
      findings.note("attempt-log", file, what, {
        todo: "nothing, if a process of the step lived on; else undo the change",
      });
    }
  }
}

function checkArtifact(context: AttemptsContext, attempt: string, key: string, output: FileOutput): void {
  const { files, findings, gates } = context;
  const { file } = output;
  context.artifacts += 1;
  const fault = placeFault(files, file);
  const found = fault === null ? files.digest(file) : null;
  const shown = found && found.sha256 !== output.sha256 ? gates.shownAs(file, found.sha256) : null;
  if (shown !== null) {
    const what = `it was edited after ${attempt} ended; what is there now was shown by ${shown}`;
    findings.note("artifact-intact", file, what, { todo: "nothing, if whoever decided meant that" });
    return;
  }
  const what = fault ?? (found && contentFault(found, output));
  if (what !== null) findings.damage("artifact-intact", file, `${what} (output ${key} of ${attempt})`);
}

/** What is wrong with where an artifact is. */
function placeFault(files: Files, file: string): string | null {
  const parts = file.split("/");
  if (file.startsWith("/") || parts.includes("..")) return "it lies outside of the run";
  // Above it are the attempt's own folders, whose kind is looked at with them.
  for (let depth = 5; depth <= parts.length; depth += 1) {
    const kind = files.kind(parts.slice(0, depth).join("/"));
    const due = depth === parts.length ? "file" : "folder";
    if (kind === null) return "it is missing";
    if (kind === "link") return depth === parts.length ? "it is a link" : "a link leads to it";
    if (kind !== due) return due === "file" ? "it is not a file" : "it is not in a folder";
  }
  return null;
}

function contentFault(
  found: { readonly bytes: number; readonly sha256: string },
  { bytes, sha256 }: FileOutput,
): string | null {
  if (found.bytes !== bytes) return `it has ${found.bytes} bytes where ${bytes} were recorded`;
  return found.sha256 === sha256 ? null : `its SHA-256 is ${found.sha256} where ${sha256} was recorded`;
}
