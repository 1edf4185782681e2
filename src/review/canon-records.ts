import { isInputsRecord, partsOf } from "../core/input-parts.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { keyOf } from "../steps/input-key.ts";

/** How the strings of a record get their canonical form. */
export interface Cleaner {
  /** The id of the run, or of one nested in it. */
  runId(id: string): string;
  /** Folders and the run's id. */
  place(text: string): string;
  /** Those, and the workflow's own patterns; for what people and steps wrote. */
  free(text: string): string;
  /** The digest and size that a file has in its canonical form, if they differ from those by this digest. */
  file(sha256: string): { readonly sha256: string; readonly bytes: number } | undefined;
  /** The same for the digest of what a gate shows. */
  gate(digest: string): string;
}

type Map = (value: Json, clean: Cleaner) => Json;
type Members = Readonly<Record<string, Map>>;

/** Each member by its own rule; what no rule names is structure: folders, the id, and digests of files. */
function members(rules: Members): Map {
  return (value, clean) => {
    if (!isJsonObject(value)) return plain(value, clean);
    const out: Record<string, Json> = {};
    for (const [key, member] of Object.entries(value)) {
      set(out, key, (Object.hasOwn(rules, key) ? (rules[key] as Map) : plain)(member, clean));
    }
    return ofFile(out, clean);
  };
}

function each(rule: Map): Map {
  return (value, clean) => {
    if (!isJsonObject(value)) return plain(value, clean);
    const out: Record<string, Json> = {};
    for (const [key, member] of Object.entries(value)) set(out, clean.place(key), rule(member, clean));
    return out;
  };
}

/** `__proto__` is a key as any other. */
function set(out: Record<string, Json>, key: string, value: Json): void {
  if (key === "__proto__") Object.defineProperty(out, key, { value, enumerable: true, writable: true });
  else out[key] = value;
}

const plain: Map = (value, clean) => {
  if (typeof value === "string") return clean.place(value);
  if (Array.isArray(value)) return value.map((item) => plain(item, clean));
  if (isJsonObject(value)) return members({})(value, clean);
  return value;
};

/** A value that a step or a person gave. */
const free: Map = (value, clean) => {
  if (typeof value === "string") return clean.free(value);
  if (typeof value === "number") {
    const text = clean.free(String(value));
    return text === String(value) ? value : text;
  }
  if (Array.isArray(value)) return value.map((item) => free(item, clean));
  return isJsonObject(value) ? each(free)(value, clean) : value;
};

const text: Map = (value, clean) => (typeof value === "string" ? clean.free(value) : plain(value, clean));

/** The members of a list; null where there is none. */
function eachOf(rule: Map, value: Json, clean: Cleaner): Json {
  return Array.isArray(value) ? value.map((item) => rule(item, clean)) : plain(value, clean);
}

const reason = members({ message: text, hint: text });
const failure = members({ message: text, hint: text, details: each(text) });
const output: Map = members({ value: free, list: (value, clean) => eachOf(output, value, clean) });
const outputs = each(output);
const step = members({ error: failure, because: text, outputs });
const ofAttempt = members({ error: failure, outputs, next: members({ because: text }) });
/** What was answered by a fixture means what it means when it was done. */
const attempt: Map = (value, clean) => ofAttempt(without(value, "answeredFrom"), clean);
const because: Map = (value, clean) =>
  (isJsonObject(value) ? members({ message: text }) : text)(value, clean);

const run = members({
  inputs: free,
  reason,
  nextExpectedAction: text,
  steps: each(step),
  outputs: free,
});

const event = members({
  inputs: free,
  // How many steps may run at once changes nothing that a run means; what the file says stands in the file.
  limits: (value, clean) => plain(without(value, "max_parallel"), clean),
  record: attempt,
  reason,
  because,
  comment: text,
  what: text,
  items: free,
  old: free,
  new: free,
  outputs: free,
});

const ARTIFACT = /(?<=^<artifact .* sha256:)[0-9a-f]{64}(?=>$)/;

/** A value that a step is given, with the digest that an artifact in it has in the canonical form. */
const given: Map = (value, clean) => {
  if (typeof value === "string") {
    return clean.free(value.replace(ARTIFACT, (sha256) => clean.file(sha256)?.sha256 ?? sha256));
  }
  if (Array.isArray(value)) return value.map((item) => given(item, clean));
  return isJsonObject(value) ? each(given)(value, clean) : free(value, clean);
};

/** Paths in the project are the same everywhere. */
const same: Map = (value) => value;
const inputs = members({ values: given, env: given, cwd: given, files: same, absent: same });

const gate = members({ message: text, digest: (value, clean) => clean.gate(String(value)) });

/** `run.json`. */
export function canonicalRun(record: JsonObject, clean: Cleaner): JsonObject {
  const { runId: _, ...rest } = without(run(record, clean), "volatile") as JsonObject;
  const { format, ...others } = rest;
  return { ...(format !== undefined && { format }), runId: clean.runId(String(record.runId)), ...others };
}

/** A line of the journal, without its head. */
export function canonicalEvent(line: JsonObject, clean: Cleaner): JsonObject {
  const { seq: _, at: __, epoch: ___, run: ____, volatile: _____, ...rest } = line;
  const clear = event(rest, clean) as JsonObject;
  if (clear.event !== "decision" || typeof clear.digest !== "string") return clear;
  return { ...clear, digest: clean.gate(clear.digest) };
}

/** `attempt.json`. */
export function canonicalAttempt(record: JsonObject, clean: Cleaner): JsonObject {
  return attempt(record, clean) as JsonObject;
}

/** `gate.json`. */
export function canonicalGate(record: JsonObject, clean: Cleaner): JsonObject {
  return without(gate(record, clean), "volatile") as JsonObject;
}

/** `inputs.json`: what its values have become in the canonical form, and the key of that. */
export function canonicalInputs(record: JsonObject, clean: Cleaner): JsonObject {
  const stable = without(record, "volatile");
  const cleaned = inputs(stable, clean);
  if (!isInputsRecord(cleaned) || JSON.stringify(cleaned) === JSON.stringify(stable)) {
    return cleaned as JsonObject;
  }
  const key = keyOf(partsOf(cleaned));
  return { ...(cleaned as unknown as JsonObject), key };
}

/** `agent.json`, and whatever else has a `volatile`. */
export function canonicalRecord(record: JsonObject, clean: Cleaner): JsonObject {
  return without(plain(record, clean), "volatile") as JsonObject;
}

function ofFile(value: Record<string, Json>, clean: Cleaner): Json {
  const known = typeof value.sha256 === "string" ? clean.file(value.sha256) : undefined;
  if (known === undefined) return value;
  return { ...value, ...(value.bytes !== undefined && { bytes: known.bytes }), sha256: known.sha256 };
}

function without(value: Json, key: string): Json {
  if (!isJsonObject(value) || !Object.hasOwn(value, key)) return value;
  const { [key]: _, ...rest } = value;
  return rest;
}
