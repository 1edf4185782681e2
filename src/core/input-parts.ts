import { isJsonObject, type Json } from "./json.ts";
import type { StepCommon } from "./workflow.ts";

/**
 * All that an attempt of a command depends on, as far as it is declared; its key is the digest of the canonical text of
 * this. No times, no absolute paths, no attempts and nothing of the environment of the engine.
 */
export interface InputParts {
  readonly format: typeof INPUTS_FORMAT;
  readonly type: "command";
  readonly shell: readonly string[];
  /** SHA-256 of the script's text, with references to variables where templates stood. */
  readonly script: string;
  /** By path, such as `inputs.version`. */
  readonly values: Readonly<Record<string, PartValue>>;
  /** The workflow's `env` and the step's, rendered. */
  readonly env: Readonly<Record<string, PartValue>>;
  readonly workspace: StepCommon["workspaceMode"];
  readonly cwd?: PartValue;
  /** What the step declares to leave behind. */
  readonly outputs: PartValue;
  /** The step ends in a decision. */
  readonly decides?: true;
  /** SHA-256 of each input file's content, followed by ` x` if it is executable; by path in the project. */
  readonly files: Readonly<Record<string, string>>;
  /** Files that must not be there. */
  readonly absent: readonly string[];
}

/** Another one makes other keys of the same inputs. */
export const INPUTS_FORMAT = "wf.inputs/1";

/** A value, or, if it is large, its digest; `bytes` and SHA-256 are of its JSON text. */
export type PartValue = { readonly value: Json } | { readonly bytes: number; readonly sha256: string };

/** Where an attempt is. */
export interface AttemptPlace {
  readonly run: string;
  /** Relative to the run: `steps/build/attempt-1`. */
  readonly path: string;
}

/** Where an attempt was taken from; `ran`: where its command ran, if that one was taken over itself. */
export interface ReusedFrom extends AttemptPlace {
  readonly ran?: AttemptPlace;
}

/** The run that another one takes attempts from; `dir`: its folder, from the other's own, or absolute. */
export interface ReuseSource {
  readonly run: string;
  readonly dir: string;
}

/** `inputs.json`. */
export interface InputsRecord extends InputParts {
  /** SHA-256 of the canonical text of the parts. */
  readonly key: string;
  readonly volatile?: InputsNotes;
}

export interface InputsNotes {
  readonly reusedFrom?: ReusedFrom;
  /** The earlier attempt that might have been taken over, and was not. */
  readonly comparedWith?: AttemptPlace;
  /** Why not; sentences. */
  readonly changed?: readonly string[];
  /** Inputs that changed while the command ran: nobody can say what it saw. Sentences. */
  readonly changedMeanwhile?: readonly string[];
}

/** The same for the same parts, in whatever order their members stand. */
export function canonicalText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const members = value as Readonly<Record<string, unknown>>;
  const text = Object.keys(members)
    .filter((name) => members[name] !== undefined)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalText(members[name])}`);
  return `{${text.join(",")}}`;
}

/** The parts alone, of which the key is the digest. */
export function partsOf({ key: _, volatile: __, ...parts }: InputsRecord): InputParts {
  return parts;
}

/** Enough that nobody trips over it; that its key is right is for `wf verify` to say. */
export function isInputsRecord(value: unknown): value is InputsRecord {
  if (!isJsonObject(value)) return false;
  const { format, key, script, shell, values, env, outputs, files, absent, volatile } = value;
  return (
    format === INPUTS_FORMAT &&
    typeof key === "string" &&
    typeof script === "string" &&
    Array.isArray(shell) &&
    [values, env].every((map) => isJsonObject(map) && Object.values(map).every(isPartValue)) &&
    isPartValue(outputs) &&
    isJsonObject(files) &&
    Object.values(files).every((digest) => typeof digest === "string") &&
    Array.isArray(absent) &&
    (volatile === undefined || isJsonObject(volatile))
  );
}

function isPartValue(value: unknown): value is PartValue {
  return isJsonObject(value) && ("value" in value || typeof value.sha256 === "string");
}
