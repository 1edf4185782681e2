import type { JournalLine } from "../core/event.ts";
import { INPUTS_FORMAT } from "../core/input-parts.ts";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import { parseLine } from "../store/journal-line.ts";
import { RUN_FILES } from "../store/layout.ts";
import { formatRecord } from "../store/record-text.ts";
import { isText } from "./canon-cut.ts";
import { HEADER } from "./canon-form.ts";
import { isMeant, ordered } from "./canon-order.ts";
import { ancestorsOf, MADE_ID, NESTED, Places } from "./canon-places.ts";
import {
  type Cleaner,
  canonicalAttempt,
  canonicalEvent,
  canonicalGate,
  canonicalInputs,
  canonicalRecord,
  canonicalRun,
} from "./canon-records.ts";
import { settled } from "./canon-text.ts";

const FORM_START = `${HEADER}${RUN_FILES.snapshot}\n`;
const OF_NESTED = new RegExp(`^(${MADE_ID})${NESTED}+$`);

/**
 * The canonical text of one file of a run, from its bytes alone: nothing beside it is known, as when git shows two
 * versions of it. So digests stay, no `redact` applies, and steps that ran at the same time stand by their names.
 * A file that is none of a run is given back as it is, and so is the text of a whole canonical form. Raises nothing.
 */
export function canonicalFile(bytes: Uint8Array): Uint8Array | string {
  if (!isText(bytes)) return bytes;
  const text = Buffer.from(bytes).toString("utf8");
  if (text.startsWith(FORM_START)) return bytes;
  if (!text.startsWith("{")) return cleanerFor(null, []).free(settled(text));
  const record = parse(text);
  if (record !== null) return recordText(record) ?? text;
  return journalText(text) ?? text;
}

function recordText(record: JsonObject): string | null {
  const { volatile } = record;
  const project = isJsonObject(volatile) && typeof volatile.project === "string" ? [volatile.project] : [];
  if (typeof record.format === "string" && typeof record.runId === "string") {
    return formatRecord(canonicalRun(record, cleanerFor(record.runId, project)));
  }
  const clean = cleanerFor(null, []);
  // What stands in lock/ and control/ is no part of the canonical form.
  if (typeof record.nonce === "string" && typeof record.epoch === "number") return "";
  if (typeof record.request === "string" && typeof record.by === "string") return "";
  if (typeof record.digest === "string" && Array.isArray(record.shows)) {
    return formatRecord(canonicalGate(record, clean));
  }
  if (record.format === INPUTS_FORMAT) return formatRecord(canonicalInputs(record, clean));
  if (typeof record.provider === "string" && isJsonObject(volatile)) {
    return formatRecord(canonicalRecord(record, clean));
  }
  const isAttempt = typeof record.step === "string" && typeof record.cause === "string";
  return isAttempt ? formatRecord(canonicalAttempt(record, clean)) : null;
}

/** Null if it is no journal. */
function journalText(text: string): string | null {
  const lines: JournalLine[] = [];
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const parsed = parseLine(line);
    if (parsed.kind !== "line") return null;
    lines.push(parsed.line);
  }
  const projects = lines.flatMap((line) =>
    line.event === "run_created" || line.event === "engine_started" ? [line.volatile.project] : [],
  );
  const clean = cleanerFor(lines[0]?.run ?? null, [...new Set(projects)], ancestorsOf(lines));
  return inOrder(lines.filter(isMeant))
    .map((line) => `${JSON.stringify(canonicalEvent(line as unknown as JsonObject, clean))}\n`)
    .join("");
}

function inOrder(lines: readonly JournalLine[]): JournalLine[] {
  if (lines.some(({ event }) => event === "transition")) {
    return ordered(lines, { shape: "sequence", rank: new Map() });
  }
  const names = lines.flatMap((line) =>
    line.event === "attempt_ended" ? [line.record.step] : "step" in line && line.step ? [line.step] : [],
  );
  const rank = new Map([...new Set(names)].sort().map((name, index) => [name, index]));
  return ordered(lines, { shape: "graph", rank });
}

function cleanerFor(
  runId: string | null,
  project: readonly string[],
  ancestors: readonly string[] = [],
): Cleaner & { free(text: string): string } {
  const places = new Places({
    runId: runId && outermostId(runId),
    ancestors,
    run: [],
    project,
    home: [],
    tmp: [],
    definition: "",
  });
  const place = (text: string) => places.in(text);
  return {
    runId: (id) => places.runId(id),
    place,
    free: place,
    file: () => undefined,
    gate: (digest) => digest,
  };
}

/** Of a nested run's id; one that was chosen may have any form, and is left whole. */
function outermostId(runId: string): string {
  return OF_NESTED.exec(runId)?.[1] ?? runId;
}

function parse(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : null;
  } catch {
    return null;
  }
}
