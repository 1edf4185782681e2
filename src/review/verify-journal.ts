import { isUtf8 } from "node:buffer";
import type { JournalLine } from "../core/event.ts";
import { parseLine } from "../store/journal-line.ts";
import { FORMAT, RUN_FILES } from "../store/layout.ts";
import type { Findings } from "./verify-rules.ts";
import type { RunSchemas } from "./verify-schema.ts";

const PATH = RUN_FILES.journal;
/** Beyond so many the journal is another file, and each further sentence says nothing new. */
const MAX_FINDINGS = 20;

/** A journal, read to its end whatever stands in it. */
export interface JournalReading {
  /** Those that count, up to the first that is wrong. */
  readonly lines: JournalLine[];
  /** Where each of them begins and ends, bytes. */
  readonly begins: readonly number[];
  readonly ends: readonly number[];
  /** Lines after a wrong one that can be read all the same: they are not to be taken for missing. */
  readonly beyond: JournalLine[];
  /** Up to the first that is wrong, those of fenced engines included; bytes. */
  readonly validBytes: number;
  readonly bytes: number;
  /** Nothing but its last append is wrong, and `wf resume` would cut that off. */
  readonly torn: { readonly offset: number; readonly line: number; readonly what: string } | null;
  /** All epochs that wrote a line, with the number of their first. */
  readonly epochs: ReadonlyMap<number, number>;
}

interface Scanned {
  readonly number: number;
  readonly begin: number;
  readonly end: number;
  readonly line: JournalLine | null;
  /** What is wrong with it by itself. */
  readonly what: string | null;
}

/** Reads all lines, and says of each what is wrong with it. */
export function checkJournal(bytes: Buffer, schemas: RunSchemas, findings: Findings): JournalReading {
  const scanned = scan(bytes, schemas);
  const order = new Order(findings);
  const reading = order.read(scanned);
  const first = scanned.find(({ begin }) => begin === reading.validBytes);
  const rest = first === undefined ? [] : scanned.slice(first.number - 1);
  const torn =
    first !== undefined && reading.lines.length > 0 && rest.every(({ what }) => what !== null)
      ? { offset: first.begin, line: first.number, what: first.what as string }
      : null;
  if (torn === null) for (const each of rest) order.tellBad(each);
  if (reading.lines.length === 0 && bytes.length === 0)
    findings.damage("journal-readable", PATH, "it is empty");
  return { ...reading, bytes: bytes.length, torn, epochs: epochsOf(scanned) };
}

function scan(bytes: Buffer, schemas: RunSchemas): Scanned[] {
  const allText = isUtf8(bytes);
  const scanned: Scanned[] = [];
  for (let begin = 0; begin < bytes.length; ) {
    const newline = bytes.indexOf(10, begin);
    const end = newline < 0 ? bytes.length : newline;
    const raw = bytes.subarray(begin, end);
    const text = allText || isUtf8(raw) ? raw.toString("utf8") : undefined;
    const number = scanned.length + 1;
    const { line, what } = newline < 0 ? { line: null, what: "its end is missing" } : judged(text, schemas);
    scanned.push({ number, begin, end: Math.min(end + 1, bytes.length), line, what });
    begin = end + 1;
  }
  return scanned;
}

function judged(
  text: string | undefined,
  schemas: RunSchemas,
): { readonly line: JournalLine | null; readonly what: string | null } {
  const parsed = parseLine(text);
  if (parsed.kind === "bad") return { line: null, what: parsed.what };
  if (parsed.kind === "newer") return { line: null, what: `it needs ${parsed.needs}` };
  const what = schemas.lineFault(parsed.line.event, parsed.line);
  return { line: what === null ? parsed.line : null, what };
}

