import { isDeepStrictEqual } from "node:util";
import type { Json, JsonObject } from "../core/json.ts";
import { checkSchema } from "../steps/artifact.ts";

type Schema = JsonObject | undefined;

/**
 * What a schema has against a recorded value that the one before took; null: nothing. A value that neither takes is in
 * its canonical form another one than the step gave.
 */
export function newFault(value: Json, before: Schema, present: Schema): string | null {
  if (isDeepStrictEqual(before, present)) return null;
  const now = checkSchema(present, value);
  if (!("problem" in now) || "problem" in checkSchema(before, value)) return null;
  return now.problem;
}

export function shownSchema(schema: Schema): string {
  return schema === undefined ? "any value" : JSON.stringify(schema);
}
