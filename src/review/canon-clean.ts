import { readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import { gateDigest } from "../steps/approval.ts";
import { ATTEMPT_FILES, LOG_FILES, RUN_FILES } from "../store/layout.ts";
import { formatRecord } from "../store/record-text.ts";
import { binary, cutFile, isText, readSmallText, sha256 } from "./canon-cut.ts";
import type { Listed } from "./canon-list.ts";
import type { Places } from "./canon-places.ts";
import {
  type Cleaner,
  canonicalAttempt,
  canonicalGate,
  canonicalInputs,
  canonicalRecord,
} from "./canon-records.ts";
import { settled } from "./canon-text.ts";

/** What the definition consists of: kept to the byte, since its digest is in the records. */
const DEFINITION = new Set<string>([
  RUN_FILES.definition,
  RUN_FILES.prompts,
  RUN_FILES.workflows,
  RUN_FILES.definitions,
]);
/** Never cut: what ran and what was asked is to be read whole. */
const WHOLE = new Set<string>([
  ATTEMPT_FILES.script,
  ATTEMPT_FILES.prompt,
  ATTEMPT_FILES.context,
  ATTEMPT_FILES.stdin,
]);
const DIGEST = /^[0-9a-f]{64}$/;

/** Digests that are others in the canonical form; of a run and those nested in it, which name each other's files. */
export class Digests {
  readonly files = new Map<string, { readonly sha256: string; readonly bytes: number }>();
  readonly gates = new Map<string, string>();
}

/** Puts one run's files and records into their canonical form. */
export class RunCleaner implements Cleaner {
  readonly #runDir: string;
  readonly #places: Places;
  readonly #redact: (text: string) => string;
  readonly #digests: Digests;

  constructor(
    runDir: string,
    shared: { places: Places; redact: (text: string) => string; digests: Digests },
  ) {
    this.#runDir = runDir;
    this.#places = shared.places;
    this.#redact = shared.redact;
    this.#digests = shared.digests;
  }

  runId(id: string): string {
    return this.#places.runId(id);
  }

  place(text: string): string {
    return this.#places.in(text);
  }

  free(text: string): string {
    return DIGEST.test(text) ? text : this.#redact(this.#places.inFree(text));
  }

  file(digest: string): { readonly sha256: string; readonly bytes: number } | undefined {
    return this.#digests.files.get(digest);
  }

  gate(digest: string): string {
    return this.#digests.gates.get(digest) ?? digest;
  }

  /** The canonical text of a file that is no record with digests in it; null for one that is. */
  textOf(file: Listed): string | null {
    const { path, kind, attempt, name } = file;
    const full = join(this.#runDir, path);
    if (kind === "link") return `<link> ${this.free(readlinkSync(full))}\n`;
    if (kind !== "file") return "<no file>\n";
    if (isDefinition(file)) return verbatim(full);
    if (attempt === undefined) return this.#cut(full, false);
    if (name === ATTEMPT_FILES.gate || name === ATTEMPT_FILES.inputs) return null;
    if (name === ATTEMPT_FILES.agent) return this.#record(full, canonicalRecord);
    if (name === ATTEMPT_FILES.record) return this.#record(full, canonicalAttempt);
    if (WHOLE.has(name)) return this.free(readSmallText(full));
    return this.#cut(full, LOG_FILES.has(name));
  }

  /** After all other files. */
  gateFile({ path }: Listed): string {
    return this.#record(join(this.#runDir, path), (record, clean) => {
      const { message, shows, digest } = canonicalGate(record, clean);
      // A gate shows artifacts by their digests, and its own is of the message and those.
      if (typeof digest === "string" && digest === gateDigest(record.message, record.shows)) {
        this.#digests.gates.set(digest, gateDigest(message, shows));
      }
      return canonicalGate(record, clean);
    });
  }

  /** The same. */
  inputsFile({ path }: Listed): string {
    return this.#record(join(this.#runDir, path), canonicalInputs);
  }

  #record(path: string, canonical: (record: JsonObject, clean: Cleaner) => JsonObject): string {
    const text = readFileSync(path, "utf8");
    let record: unknown;
    try {
      record = JSON.parse(text);
    } catch {
      return this.free(text);
    }
    return isJsonObject(record) ? formatRecord(canonical(record, this)) : this.free(text);
  }

  #cut(path: string, isLog: boolean): string {
    const clean = isLog ? (text: string) => this.free(settled(text)) : (text: string) => this.free(text);
    const { text, changed } = cutFile(path, clean, isLog);
    if (changed) this.#digests.files.set(changed.from, changed.to);
    return text;
  }
}

export function isDefinition({ kind, attempt, name }: Listed): boolean {
  return kind === "file" && attempt === undefined && DEFINITION.has(name.split("/", 1)[0] as string);
}

function verbatim(path: string): string {
  const bytes = readFileSync(path);
  return isText(bytes) ? bytes.toString("utf8") : binary(bytes.length, sha256(bytes));
}
