/*
 * What a run means, without what tells of crashes: two runs of one workflow with the same inputs must come out equal,
 * whatever happened to their engines.
 */
import { join } from "node:path";
import {
  bytesOf,
  filesUnder,
  jsonOf,
  type Line,
  type Loose,
  nameOf,
  nestedRuns,
  type Run,
  readRun,
  sha256,
} from "./read.ts";

const TELLS_OF_CRASHES = ["engine_started", "attempt_adopted", "attempt_stopping"];
const CRASH_STATUS = ["interrupted", "canceled", "not_run"];

/** Old number to new number of the attempts that count, for each step and item. */
type Numbers = Map<string, Map<number, number>>;

/** Canonical text by file name. */
export function canonical(run: Run): Map<string, string> {
  const numbers = renumber(run.lines);
  const clean = cleaner(run, numbers);
  const form = new Map<string, string>();
  form.set(
    "journal",
    journal(run, numbers)
      .map((event) => clean(JSON.stringify(event)))
      .join("\n"),
  );
  form.set("run.json", clean(JSON.stringify(snapshot(run.snapshot, numbers), null, 2)));
  const nested = nestedRuns(run);
  for (const path of nested) {
    const name = kept(`${path}/x`, numbers)?.slice(0, -2);
    if (name === undefined) continue;
    for (const [file, text] of canonical(readRun(join(run.dir, path))))
      form.set(`${name}/${file}`, clean(text));
  }
  for (const path of filesUnder(run.dir)) {
    if (nested.some((folder) => path.startsWith(`${folder}/`))) continue;
    const name = kept(path, numbers);
    if (name === null) continue;
    const bytes = bytesOf(join(run.dir, path)) ?? Buffer.from("(no plain file)");
    const text = bytes.toString("utf8");
    const isText = Buffer.from(text).equals(bytes);
    if (!isText) form.set(name, sha256(bytes));
    else if (path.endsWith("/attempt.json"))
      form.set(name, clean(JSON.stringify(recordOf(jsonOf(bytes), numbers, run.lines))));
    else if (path.endsWith("/gate.json")) form.set(name, clean(JSON.stringify(gateOf(jsonOf(bytes)))));
    else form.set(name, clean(text));
  }
  return form;
}

/** What differs, one sentence a file. */
export function differences(actual: Map<string, string>, expected: Map<string, string>): string[] {
  const found: string[] = [];
  for (const name of new Set([...expected.keys(), ...actual.keys()])) {
    const [a, b] = [actual.get(name), expected.get(name)];
    if (a === b) continue;
    if (a === undefined) found.push(`${name} is missing`);
    else if (b === undefined) found.push(`${name} is not in the undisturbed run`);
    else {
      const [x, y] = [a.split("\n"), b.split("\n")];
      const at = x.findIndex((line, index) => line !== y[index]);
      const line = at < 0 ? x.length : at;
      found.push(
        `${name} line ${line + 1} is ${x[line] ?? "(absent)"} and undisturbed ${y[line] ?? "(absent)"}`,
      );
    }
  }
  return found;
}

function renumber(lines: readonly Line[]): Numbers {
  const numbers: Numbers = new Map();
  for (const { event, record } of lines) {
    if (event !== "attempt_ended" || CRASH_STATUS.includes(record.status)) continue;
    const known = numbers.get(nameOf(record)) ?? new Map<number, number>();
    numbers.set(nameOf(record), known.set(record.attempt, known.size + 1));
  }
  return numbers;
}

/** The number that an attempt has without those before it that crashes made. */
function numberOf(numbers: Numbers, step: string, attempt: number): number {
  const known = numbers.get(step) ?? new Map<number, number>();
  return known.get(attempt) ?? [...known.keys()].filter((old) => old < attempt).length + 1;
}

function journal(run: Run, numbers: Numbers): Loose[] {
  const events: Loose[] = [];
  for (const { seq: _, at: __, epoch: ___, run: ____, volatile: _____, ...event } of run.lines) {
    const line = event as Loose;
    const place = nameOf(line);
    if (TELLS_OF_CRASHES.includes(line.event)) continue;
    // When a person decides, before or after the run has come to wait for it, is not the run's.
    if (line.event === "run_waiting" && ["SIGNAL", "APPROVAL"].includes(line.reason?.code)) continue;
    if (line.event === "attempt_ended") {
      if (!CRASH_STATUS.includes(line.record.status)) {
        events.push({ ...line, record: recordOf(line.record, numbers, run.lines) });
      }
    } else if (line.event === "attempt_started") {
      if (!numbers.get(place)?.has(line.attempt)) continue;
      const cause = causeOf(run.lines, place, line.attempt);
      events.push({ ...line, attempt: numberOf(numbers, place, line.attempt), cause });
    } else if (line.event === "decision") {
      const { digest: ______, ...rest } = line;
      events.push({ ...rest, attempt: numberOf(numbers, place, line.attempt) });
    } else if (line.step !== undefined && line.attempt !== undefined) {
      if (line.event === "security" && !numbers.get(place)?.has(line.attempt)) continue;
      events.push({ ...line, attempt: numberOf(numbers, place, line.attempt) });
    } else if (line.reason !== undefined) {
      events.push({ ...line, reason: reasonOf(line.reason, numbers) });
    } else events.push(line);
  }
  const isOrdered =
    run.definition?.shape === "sequence" && !run.definition.steps.some(({ foreach }) => foreach);
  return isOrdered ? events : inOrder(run, events);
}