/** Follows `seq` and the epoch from line to line, and goes on after what is wrong. */
class Order {
  readonly #findings: Findings;
  readonly #lines: JournalLine[] = [];
  readonly #begins: number[] = [];
  readonly #ends: number[] = [];
  readonly #beyond: JournalLine[] = [];
  /** Lines that stand later than they should, and have been told of. */
  readonly #late = new Set<number>();
  #broken = false;
  /** After a line that can not be read nobody knows which is due. */
  #resume = false;
  #validBytes = 0;
  #due = 1;
  #epoch = 0;
  #told = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  read(
    scanned: readonly Scanned[],
  ): Pick<JournalReading, "lines" | "begins" | "ends" | "beyond" | "validBytes"> {
    for (const [index, each] of scanned.entries()) {
      if (each.line === null) {
        this.#broken = true;
        this.#resume = true;
      } else this.#take(each, each.line, scanned.slice(index + 1, index + 4));
      if (!this.#broken) this.#validBytes = each.end;
    }
    return {
      lines: this.#lines,
      begins: this.#begins,
      ends: this.#ends,
      beyond: this.#beyond,
      validBytes: this.#validBytes,
    };
  }

  /** A line that is wrong by itself. */
  tellBad({ number, what }: Scanned): void {
    if (what !== null) this.#tell("journal-line", number, what);
  }

  #take(each: Scanned, line: JournalLine, next: readonly Scanned[]): void {
    const first = this.#lines[0];
    if (this.#resume) this.#due = line.seq;
    this.#resume = false;
    if (first === undefined && !this.#broken && (line.seq !== 1 || line.event !== "run_created")) {
      this.#break("journal-readable", each.number, "the journal does not begin with run_created");
      this.#due = line.seq;
    }
    if (first !== undefined && line.run !== first.run) {
      this.#break("journal-order", each.number, `it belongs to another run, ${JSON.stringify(line.run)}`);
      this.#resume = true;
      return;
    }
    if (line.epoch < this.#epoch) {
      const what = `it is of epoch ${line.epoch}, after a line of epoch ${this.#epoch}: its writer had lost the run`;
      this.#findings.note("journal-fenced", PATH, what, { line: each.number });
      return;
    }
    if (line.epoch > this.#epoch && line.seq > 1 && line.seq < this.#due) this.#dropBackTo(line.seq);
    if (line.seq !== this.#due) this.#outOfOrder(each, line, next);
    else this.#due += 1;
    this.#epoch = Math.max(this.#epoch, line.epoch);
    if (this.#broken) {
      this.#beyond.push(line);
      return;
    }
    this.#lines.push(line);
    this.#begins.push(each.begin);
    this.#ends.push(each.end);
  }

  /** What an engine wrote after its successor had read the journal: nobody may have acted on it. */
  #dropBackTo(seq: number): void {
    const dropped = this.#lines.length - (seq - 1);
    if (this.#broken || dropped <= 0) return;
    for (const list of [this.#lines, this.#begins, this.#ends]) list.length = seq - 1;
    this.#due = seq;
    const what = `${dropped === 1 ? "one line" : `${dropped} lines`} from seq ${seq} on were written by an engine that had lost the run`;
    this.#findings.note("journal-fenced", PATH, what);
  }

  #outOfOrder({ number }: Scanned, line: JournalLine, next: readonly Scanned[]): void {
    const due = this.#due;
    if (this.#late.delete(line.seq)) return;
    if (line.seq < due) {
      this.#break("journal-order", number, `its seq is ${line.seq}, which stands before it already`);
      return;
    }
    const later = next.find((each) => each.line?.seq === due);
    if (later) {
      this.#late.add(due);
      const what = `lines ${number} and ${later.number} stand in the wrong order: seq ${line.seq} comes before ${due}`;
      this.#break("journal-order", number, what);
    } else {
      const missing = line.seq - due;
      const which = missing === 1 ? `seq ${due} is` : `seq ${due} to ${line.seq - 1} are`;
      this.#break("journal-order", number, `its seq is ${line.seq} where ${due} is due: ${which} missing`);
    }
    this.#due = line.seq + 1;
  }

  #break(rule: "journal-readable" | "journal-order", number: number, what: string): void {
    this.#broken = true;
    this.#tell(rule, number, what);
  }

  #tell(rule: "journal-readable" | "journal-order" | "journal-line", line: number, what: string): void {
    this.#told += 1;
    if (this.#told <= MAX_FINDINGS) this.#findings.damage(rule, PATH, what, { line });
  }
}

function epochsOf(scanned: readonly Scanned[]): Map<number, number> {
  const epochs = new Map<number, number>();
  for (const { line, number } of scanned) {
    if (line && !epochs.has(line.epoch)) epochs.set(line.epoch, number);
  }
  return epochs;
}

/** The format that a run says it is of, where that is not this program's; undefined if it says none. */
export function otherFormat(bytes: Buffer): string | undefined {
  const end = bytes.indexOf(10);
  try {
    const { event, format } = JSON.parse(bytes.toString("utf8", 0, end < 0 ? bytes.length : end));
    return event === "run_created" && typeof format === "string" && format !== FORMAT ? format : undefined;
  } catch {
    return undefined;
  }
}
