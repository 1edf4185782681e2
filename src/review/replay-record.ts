import type { AttemptRecord, JournalLine } from "../core/event.ts";
import { type PlaceName, placeName } from "../core/ids.ts";
import { isJsonObject, type Json } from "../core/json.ts";
import { WfError } from "../core/problem.ts";
import { parseLine } from "../store/journal-line.ts";
import { attemptPath, RUN_FILES } from "../store/layout.ts";
import type { CanonForm } from "./canon-form.ts";
import { PLACEHOLDERS } from "./canon-places.ts";
import { Changes } from "./replay-changes.ts";

type Line<E extends JournalLine["event"]> = Extract<JournalLine, { event: E }>;

/** What a step, or an item of one, did next, as the record has it. `at`: its place in the journal. */
export type Entry = PlaceName & { readonly at: number } & (
    | {
        readonly kind: "attempt";
        readonly attempt: number;
        /** Null: it was open when the record ended, or when its engine died. */
        readonly record: AttemptRecord | null;
      }
    | { readonly kind: "skip"; readonly because: string }
    /** The list of a `foreach`. */
    | { readonly kind: "list"; readonly items: readonly Json[] }
  );

/** From the start of an engine to the end of the run; engines that only went on after a crash or a pause are left out. */
export interface Stretch {
  readonly started: Line<"engine_started">;
  /** By step, or item of one, such as `fan/item-3`; in order. */
  readonly entries: ReadonlyMap<string, readonly Entry[]>;
  /** Sequences. */
  readonly transitions: readonly Line<"transition">[];
  readonly cancel: Line<"request_taken"> | null;
  readonly lastSteps: Line<"finally_started"> | null;
  /** Null: the record ends before. */
  readonly end: Line<"run_ended"> | null;
}

/** A record, read for being answered from. */
export interface Recorded {
  /** As its canonical form has it: that of a nested run goes on after the placeholder. */
  readonly runId: string;
  readonly created: Line<"run_created">;
  readonly stretches: readonly Stretch[];
  /** Of the journal, from `created` on. */
  readonly lines: readonly JournalLine[];
  readonly changes: Changes;
  /** Texts by path, those of nested runs too. */
  readonly files: Files;
  /** Of the nested runs, by the folder of the run and then by path in it. */
  readonly nested: ReadonlyMap<string, Files>;
}

type Files = ReadonlyMap<string, string>;

/** All events of a replay stand at one time: none waits for another. */
export const AT = "2000-01-01T00:00:00.000Z";

/** What a line of the journal has and its canonical form has not; nothing depends on it. */
const VOLATILE: Readonly<Partial<Record<JournalLine["event"], object>>> = {
  run_created: { project: PLACEHOLDERS.project },
  engine_started: { pid: 0, host: "", machineId: "", pidNamespace: "", project: PLACEHOLDERS.project },
  attempt_ended: { startedAt: AT, endedAt: AT, stdoutBytes: 0, stderrBytes: 0 },
  retry_scheduled: { notBefore: AT },
  decision: { by: "" },
};

/** `name`: how messages call the record. Raises FIXTURE_INVALID, FORMAT_UNKNOWN. */
export function readRecorded(form: CanonForm, name: string): Recorded {
  return readFiles(new Map(form.map(({ path, text }) => [path, text])), name);
}

/** The record of a run that is nested in another; null if there is none in that folder. Raises the same. */
export function readNested({ nested }: Recorded, folder: string, name: string): Recorded | null {
  const files = nested.get(folder);
  return files?.has(RUN_FILES.journal) ? readFiles(files, `${name}/${folder}`) : null;
}

function readFiles(files: Files, name: string): Recorded {
  const lines = readLines(files.get(RUN_FILES.journal), name);
  const [created] = lines;
  if (created?.event !== "run_created") {
    throw invalid(`${name}: ${RUN_FILES.journal} does not begin with run_created`);
  }
  return {
    runId: runIdOf(files.get(RUN_FILES.snapshot)),
    created,
    stretches: stretchesOf(lines),
    changes: new Changes(lines),
    lines,
    files,
    nested: nestedIn(files),
  };
}

function runIdOf(snapshot: string | undefined): string {
  const run: unknown = JSON.parse(snapshot ?? "{}");
  return isJsonObject(run) && typeof run.runId === "string" ? run.runId : PLACEHOLDERS.runId;
}

const IN_NESTED = /^(steps\/[^/]+\/(?:item-\d+\/)?attempt-\d+\/run)\/(.+)$/;

