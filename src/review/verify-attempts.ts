import type { Dirent } from "node:fs";
import type { JournalLine } from "../core/event.ts";
import { type AttemptName, placeName } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { Step } from "../core/workflow.ts";
import { isTempName } from "../store/atomic-file.ts";
import { ATTEMPT_FILES, attemptPath, CREATING_PREFIX, RUN_FILES } from "../store/layout.ts";
import type { Claims } from "./verify-claims.ts";
import type { Definitions } from "./verify-definition.ts";
import { checkEnd } from "./verify-ended.ts";
import type { Files, Kind } from "./verify-files.ts";
import { checkGate, type Gates } from "./verify-gates.ts";
import { checkMade } from "./verify-made.ts";
import { checkNested, type LookInto } from "./verify-nested.ts";
import type { Findings } from "./verify-rules.ts";

/** An attempt, as the journal tells of it. */
export interface KnownAttempt extends AttemptName {
  readonly started: Started | null;
  ended: Ended | null;
}

type Started = JournalLine & { readonly event: "attempt_started" };
export type Ended = JournalLine & { readonly event: "attempt_ended" };

/** What stands in an attempt's folder. */
export interface Present {
  has(name: string): boolean;
  isFile(name: string): boolean;
}

export interface Attempts {
  /** By step, or item of one, such as `fan/item-3`; then by number. */
  readonly of: ReadonlyMap<string, ReadonlyMap<number, KnownAttempt>>;
  /** Steps that have any. */
  readonly steps: ReadonlySet<string>;
  readonly count: number;
}

export function attemptsOf(lines: Iterable<JournalLine>): Attempts {
  const of = new Map<string, Map<number, KnownAttempt>>();
  const steps = new Set<string>();
  let count = 0;
  const put = ({ step, item, attempt }: AttemptName, started: Started | null): KnownAttempt => {
    const place = placeName({ step, item });
    const own = of.get(place) ?? new Map<number, KnownAttempt>();
    of.set(place, own);
    steps.add(step);
    const known = own.get(attempt) ?? { step, item, attempt, started, ended: null };
    if (!own.has(attempt)) count += 1;
    own.set(attempt, known);
    return known;
  };
  for (const line of lines) {
    if (line.event === "attempt_started") put(line, line);
    else if (line.event === "attempt_ended") put(line.record, null).ended ??= line;
  }
  return { of, steps, count };
}

export interface AttemptsContext {
  readonly files: Files;
  readonly findings: Findings;
  readonly claims: Claims;
  readonly attempts: Attempts;
  readonly gates: Gates;
  readonly definitions: Definitions;
  /** Of secret values nothing can be compared. */
  readonly hasSecrets: boolean;
  /** Nothing is wrong with the journal: what it does not know of is not there by right. */
  readonly trusted: boolean;
  /** The last that wrote into the journal. */
  readonly lastEpoch: number;
  /** Of the run when it wrote that line; null if the journal can not be folded. */
  readonly inputsAt: (seq: number) => JsonObject | null;
  /** By epoch. */
  readonly versions: ReadonlyMap<number, string>;
  readonly lookInto: LookInto;
  artifacts: number;
}

const KINDS: Readonly<Record<string, Kind>> = {
  ...Object.fromEntries(Object.values(ATTEMPT_FILES).map((name) => [name, "file"])),
  [ATTEMPT_FILES.outputs]: "folder",
  [ATTEMPT_FILES.values]: "folder",
  [ATTEMPT_FILES.work]: "folder",
  [ATTEMPT_FILES.run]: "folder",
};

/** `steps/`: a folder for each attempt of the journal, what is in it as it was recorded, and nothing else. */
export function checkAttempts(context: AttemptsContext): void {
  const { files, findings, attempts, definitions, trusted } = context;
  const seen = new Set<KnownAttempt>();
  for (const entry of files.list(RUN_FILES.steps)) {
    const path = `${RUN_FILES.steps}/${entry.name}`;
    const step = definitions.step(entry.name);
    const isStep = step !== undefined || (definitions.first === null && attempts.steps.has(entry.name));
    if (!isStep && (trusted || definitions.first))
      findings.damage("known-names", path, "no step has this name", { repair: "quarantine" });
    else if (files.is(entry, path, "folder")) checkPlace(context, entry.name, step, seen);
  }
  for (const own of attempts.of.values()) {
    for (const known of own.values()) if (!seen.has(known)) missingFolder(context, known);
  }
}

/** What stands in the folder of a step, or of an item of one. */
function checkPlace(
  context: AttemptsContext,
  place: string,
  definition: Step | undefined,
  seen: Set<KnownAttempt>,
): void {
  const { files, findings, attempts } = context;
  const own = attempts.of.get(place);
  for (const entry of files.list(`${RUN_FILES.steps}/${place}`)) {
    const path = `${RUN_FILES.steps}/${place}/${entry.name}`;
    const number = Number(/^attempt-([1-9]\d{0,8})$/.exec(entry.name)?.[1] ?? 0);
    if (number === 0 && isItem(context, place, entry.name, definition)) {
      if (files.is(entry, path, "folder")) checkPlace(context, `${place}/${entry.name}`, definition, seen);
      continue;
    }
    if (number === 0) {
      findings.damage("known-names", path, "no attempt has this name", { repair: "quarantine" });
      continue;
    }
    const known = own?.get(number);
    if (known) seen.add(known);
    if (!files.is(entry, path, "folder")) continue;
    if (known) checkAttempt(context, known, path);
    else if (context.trusted) strayFolder(context, path, number, own);
  }
}

/** A folder of an item, in that of a step with `foreach`. */
function isItem(
  { attempts, trusted }: AttemptsContext,
  place: string,
  name: string,
  step: Step | undefined,
): boolean {
  if (place.includes("/") || !/^item-(?:0|[1-9]\d{0,8})$/.test(name)) return false;
  return step ? step.foreach !== undefined : !trusted || attempts.of.has(`${place}/${name}`);
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
  const path = attemptPath(known);
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
export function isLast({ claims, lastEpoch }: AttemptsContext, { epoch }: Ended): boolean {
  return epoch === lastEpoch && claims.diedOrLives(claims.latest);
}

function checkAttempt(context: AttemptsContext, known: KnownAttempt, path: string): void {
  const { files, findings, definitions } = context;
  const step = definitions.stepAt(known.step, (known.started ?? known.ended)?.seq ?? 0);
  const present = new Map<string, Dirent>();
  for (const entry of files.list(path)) {
    const { name } = entry;
    const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
    if (kind === undefined) {
      if (isTempName(name) || name.startsWith(CREATING_PREFIX))
        findings.note("left-over", `${path}/${name}`, "a write was cut off here");
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
  if (step) checkMade(context, known, step, path, { has, isFile });
  if (step?.type === "approval") checkGate(context.gates, known, path, has(ATTEMPT_FILES.gate));
  else if (step && isFile(ATTEMPT_FILES.gate))
    findings.damage("known-names", `${path}/${ATTEMPT_FILES.gate}`, "the step is no approval", {
      repair: "quarantine",
    });
  checkEnd(context, known, path, { has, isFile });
  checkNested(context, known, step, path, present.get(ATTEMPT_FILES.run)?.isDirectory() ?? false);
}
