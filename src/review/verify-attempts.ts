import type { Dirent } from "node:fs";
import type { AttemptRecord, FileOutput, JournalLine } from "../core/event.ts";
import type { Json } from "../core/json.ts";
import type { Step, Workflow } from "../core/workflow.ts";
import { isTempName } from "../store/atomic-file.ts";
import { ATTEMPT_FILES, attemptPath, RUN_FILES } from "../store/layout.ts";
import { formatRecord } from "../store/record-text.ts";
import { VERSION } from "../system/version.ts";
import type { Claims } from "./verify-claims.ts";
import type { Files, Kind } from "./verify-files.ts";
import { checkGate, type Gates } from "./verify-gates.ts";
import type { Findings } from "./verify-rules.ts";
import { differences } from "./verify-snapshot.ts";

/** An attempt, as the journal tells of it. */
export interface KnownAttempt {
  readonly step: string;
  readonly attempt: number;
  readonly started: Started | null;
  ended: Ended | null;
}

type Started = JournalLine & { readonly event: "attempt_started" };
type Ended = JournalLine & { readonly event: "attempt_ended" };

export interface Attempts {
  readonly of: ReadonlyMap<string, ReadonlyMap<number, KnownAttempt>>;
  readonly count: number;
}

/** By step and number. */
export function attemptsOf(lines: Iterable<JournalLine>): Attempts {
  const of = new Map<string, Map<number, KnownAttempt>>();
  let count = 0;
  const put = (step: string, attempt: number, started: Started | null): KnownAttempt => {
    const own = of.get(step) ?? new Map<number, KnownAttempt>();
    of.set(step, own);
    const known = own.get(attempt) ?? { step, attempt, started, ended: null };
    if (!own.has(attempt)) count += 1;
    own.set(attempt, known);
    return known;
  };
  for (const line of lines) {
    if (line.event === "attempt_started") put(line.step, line.attempt, line);
    else if (line.event === "attempt_ended") put(line.record.step, line.record.attempt, null).ended ??= line;
  }
  return { of, count };
}

export interface AttemptsContext {
  readonly files: Files;
  readonly findings: Findings;
  readonly claims: Claims;
  readonly attempts: Attempts;
  readonly gates: Gates;
  /** Null if the definition can not be read. */
  readonly workflow: Workflow | null;
  /** The last that wrote into the journal. */
  readonly lastEpoch: number;
  /** By epoch. */
  readonly versions: ReadonlyMap<number, string>;
  artifacts: number;
}

const KINDS: Readonly<Record<string, Kind>> = {
  ...Object.fromEntries(Object.values(ATTEMPT_FILES).map((name) => [name, "file"])),
  [ATTEMPT_FILES.outputs]: "folder",
  [ATTEMPT_FILES.values]: "folder",
  [ATTEMPT_FILES.work]: "folder",
};

/** `steps/`: a folder for each attempt of the journal, what is in it as it was recorded, and nothing else. */
export function checkAttempts(context: AttemptsContext): void {
  const { files, findings, attempts, workflow } = context;
  const steps = new Map(workflow?.steps.map((step) => [step.id, step]));
  const seen = new Set<KnownAttempt>();
  for (const entry of files.list(RUN_FILES.steps)) {
    const path = `${RUN_FILES.steps}/${entry.name}`;
    const isStep = workflow === null ? attempts.of.has(entry.name) : steps.has(entry.name);
    if (!isStep) findings.damage("known-names", path, "no step has this name", { repair: "quarantine" });
    else if (files.is(entry, path, "folder")) checkStep(context, entry.name, steps.get(entry.name), seen);
  }
  for (const own of attempts.of.values()) {
    for (const known of own.values()) if (!seen.has(known)) missingFolder(context, known);
  }
}

function checkStep(
  context: AttemptsContext,
  step: string,
  definition: Step | undefined,
  seen: Set<KnownAttempt>,
): void {
  const { files, findings, attempts } = context;
  const own = attempts.of.get(step);
  for (const entry of files.list(`${RUN_FILES.steps}/${step}`)) {
    const path = `${RUN_FILES.steps}/${step}/${entry.name}`;
    const number = Number(/^attempt-([1-9]\d{0,8})$/.exec(entry.name)?.[1] ?? 0);
    if (number === 0) {
      findings.damage("known-names", path, "no attempt has this name", { repair: "quarantine" });
      continue;
    }
    const known = own?.get(number);
    if (known) seen.add(known);
    if (!files.is(entry, path, "folder")) continue;
    if (known) checkAttempt(context, known, definition, path);
    else strayFolder(context, path, number, own);
  }
}

/** Made before its start was in the journal: it can not have run, and the next engine takes its place. */
function strayFolder(
  { findings, claims }: AttemptsContext,
  path: string,
  number: number,
  own: ReadonlyMap<number, KnownAttempt> | undefined,
): void {
  const isNext = number === Math.max(0, ...(own?.keys() ?? [])) + 1;
  const crashed = claims.diedOrLives(claims.latest) && isNext;
  const what = "the journal knows no such attempt";
  if (crashed) findings.note("left-over", path, `${what}: its command never ran`, { repair: "quarantine" });
  else findings.damage("attempt-folder", path, what, { repair: "quarantine" });
}