function nestedIn(files: Files): Map<string, Map<string, string>> {
  const nested = new Map<string, Map<string, string>>();
  for (const [path, text] of files) {
    const [, folder, inner] = IN_NESTED.exec(path) ?? [];
    if (folder === undefined || inner === undefined) continue;
    const own = nested.get(folder) ?? new Map<string, string>();
    nested.set(folder, own.set(inner, text));
  }
  return nested;
}

export function readLines(journal: string | undefined, name: string): JournalLine[] {
  if (journal === undefined) throw invalid(`${name} has no ${RUN_FILES.journal}`);
  const texts = journal.split("\n").filter((text) => text !== "");
  return texts.map((text, index) => readLine(text, index + 1, name));
}

function readLine(text: string, seq: number, name: string): JournalLine {
  const where = `${name}: line ${seq} of ${RUN_FILES.journal}`;
  const event = EVENT.exec(text)?.[1];
  if (event === undefined) throw invalid(`${where}: it does not begin with its event`);
  const volatile = VOLATILE[event as JournalLine["event"]];
  const head = { seq, at: AT, epoch: 1, run: PLACEHOLDERS.runId, ...(volatile && { volatile }) };
  const parsed = parseLine(`${JSON.stringify(head).slice(0, -1)},${text.slice(1)}`);
  if (parsed.kind === "line") return parsed.line;
  if (parsed.kind === "newer") {
    throw new WfError({ code: "FORMAT_UNKNOWN", message: `${where} needs ${parsed.needs}` });
  }
  throw invalid(`${where}: ${parsed.what}`);
}

const EVENT = /^\{"event":"([^"]*)"/;

export function invalid(message: string): WfError {
  return new WfError({
    code: "FIXTURE_INVALID",
    message,
    hint: "restore it, or make it anew with wf fixture save RUN DIR",
  });
}

/** Nothing is recorded. */
export const NO_STRETCH: Stretch = {
  started: {
    event: "engine_started",
    seq: 1,
    at: AT,
    epoch: 1,
    run: PLACEHOLDERS.runId,
    how: "start",
    version: "",
    volatile: { pid: 0, host: "", machineId: "", pidNamespace: "", project: "" },
  },
  entries: new Map(),
  transitions: [],
  cancel: null,
  lastSteps: null,
  end: null,
};

interface Open {
  started: Line<"engine_started">;
  readonly entries: Map<string, Entry[]>;
  readonly transitions: Line<"transition">[];
  cancel: Line<"request_taken"> | null;
  lastSteps: Line<"finally_started"> | null;
  end: Line<"run_ended"> | null;
}

function stretchesOf(lines: readonly JournalLine[]): Stretch[] {
  const ended = new Map<string, AttemptRecord>();
  for (const line of lines) {
    if (line.event === "attempt_ended") ended.set(attemptPath(line.record), line.record);
  }
  const stretches: Open[] = [];
  let now: Open | undefined;
  for (const [at, line] of lines.entries()) {
    if (line.event === "engine_started") {
      if (now !== undefined && now.end === null && line.from === undefined) {
        // It goes on where another one stopped; limits that were raised then have been high enough before, too.
        now.started = withLimits(now.started, line);
        continue;
      }
      now = { started: line, entries: new Map(), transitions: [], cancel: null, lastSteps: null, end: null };
      stretches.push(now);
    }
    if (now !== undefined) take(now, line, at, ended);
  }
  return stretches;
}

function take(now: Open, line: JournalLine, at: number, ended: ReadonlyMap<string, AttemptRecord>): void {
  const push = (entry: Entry) => {
    const place = placeName(entry);
    const list = now.entries.get(place);
    if (list) list.push(entry);
    else now.entries.set(place, [entry]);
  };
  switch (line.event) {
    case "attempt_started": {
      const { step, item, attempt } = line;
      push({ kind: "attempt", step, item, attempt, record: ended.get(attemptPath(line)) ?? null, at });
      break;
    }
    case "step_skipped":
      push({ kind: "skip", step: line.step, item: line.item, because: line.because, at });
      break;
    case "foreach_started":
      push({ kind: "list", step: line.step, items: line.items, at });
      break;
    case "transition":
      now.transitions.push(line);
      break;
    case "request_taken":
      if (line.request === "cancel") now.cancel ??= line;
      break;
    case "finally_started":
      now.lastSteps = line;
      break;
    case "run_ended":
      now.end = line;
      break;
    default:
      break;
  }
}

function withLimits(
  first: Line<"engine_started">,
  { limits }: Line<"engine_started">,
): Line<"engine_started"> {
  if (limits === undefined) return first;
  const { steps, ...own } = { ...first.limits, ...limits };
  const all = { ...first.limits?.steps, ...steps };
  return { ...first, limits: { ...own, ...(Object.keys(all).length > 0 && { steps: all }) } };
}
