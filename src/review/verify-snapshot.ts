import { isJsonObject, type Json } from "../core/json.ts";
import type { RunRecord } from "../core/record.ts";
import { RUN_FILES } from "../store/layout.ts";
import { formatRecord } from "../store/record-text.ts";
import type { Files } from "./verify-files.ts";
import type { JournalReading } from "./verify-journal.ts";
import type { Findings } from "./verify-rules.ts";
import type { RunSchemas } from "./verify-schema.ts";

const PATH = RUN_FILES.snapshot;
const MAX_DIFFERENCES = 10;

/** `run.json` as it was before the journal was read. */
export interface SnapshotText {
  readonly text: string;
  readonly record: RunRecord;
}

/** Null if it can not be compared with anything, which is found. */
export function checkSnapshotText(
  files: Files,
  schemas: RunSchemas,
  findings: Findings,
): SnapshotText | null {
  const bad = (message: string) => {
    findings.damage("snapshot-intact", PATH, message, { repair: "rebuild" });
    return null;
  };
  const kind = files.kind(PATH);
  if (kind === null) return bad("it is missing");
  if (kind !== "file") {
    files.wrongKind(PATH, kind, "file");
    return null;
  }
  const text = files.text(PATH);
  if (text === null) return null;
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch {
    return bad("it is not JSON");
  }
  if (!isJsonObject(value)) return bad("it is not a JSON object");
  const fault = schemas.fileFault("run", value);
  return fault === null ? { text, record: value as unknown as RunRecord } : bad(fault);
}

/**
 * Compares it with the fold of the journal up to the line that it names.
 *
 * @param trusted nothing is wrong with the journal
 * @param asOf what that fold says; null if it can not be told
 * @param clean the last engine came to a clean end: what it wrote last, it wrote whole
 */
export function checkSnapshot(
  { text, record }: SnapshotText,
  journal: JournalReading,
  {
    trusted,
    asOf,
    clean,
  }: { readonly trusted: boolean; readonly asOf: RunRecord | null; readonly clean: boolean },
  findings: Findings,
): void {
  const { seq, journalBytes } = record.volatile;
  const { lines, begins, ends, validBytes } = journal;
  if (seq > lines.length || journalBytes > validBytes) {
    // A journal that is broken before that line has been told of, and says more.
    if (journal.torn === null && validBytes < journal.bytes) return;
    findings.damage(
      "snapshot-ahead",
      PATH,
      `it knows ${seq} lines in ${journalBytes} bytes, the journal holds ${lines.length} in ${validBytes}`,
    );
    return;
  }
  if (!trusted) return;
  const from = ends[seq - 1] ?? 0;
  const to = begins[seq] ?? validBytes;
  if (journalBytes < from || journalBytes > to) {
    const due = from === to ? `${from}` : `${from} to ${to}`;
    const message = `its volatile.journalBytes is ${journalBytes} where line ${seq} of the journal ends at ${due}`;
    findings.damage("snapshot-intact", PATH, message, { repair: "rebuild" });
  }
  if (asOf === null) return;
  const different = differences(record as unknown as Json, asOf as unknown as Json);
  for (const each of different.slice(0, MAX_DIFFERENCES))
    findings.damage("snapshot-intact", PATH, each, { repair: "rebuild" });
  if (different.length > MAX_DIFFERENCES) {
    const message = `and ${different.length - MAX_DIFFERENCES} more differences from the journal`;
    findings.damage("snapshot-intact", PATH, message, { repair: "rebuild" });
  }
  if (different.length === 0 && text !== formatRecord(asOf))
    findings.damage("snapshot-intact", PATH, CHANGED, { repair: "rebuild" });
  const lacks = lines.length - seq;
  if (lacks > 0 && clean)
    findings.note("snapshot-behind", PATH, `it holds ${seq} of ${lines.length} lines of the journal`, {
      repair: "rebuild",
      todo: "nothing: readers take the rest from the journal, and the next engine writes it",
    });
}

/** Where two documents differ, a sentence for each place. */
export function differences(found: Json | undefined, due: Json | undefined, at = ""): string[] {
  if (Object.is(found, due)) return [];
  if (isJsonObject(found) && isJsonObject(due)) {
    const keys = new Set([...Object.keys(due), ...Object.keys(found)]);
    return [...keys].flatMap((key) => differences(found[key], due[key], at === "" ? key : `${at}.${key}`));
  }
  if (Array.isArray(found) && Array.isArray(due) && found.length === due.length) {
    return found.flatMap((member, index) => differences(member, due[index], `${at}[${index}]`));
  }
  const where = at === "" ? "it" : `its ${at}`;
  if (found === undefined) return [`${where} is missing, the journal says ${short(due)}`];
  if (due === undefined) return [`${where} is ${short(found)}, the journal says nothing of it`];
  return [`${where} is ${short(found)}, the journal says ${short(due)}`];
}

function short(value: Json | undefined): string {
  const text = JSON.stringify(value ?? null);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/** A record that says what it should, and not in the layout that makes a difference of lines one of fields. */
export const CHANGED = "it is not laid out as wf writes it: it has been changed";

/** Undefined if it is no JSON. */
export function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