function missingFolder(context: AttemptsContext, known: KnownAttempt): void {
  const { findings, claims } = context;
  const path = attemptPath(known.step, known.attempt);
  if (known.ended) {
    const excused = isLast(context, known.ended) || claims.mayHaveLostPower(known.ended.epoch);
    findings.unless(excused, "attempt-folder", path, "it is missing", {
      todo: "restore the folder from a copy; wf verify RUN --repair writes its record again, and no more",
      repair: "rebuild",
    });
  } else if (!claims.diedOrLives(known.started?.epoch ?? 0))
    findings.damage("attempt-folder", path, "it is missing");
}

/** Of the epoch in which the last engine came to no clean end: the next one writes what is missing. */
function isLast({ claims, lastEpoch }: AttemptsContext, { epoch }: Ended): boolean {
  return epoch === lastEpoch && claims.diedOrLives(claims.latest);
}

function checkAttempt(
  context: AttemptsContext,
  known: KnownAttempt,
  step: Step | undefined,
  path: string,
): void {
  const { files, findings } = context;
  const present = new Map<string, Dirent>();
  for (const entry of files.list(path)) {
    const { name } = entry;
    const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
    if (kind === undefined) {
      if (isTempName(name)) findings.note("left-over", `${path}/${name}`, "a write was cut off here");
      else
        findings.damage("known-names", `${path}/${name}`, "an attempt has nothing of this name", {
          repair: "quarantine",
        });
    } else if (files.is(entry, `${path}/${name}`, kind)) present.set(name, entry);
    // Told of already: what stands in its place is no reason to miss it too.
    else present.set(name, entry);
  }
  const has = (name: string) => present.has(name);
  const isFile = (name: string) => present.get(name)?.isFile() ?? false;
  checkMade(context, known, step, path, has);
  if (step?.type === "command" && isFile(ATTEMPT_FILES.script)) checkScript(context, known, step, path);
  if (step?.type === "approval") checkGate(context.gates, known, path, has(ATTEMPT_FILES.gate));
  else if (isFile(ATTEMPT_FILES.gate))
    findings.damage("known-names", `${path}/${ATTEMPT_FILES.gate}`, "the step is no approval", {
      repair: "quarantine",
    });
  if (isFile(ATTEMPT_FILES.agent)) checkAgent(context, `${path}/${ATTEMPT_FILES.agent}`);
  checkEnd(context, known, path, { has, isFile });
}

/** What was made before its command could begin. */
function checkMade(
  context: AttemptsContext,
  { started }: KnownAttempt,
  step: Step | undefined,
  path: string,
  has: (name: string) => boolean,
): void {
  if (!started?.volatile || step === undefined) return;
  const { script, prompt, context: given, agent } = ATTEMPT_FILES;
  const due = step.type === "command" ? [script] : step.type === "approval" ? [] : [prompt, given, agent];
  const excused = context.claims.mayHaveLostPower(started.epoch);
  for (const name of due) {
    if (!has(name)) context.findings.unless(excused, "attempt-files", `${path}/${name}`, "it is missing");
  }
}

/** Lines that read large values come before the step's own. */
const PRELUDE = /^(?:(\w+)=\$\(cat "\$WF_ATTEMPT_DIR\/values\/\1"; printf x\); \1=\$\{\1%x\}\n)*$/;

function checkScript(
  { files, findings, claims, versions, workflow }: AttemptsContext,
  { started }: KnownAttempt,
  step: Step & { readonly type: "command" },
  path: string,
): void {
  // Another version may make another text of the same step; one with secrets masks them in it.
  if (started === null || versions.get(started.epoch) !== VERSION) return;
  if (workflow?.inputs.some(({ secret }) => secret)) return;
  const file = `${path}/${ATTEMPT_FILES.script}`;
  const found = files.text(file);
  const { text } = step.script;
  const due = text.endsWith("\n") ? text : `${text}\n`;
  if (found === null || found === due) return;
  if (found.endsWith(due) && PRELUDE.test(found.slice(0, -due.length))) return;
  const excused = claims.mayHaveLostPower(started.epoch);
  findings.unless(excused, "attempt-script", file, "it is not the script of the step in workflow.yaml");
}

/** A record of which the journal holds no copy: at least it is whole. */
function checkAgent({ files, findings, gates }: AttemptsContext, path: string): void {
  const text = files.text(path);
  if (text === null) return;
  const value = parsed(text);
  const fault =
    value === undefined
      ? "it is not JSON"
      : (gates.schemas.fileFault("agent", value) ??
        (formatRecord(value as object) === text ? null : CHANGED));
  if (fault !== null) findings.damage("attempt-files", path, fault);
}

const CHANGED = "it is not laid out as wf writes it: it has been changed";

/** Undefined if it is no JSON. */
function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

interface Present {
  has(name: string): boolean;
  isFile(name: string): boolean;
}

function checkEnd(context: AttemptsContext, known: KnownAttempt, path: string, present: Present): void {
  const { findings, claims } = context;
  const { ended } = known;
  if (ended === null) {
    if (present.has(ATTEMPT_FILES.record)) {
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
    if ("file" in output) checkArtifact(context, `${known.step}/${known.attempt}`, key, output);
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
