import type { JournalLine } from "../core/event.ts";
import { isJsonObject, type Json } from "../core/json.ts";
import { gateDigest } from "../steps/approval.ts";
import { isTempName } from "../store/atomic-file.ts";
import { ATTEMPT_FILES, attemptPath, RUN_FILES } from "../store/layout.ts";
import { formatRecord } from "../store/record-text.ts";
import { type DecideRequest, type FoundRequest, listRequests } from "../store/requests.ts";
import type { KnownAttempt } from "./verify-attempts.ts";
import type { Claims } from "./verify-claims.ts";
import type { Files } from "./verify-files.ts";
import type { Findings } from "./verify-rules.ts";
import type { RunSchemas } from "./verify-schema.ts";

type Decided = JournalLine & { readonly event: "decision" };

interface Gate {
  readonly step: string;
  readonly attempt: number;
  readonly shows: readonly { readonly file: string; readonly sha256: string }[];
  readonly message: string;
  readonly digest: string;
  readonly volatile: { readonly nonce: string };
}

/** The gates of a run: what was shown, and what was decided. */
export class Gates {
  readonly files: Files;
  readonly schemas: RunSchemas;
  readonly claims: Claims;
  readonly findings: Findings;
  /** Of the run around it, and its folder there. */
  readonly around: { readonly gates: Gates; readonly folder: string } | null;
  readonly #decided = new Map<string, Decided>();
  readonly #read = new Map<string, Gate | null>();
  readonly #approvals: readonly string[];

  constructor(
    parts: Pick<Gates, "files" | "schemas" | "claims" | "findings" | "around">,
    lines: Iterable<JournalLine>,
    approvals: readonly string[],
  ) {
    this.files = parts.files;
    this.schemas = parts.schemas;
    this.claims = parts.claims;
    this.findings = parts.findings;
    this.around = parts.around;
    this.#approvals = approvals;
    for (const line of lines) {
      if (line.event === "decision") this.#decided.set(attemptPath(line), line);
    }
  }

  decision(folder: string): Decided | undefined {
    return this.#decided.get(folder);
  }

  /** Null if there is none that can be read; what is wrong with it is found by `checkGate`. */
  gate(folder: string): Gate | null {
    const known = this.#read.get(folder);
    if (known !== undefined) return known;
    const gate = this.#parse(folder);
    this.#read.set(folder, gate);
    return gate;
  }

  #parse(folder: string): Gate | null {
    try {
      const value: unknown = JSON.parse(this.files.text(`${folder}/${ATTEMPT_FILES.gate}`) ?? "");
      return isJsonObject(value) && this.schemas.fileFault("gate", value) === null
        ? (value as unknown as Gate)
        : null;
    } catch {
      return null;
    }
  }

  /** The gate, such as `sign_off/1`, that showed a file as it is now; null if none did. */
  shownAs(file: string, sha256: string): string | null {
    for (const step of this.#approvals) {
      for (const { name } of this.files.list(`${RUN_FILES.steps}/${step}`)) {
        const shows = this.gate(`${RUN_FILES.steps}/${step}/${name}`)?.shows ?? [];
        if (shows.some((each) => each.file === file && each.sha256 === sha256))
          return `${step}/${name.replace("attempt-", "")}`;
      }
    }
    return this.around?.gates.shownAs(`${this.around.folder}/${file}`, sha256) ?? null;
  }
}

/** `gate.json` is whole, of its attempt, and what was decided on. */
export function checkGate(gates: Gates, known: KnownAttempt, folder: string, present: boolean): void {
  const { findings, claims, files } = gates;
  const path = `${folder}/${ATTEMPT_FILES.gate}`;
  const { started, ended } = known;
  if (present) {
    const text = files.text(path);
    const fault = text === null ? null : gateFault(gates, known, folder, text);
    if (fault !== null) findings.damage("gate-intact", path, fault);
    return;
  }
  // One that fails before it opens has none; one whose engine died before it opened gets its own from the next.
  if (ended?.record.status === "failed" && !gates.decision(folder)) return;
  const excused = ended === null && claims.diedOrLives(claims.latest) && started !== null;
  findings.unless(excused, "gate-intact", path, "it is missing");
}

