import { readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { JournalLine } from "../core/event.ts";
import { ID_PATTERN } from "../core/ids.ts";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import { WfError } from "../core/problem.ts";
import { errnoOf, ioError } from "../store/io-error.ts";
import { ATTEMPT_FILES, attemptPath, RUN_FILES } from "../store/layout.ts";
import { readDefinition } from "../store/open-run.ts";
import { formatRecord } from "../store/record-text.ts";
import { RunCleaner } from "./canon-clean.ts";
import { type Ordering, orderingOf } from "./canon-definition.ts";
import { type CanonFile, type CanonForm, parseForm } from "./canon-form.ts";
import { inFileOrder, type Listed, listCanonical, listRun } from "./canon-list.ts";
import { ordered } from "./canon-order.ts";
import { type KnownPlaces, PLACEHOLDERS, Places } from "./canon-places.ts";
import { canonicalAttempt, canonicalEvent, canonicalRun } from "./canon-records.ts";
import { linesOf, viewRun } from "./view.ts";

/**
 * The canonical form of a run: what it means, without what differs between two runs that mean the same. `path`: a run
 * directory, whole, damaged at its end or still driven; a folder or a text that is a canonical form already, which is
 * given back as it is. It depends on the run alone, not on where, by whom and on what machine it is read.
 * Raises RUN_NOT_FOUND, LEGACY_RUN, RUN_DAMAGED, FORMAT_UNKNOWN, IO_ERROR.
 */
export async function canonicalForm(path: string): Promise<CanonForm> {
  return readCanonical(path) ?? (await canonicalRunForm(path));
}

/** What is canonical already; null if it is not. */
function readCanonical(path: string): CanonForm | null {
  try {
    if (statSync(path).isFile()) return parseForm(readFileSync(path, "utf8"));
    const record = jsonOf(readFileSync(join(path, RUN_FILES.snapshot), "utf8"));
    if (record?.runId !== PLACEHOLDERS.runId) return null;
    const steps = isJsonObject(record.steps) ? Object.keys(record.steps) : [];
    const files = inFileOrder(listCanonical(path), steps);
    return files.map(({ path: name }) => ({ path: name, text: readFileSync(join(path, name), "utf8") }));
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return null;
    throw ioError(error, `read ${path}`);
  }
}

async function canonicalRunForm(path: string): Promise<CanonForm> {
  const view = await viewRun(path);
  if (view.kind === "legacy") {
    throw new WfError({
      code: "LEGACY_RUN",
      message: `the older record ${path} has no canonical form: it holds no journal`,
      hint: "wf status shows what it says",
    });
  }
  const { runDir, record } = view;
  const lines = linesOf(view);
  const definition = Buffer.from(readDefinition(runDir));
  const ordering = await orderingOf(runDir, record, definition.toString("utf8"));
  const places = new Places(knownPlaces(runDir, record.runId, lines, definition.toString("utf8")));
  try {
    return assemble({ runDir, lines, record: record as unknown as JsonObject, ordering, places });
  } catch (error) {
    throw ioError(error, `read ${runDir}`);
  }
}

interface Parts {
  readonly runDir: string;
  readonly lines: readonly JournalLine[];
  readonly record: JsonObject;
  readonly ordering: Ordering;
  readonly places: Places;
}

function assemble({ runDir, lines, record, ordering, places }: Parts): CanonFile[] {
  const clean = new RunCleaner(runDir, places, ordering.redact);
  const { started, records } = attemptsOf(lines);
  const files = inFileOrder(listRun(runDir, started), ordering.steps, (path) => places.inName(path));
  // Files first: records hold digests of them. Then gates, whose digests are of those.
  const texts = new Map<Listed, string>();
  for (const file of files) {
    const isKnown = file.name === ATTEMPT_FILES.record && records.has(file.attempt ?? "");
    const text = isKnown ? null : clean.textOf(file);
    if (text !== null) texts.set(file, text);
  }
  for (const file of files) if (file.name === ATTEMPT_FILES.gate) texts.set(file, clean.gateFile(file));
  const journal = ordered(lines, ordering.order)
    .map((line) => `${JSON.stringify(canonicalEvent(line as unknown as JsonObject, clean))}\n`)
    .join("");
  const out: CanonFile[] = [
    { path: RUN_FILES.snapshot, text: formatRecord(canonicalRun(record, clean)) },
    { path: RUN_FILES.journal, text: journal },
  ];
  for (const file of withRecords(files, records)) {
    const ended = file.name === ATTEMPT_FILES.record ? records.get(file.attempt ?? "") : undefined;
    const text = ended ? formatRecord(canonicalAttempt(ended, clean)) : texts.get(file);
    if (text !== undefined) out.push({ path: places.inName(file.path), text });
  }
  return out;
}

/** The journal says how an attempt ended, whether its `attempt.json` has been written yet or not. */
function* withRecords(files: readonly Listed[], records: ReadonlyMap<string, JsonObject>): Generator<Listed> {
  const written = new Set(
    files.flatMap(({ attempt, name }) => (name === ATTEMPT_FILES.record ? [attempt] : [])),
  );
  let last: string | undefined;
  for (const file of files) {
    const { attempt } = file;
    if (attempt !== undefined && attempt !== last && !written.has(attempt) && records.has(attempt)) {
      yield { ...file, path: `${attempt}/${ATTEMPT_FILES.record}`, name: ATTEMPT_FILES.record };
    }
    last = attempt;
    yield file;
  }
}

/** Folders of attempts that were started, and the records of those that ended. */
function attemptsOf(lines: readonly JournalLine[]): {
  started: Set<string>;
  records: Map<string, JsonObject>;
} {
  const started = new Set<string>();
  const records = new Map<string, JsonObject>();
  for (const line of lines) {
    // The name of a folder: a journal that somebody made up leads nowhere else.
    const step = line.event === "attempt_ended" ? line.record.step : "step" in line ? line.step : "";
    if (!ID_PATTERN.test(step)) continue;
    if (line.event === "attempt_started") started.add(attemptPath(line));
    if (line.event === "attempt_ended") {
      records.set(attemptPath({ step, attempt: line.record.attempt }), line.record as unknown as JsonObject);
    }
  }
  return { started, records };
}

/** What engines recorded of their surroundings; `home`, `tmp` and `runDir` are not known of older runs. */
function knownPlaces(
  runDir: string,
  runId: string,
  lines: readonly JournalLine[],
  definition: string,
): KnownPlaces {
  const run: string[] = basename(resolve(runDir)) === runId ? [resolve(runDir)] : [];
  const found: Record<"project" | "home" | "tmp", string[]> = { project: [], home: [], tmp: [] };
  for (const line of lines) {
    if (line.event !== "run_created" && line.event !== "engine_started") continue;
    const volatile: Readonly<Record<string, unknown>> = line.volatile;
    for (const place of ["project", "home", "tmp"] as const) {
      const path = volatile[place];
      if (typeof path === "string") found[place].push(path);
    }
    if (typeof volatile.runDir === "string") run.push(volatile.runDir);
    run.push(join(line.volatile.project, ".wf", "runs", runId));
  }
  return { runId, run, ...found, definition };
}

export function jsonOf(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : null;
  } catch {
    return null;
  }
}
