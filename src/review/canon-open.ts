import { join } from "node:path";
import type { JournalLine } from "../core/event.ts";
import { ID_PATTERN } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import { damaged } from "../store/damage.ts";
import { attemptPath } from "../store/layout.ts";
import { definitionTexts, type Ordering, Orderings } from "./canon-definition.ts";
import { knownPlaces } from "./canon-known.ts";
import { type Listed, listRun } from "./canon-list.ts";
import { ancestorsOf, Places } from "./canon-places.ts";
import { redactor } from "./canon-redact.ts";
import { type CurrentView, linesOf, viewRun } from "./view.ts";

/** A run, read, and its nested runs. */
export interface OpenedRun {
  readonly runDir: string;
  readonly lines: readonly JournalLine[];
  readonly record: JsonObject;
  readonly ordering: Ordering;
  /** In no order. */
  readonly files: readonly Listed[];
  /** Of the attempts that ended, by their folder. */
  readonly records: ReadonlyMap<string, JsonObject>;
  /** By their folder, relative to the run. */
  readonly nested: ReadonlyMap<string, OpenedRun>;
}

export interface OpenedTree {
  readonly run: OpenedRun;
  readonly places: Places;
  /** By the patterns of all workflows that the definition is made of: what one says is noise is so in the records of all. */
  redact(text: string): string;
}

/** Raises RUN_DAMAGED, FORMAT_UNKNOWN, IO_ERROR. */
export async function openTree(view: CurrentView): Promise<OpenedTree> {
  const definition = definitionTexts(view.runDir);
  const run = await open(view, new Orderings(), definition);
  const recorded = knownPlaces(view.runDir, view.record.runId, run.lines);
  const ancestors = [...ancestorsIn(run)];
  return {
    run,
    places: new Places({ ...recorded, ancestors, definition }),
    redact: redactor([...redactsOf(run)]),
  };
}

async function open(view: CurrentView, orderings: Orderings, texts?: string): Promise<OpenedRun> {
  const { runDir, record } = view;
  const lines = linesOf(view);
  const ordering = await orderings.of(runDir, record, texts);
  const { started, records } = attemptsOf(lines);
  const files = listRun(runDir, started);
  const nested = new Map<string, OpenedRun>();
  for (const { path, kind } of files) {
    if (kind === "run") nested.set(path, await openNested(join(runDir, path), orderings));
  }
  return { runDir, lines, record: record as unknown as JsonObject, ordering, files, records, nested };
}

async function openNested(runDir: string, orderings: Orderings): Promise<OpenedRun> {
  const view = await viewRun(runDir);
  if (view.kind === "legacy") throw damaged(`${runDir} is a run of before there were nested ones`);
  return await open(view, orderings);
}

function ancestorsIn({ lines, nested }: OpenedRun): Set<string> {
  return new Set([...ancestorsOf(lines), ...[...nested.values()].flatMap((each) => [...ancestorsIn(each)])]);
}

function redactsOf({ ordering, nested }: OpenedRun): Set<string> {
  return new Set([...ordering.redact, ...[...nested.values()].flatMap((each) => [...redactsOf(each)])]);
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
    const place = line.event === "attempt_ended" ? line.record : line;
    if (!("step" in place) || !ID_PATTERN.test(place.step)) continue;
    if ("item" in place && !Number.isSafeInteger(place.item)) continue;
    if (line.event === "attempt_started") started.add(attemptPath(line));
    if (line.event === "attempt_ended") {
      records.set(attemptPath(line.record), line.record as unknown as JsonObject);
    }
  }
  return { started, records };
}