function gateFault(gates: Gates, known: KnownAttempt, folder: string, text: string): string | null {
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch {
    return "it is not JSON";
  }
  const fault = gates.schemas.fileFault("gate", value);
  if (fault !== null) return fault;
  const gate = value as unknown as Gate;
  if (gate.step !== known.step || gate.attempt !== known.attempt)
    return `it is the gate of ${gate.step}/${gate.attempt}`;
  const due = gateDigest(gate.message, gate.shows);
  const decided = gates.decision(folder);
  if (gate.digest !== due) return "its digest is not that of its message and of what it shows";
  if (decided && decided.digest !== due)
    return `its digest is not the one that line ${decided.seq} of the journal decided on`;
  return text === formatRecord(gate) ? null : "it is not laid out as wf writes it: it has been changed";
}

/** `control/`: each request that was looked at is still there and as it was; the others wait for an engine. */
export function checkRequests(gates: Gates, lines: readonly JournalLine[]): void {
  const { files, findings } = gates;
  const looked = new Map<string, JournalLine & { readonly event: "request_taken" | "request_refused" }>();
  for (const line of lines) {
    if (line.event === "request_taken" || line.event === "request_refused") looked.set(line.file, line);
  }
  const kind = files.kind(RUN_FILES.control);
  const found = new Map<string, FoundRequest>();
  if (kind === "folder") for (const each of listRequests(files.runDir)) found.set(each.file, each);
  for (const entry of kind === "folder" ? files.list(RUN_FILES.control) : []) {
    const path = `${RUN_FILES.control}/${entry.name}`;
    if (isTempName(entry.name)) findings.note("left-over", path, "a write was cut off here");
    else if (entry.isSymbolicLink()) files.wrongKind(path, "link", "file");
  }
  for (const [file, line] of looked) {
    const request = found.get(file);
    if (!request)
      findings.damage("request-intact", file, `it is missing; line ${line.seq} of the journal looked at it`);
    else if (line.event === "request_taken") checkTaken(gates, line, request, lines);
  }
  for (const request of found.values()) {
    if (looked.has(request.file)) continue;
    if ("ok" in request) {
      findings.note("request-pending", request.file, "no engine has looked at it yet");
    } else {
      const known = !request.refusedBecause.startsWith("its name");
      const what = `no engine has looked at it yet, and the next will refuse it: ${request.refusedBecause}`;
      if (known) findings.note("request-pending", request.file, what);
      else findings.damage("known-names", request.file, "no request has this name", { repair: "quarantine" });
    }
  }
}

type Taken = JournalLine & { readonly event: "request_taken" };

function checkTaken(gates: Gates, taken: Taken, found: FoundRequest, lines: readonly JournalLine[]): void {
  const fault = takenFault(gates, taken, found, lines);
  if (fault !== null) gates.findings.damage("request-intact", found.file, fault, { line: taken.seq });
}

function takenFault(
  gates: Gates,
  taken: Taken,
  found: FoundRequest,
  lines: readonly JournalLine[],
): string | null {
  if (!("ok" in found)) return `an engine has taken it, and now ${found.refusedBecause}`;
  const { ok } = found;
  if (ok.request !== taken.request) return `it asks to ${ok.request}, the journal says ${taken.request}`;
  if (ok.request === "cancel") {
    const because = ok.reason === "" ? "canceled on request" : `canceled: ${ok.reason}`;
    return because === taken.because ? null : `its reason is not the one of line ${taken.seq} of the journal`;
  }
  // The decision is written in the same turn, right after it.
  const decision = lines.find((line) => line.seq > taken.seq && line.event === "decision");
  if (decision?.event !== "decision") return null;
  return decideFault(ok, decision, gates.gate(attemptPath(decision)));
}

function decideFault(ok: DecideRequest, line: Decided, gate: Gate | null): string | null {
  for (const key of ["step", "attempt", "decision", "comment", "digest"] as const) {
    if (ok[key] !== line[key]) return `its ${key} is not the one of line ${line.seq} of the journal`;
  }
  if (ok.by !== line.volatile.by) return `its by is not the one of line ${line.seq} of the journal`;
  return gate === null || ok.nonce === gate.volatile.nonce ? null : "its nonce is not that of the gate";
}
