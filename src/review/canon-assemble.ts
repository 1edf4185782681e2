import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { JsonObject } from "../core/json.ts";
import { ATTEMPT_FILES, RUN_FILES } from "../store/layout.ts";
import { formatRecord } from "../store/record-text.ts";
import { Digests, isDefinition, RunCleaner } from "./canon-clean.ts";
import { sha256 } from "./canon-cut.ts";
import type { CanonFile } from "./canon-form.ts";
import { inFileOrder, type Listed, saysNothing } from "./canon-list.ts";
import type { OpenedRun, OpenedTree } from "./canon-open.ts";
import { isMeant, ordered } from "./canon-order.ts";
import { canonicalAttempt, canonicalEvent, canonicalRun } from "./canon-records.ts";

/** The canonical form of a run, its nested runs where they lie. */
export function assembleForm({ run, places, redact }: OpenedTree): CanonFile[] {
  const shared = { places, redact, digests: new Digests() };
  const cleaned = clean(run, shared, new Set());
  cleanGates(cleaned);
  return [...filesOf(cleaned, (name) => places.inName(name))];
}

/** A run whose files are in their canonical form. */
interface Cleaned {
  readonly run: OpenedRun;
  readonly cleaner: RunCleaner;
  readonly files: readonly Listed[];
  readonly texts: Map<Listed, string>;
  readonly nested: ReadonlyMap<string, Cleaned>;
}

type Shared = ConstructorParameters<typeof RunCleaner>[1];

/**
 * Files first: records hold digests of them, those of a nested run in the run around it too.
 *
 * @param around digests of the files that the definitions of the runs around it consist of
 */
function clean(run: OpenedRun, shared: Shared, around: ReadonlySet<string>): Cleaned {
  const cleaner = new RunCleaner(run.runDir, shared);
  const listed = inFileOrder(run.files, run.ordering.steps, (path) => shared.places.inName(path));
  const isAlone = around.size === 0 && run.nested.size === 0;
  const digests = isAlone ? new Map<Listed, string>() : digestsOf(run.runDir, listed);
  // A nested run has its own copy of what stands in the run around it: once is enough.
  const files = listed.filter((file) => !around.has(digests.get(file) ?? ""));
  const texts = new Map<Listed, string>();
  for (const file of files) {
    const isKnown = file.name === ATTEMPT_FILES.record && run.records.has(file.attempt ?? "");
    const text = isKnown || file.kind === "run" ? null : cleaner.textOf(file);
    if (text !== null && !saysNothing(file, text)) texts.set(file, text);
  }
  const known = new Set([...around, ...digests.values()]);
  const nested = [...run.nested].map(([path, each]) => [path, clean(each, shared, known)] as const);
  return { run, cleaner, files, texts, nested: new Map(nested) };
}

function digestsOf(runDir: string, files: readonly Listed[]): Map<Listed, string> {
  const own = files.filter(isDefinition);
  return new Map(own.map((file) => [file, sha256(readFileSync(join(runDir, file.path)))]));
}

/** Then gates, whose digests are of what they show, and inputs, among which may be artifacts. */
function cleanGates({ cleaner, files, texts, nested }: Cleaned): void {
  for (const each of nested.values()) cleanGates(each);
  for (const file of files) {
    if (file.attempt === undefined || file.kind !== "file") continue;
    if (file.name === ATTEMPT_FILES.gate) texts.set(file, cleaner.gateFile(file));
    else if (file.name === ATTEMPT_FILES.inputs) texts.set(file, cleaner.inputsFile(file));
  }
}

/** And the records, which hold the digests of both. */
function* filesOf(cleaned: Cleaned, shownAs: (path: string) => string): Generator<CanonFile> {
  const { run, cleaner, files, texts, nested } = cleaned;
  const journal = ordered(run.lines.filter(isMeant), run.ordering.order)
    .map((line) => `${JSON.stringify(canonicalEvent(line as unknown as JsonObject, cleaner))}\n`)
    .join("");
  yield { path: RUN_FILES.snapshot, text: formatRecord(canonicalRun(run.record, cleaner)) };
  yield { path: RUN_FILES.journal, text: journal };
  for (const file of withRecords(files, run.records)) {
    const inner = nested.get(file.path);
    if (inner) {
      for (const each of filesOf(inner, shownAs)) yield { ...each, path: `${file.path}/${each.path}` };
      continue;
    }
    const ended = file.name === ATTEMPT_FILES.record ? run.records.get(file.attempt ?? "") : undefined;
    const text = ended ? formatRecord(canonicalAttempt(ended, cleaner)) : texts.get(file);
    if (text !== undefined) yield { path: shownAs(file.path), text };
  }
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
      yield {
        path: `${attempt}/${ATTEMPT_FILES.record}`,
        name: ATTEMPT_FILES.record,
        kind: "file",
        attempt,
      };
    }
    last = attempt;
    yield file;
  }
}
