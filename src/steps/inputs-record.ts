import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type InputsNotes, type InputsRecord, isInputsRecord } from "../core/input-parts.ts";
import { ATTEMPT_FILES } from "../store/layout.ts";
import { formatRecord } from "../store/record-text.ts";
import { withoutPrelude } from "./command.ts";
import type { Inputs } from "./input-key.ts";

/** The text of `inputs.json`. */
export function inputsText({ key, parts }: Inputs, notes: InputsNotes): string {
  const { format, ...rest } = parts;
  const volatile = Object.keys(notes).length > 0 ? { volatile: notes } : {};
  return formatRecord({ format, key, ...rest, ...volatile });
}

/** `inputs.json` of an attempt; null if there is none, or none that can be understood. */
export function readInputs(dir: string): InputsRecord | null {
  try {
    const record: unknown = JSON.parse(readFileSync(join(dir, ATTEMPT_FILES.inputs), "utf8"));
    return isInputsRecord(record) ? record : null;
  } catch {
    return null;
  }
}

/** The script as the definition had it; null if its file is gone. */
export function readScript(dir: string): string | null {
  try {
    return withoutPrelude(readFileSync(join(dir, ATTEMPT_FILES.script), "utf8"));
  } catch {
    return null;
  }
}
