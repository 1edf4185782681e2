import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { isJsonObject, type JsonObject } from "../core/json.ts";
import { ATTEMPT_FILES, RUN_FILES } from "../store/layout.ts";
import { formatRecord } from "../store/record-text.ts";
import { binary, cutFile, isText, readSmallText, sha256 } from "./canon-cut.ts";
import type { Listed } from "./canon-list.ts";
import type { Places } from "./canon-places.ts";
import { type Cleaner, canonicalAttempt, canonicalGate, canonicalRecord } from "./canon-records.ts";
import { redactor } from "./canon-redact.ts";
import { settled } from "./canon-text.ts";

/** What the definition consists of: kept to the byte, since its digest is in the records. */
const DEFINITION = new Set<string>([RUN_FILES.definition, RUN_FILES.prompts, "workflows"]);
/** Never cut: what ran and what was asked is to be read whole. */
const WHOLE = new Set<string>([
  ATTEMPT_FILES.script,
  ATTEMPT_FILES.prompt,
  ATTEMPT_FILES.context,
  ATTEMPT_FILES.stdin,
]);
const LOGS = new Set<string>([ATTEMPT_FILES.stdout, ATTEMPT_FILES.stderr]);
const DIGEST = /^[0-9a-f]{64}$/;

/** Puts one run's files and records into their canonical form, and knows which digests that changed. */
export class RunCleaner implements Cleaner {
  readonly #runDir: string;
  readonly #places: Places;
  readonly #redact: (text: string) => string;
  readonly #files = new Map<string, { readonly sha256: string; readonly bytes: number }>();
  readonly #gates = new Map<string, string>();

  constructor(runDir: string, places: Places, redact: readonly string[]) {
    this.#runDir = runDir;
    this.#places = places;
    this.#redact = redactor(redact);
  }

  place(text: string): string {
    return this.#places.in(text);
  }

  free(text: string): string {
    return DIGEST.test(text) ? text : this.#redact(this.#places.inFree(text));
  }

  file(digest: string): { readonly sha256: string; readonly bytes: number } | undefined {
    return this.#files.get(digest);
  }

  gate(digest: string): string {
    return this.#gates.get(digest) ?? digest;
  }

  /** The canonical text of a file that is no record with digests in it; null for one that is. */
  textOf({ path, kind, attempt, name }: Listed): string | null {
    const full = join(this.#runDir, path);
    if (kind === "link") return `<link> ${this.free(readlinkSync(full))}\n`;
    if (kind === "other") return "<no file>\n";
    if (attempt === undefined) {
      if (DEFINITION.has(name.split("/", 1)[0] as string)) return verbatim(full);
    } else if (name === ATTEMPT_FILES.gate) return null;
    else if (name === ATTEMPT_FILES.agent) return this.#record(full, canonicalRecord);
    else if (name === ATTEMPT_FILES.record) return this.#record(full, canonicalAttempt);
    else if (WHOLE.has(name)) return this.free(readSmallText(full));
    return this.#cut(full, attempt !== undefined && LOGS.has(name));
  }

  /** After all other files. */
  gateFile({ path }: Listed): string {
    return this.#record(join(this.#runDir, path), (record, clean) => {
      const { message, shows, digest } = canonicalGate(record, clean);
      // A gate shows artifacts by their digests, and its own is of the message and those.
      if (typeof digest === "string" && digest === digestOf(record.message, record.shows)) {
        this.#gates.set(digest, digestOf(message, shows));
      }
      return canonicalGate(record, clean);
    });
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
    if (changed) this.#files.set(changed.from, changed.to);
    return text;
  }
}

function digestOf(message: unknown, shows: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify([message, shows]))
    .digest("hex");
}

function verbatim(path: string): string {
  const bytes = readFileSync(path);
  return isText(bytes) ? bytes.toString("utf8") : binary(bytes.length, sha256(bytes));
}