/** Events of a graph: what concerns no step where it was, then each step's own, in the order of the file. */
function inOrder(run: Run, events: Loose[]): Loose[] {
  const indexes = new Map(run.definition?.steps.map((step) => [step.id, step.index]));
  const key = (event: Loose): number => {
    if (event.event === "run_created") return -1;
    return indexes.get(event.record?.step ?? event.step ?? event.from) ?? Number.POSITIVE_INFINITY;
  };
  // A sequence comes to a step more than once; its items end in any order.
  const isSequence = run.definition?.shape === "sequence";
  let stretch = 0;
  return events
    .map((event) => {
      if (isSequence && event.item === undefined && event.record?.item === undefined) stretch += 1;
      const item = event.record?.item ?? event.item ?? -1;
      const at = isSequence ? stretch : key(event);
      if (isSequence && item < 0) stretch += 1;
      return { event, at, item };
    })
    .sort((a, b) => compare(a.at, b.at) || a.item - b.item)
    .map(({ event }) => event);
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** The cause of an attempt: if it replaces ones that crashes ended, that of the first of them. */
function causeOf(lines: readonly Line[], step: string, attempt: number): string {
  const started = lines.filter((line) => line.event === "attempt_started" && nameOf(line as Loose) === step);
  const ended = new Map(
    lines
      .filter(({ event, record }) => event === "attempt_ended" && nameOf(record) === step)
      .map(({ record }) => [record.attempt, record.status]),
  );
  let at = started.findIndex((line) => line.attempt === attempt);
  while (at > 0 && CRASH_STATUS.includes(ended.get(started[at - 1]?.attempt))) at -= 1;
  return started[at]?.cause;
}

function recordOf(record: Loose, numbers: Numbers, lines: readonly Line[]): Loose {
  if (record === null || typeof record !== "object") return record;
  const attempt = numberOf(numbers, nameOf(record), record.attempt);
  return { ...record, attempt, cause: causeOf(lines, nameOf(record), record.attempt) };
}

/** The digest is also of the paths that it shows, which hold the numbers of attempts. */
function gateOf(record: Loose): Loose {
  if (record === null || typeof record !== "object") return record;
  const { volatile: _, digest: __, ...stable } = record;
  return stable;
}

function reasonOf(reason: Loose, numbers: Numbers): Loose {
  if (!reason?.step || reason.attempt === undefined) return reason;
  const attempt = numberOf(numbers, nameOf(reason), reason.attempt);
  return {
    ...reason,
    attempt,
    message: reason.message.replace(/\bon attempt \d+\b/, `on attempt ${attempt}`),
  };
}

function snapshot(record: Loose, numbers: Numbers): Loose {
  if (record === null || typeof record !== "object") return record;
  const { volatile: _, runId: __, ...stable } = record;
  const steps = Object.entries<Loose>(record.steps ?? {}).map(([id, step]) => {
    const own = [...numbers].filter(([name]) => name === id || name.startsWith(`${id}/item-`));
    const attempts = own.reduce((sum, [, known]) => sum + known.size, 0);
    // Whether a cancel met the step while it ran is a matter of time; without that attempt it is pending.
    const status = step.status === "canceled" && attempts === 0 ? "pending" : step.status;
    return [id, { ...step, status, attempts }];
  });
  const pointer = (record.pointer ?? []).map((entry: Loose) => ({
    ...entry,
    attempt: numberOf(numbers, nameOf(entry), entry.attempt),
  }));
  return { ...stable, reason: reasonOf(record.reason, numbers), pointer, steps: Object.fromEntries(steps) };
}

/** The name of a file that counts, with the new number of its attempt; null for one that does not. */
function kept(path: string, numbers: Numbers): string | null {
  if (/^(lock|control)\//.test(path) || /^progress\.ndjson(\.torn-\d+)?$/.test(path) || path === "run.json")
    return null;
  const match = /^steps\/([^/]+(?:\/item-\d+)?)\/attempt-(\d+)\/(.*)$/.exec(path);
  if (!match) return path;
  const [, step = "", old, rest] = match;
  const attempt = numbers.get(step)?.get(Number(old));
  return attempt === undefined ? null : `steps/${step}/attempt-${attempt}/${rest}`;
}

/** Puts places and numbers in text into their canonical form. */
function cleaner(run: Run, numbers: Numbers): (text: string) => string {
  const id = run.lines[0]?.run ?? run.snapshot?.runId;
  const project = run.lines[0]?.volatile?.project;
  return (text) => {
    let clean = text.replaceAll(run.dir, "<run>");
    if (project) clean = clean.replaceAll(project, "<project>");
    if (id) clean = clean.replaceAll(id, "<run-id>");
    clean = clean.replace(/steps\/([a-z][\w-]*(?:\/item-\d+)?)\/attempt-(\d+)/g, (_, step, attempt) => {
      return `steps/${step}/attempt-${numberOf(numbers, step, Number(attempt))}`;
    });
    clean = clean.replace(/\b([a-z][\w-]*(?:\/item-\d+)?) failed on attempt (\d+)/g, (_, step, attempt) => {
      return `${step} failed on attempt ${numberOf(numbers, step, Number(attempt))}`;
    });
    return clean.replace(/attempt (\d+) of ([a-z][\w-]*(?:\/item-\d+)?)/g, (_, attempt, step) => {
      return `attempt ${numberOf(numbers, step, Number(attempt))} of ${step}`;
    });
  };
}
