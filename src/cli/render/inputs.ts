import { isJsonObject, type Json, type JsonObject, typeName } from "../../core/json.ts";
import { oneLine } from "./text.ts";

const MAX_VALUE = 200;

/** name → type; of a secret there is nothing but its name. */
export function inputShape(inputs: JsonObject): Record<string, string> {
  return Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, shapeOf(value)]));
}

/** `version (string), dry_run (boolean)`, or a line each with values. */
export function inputLines(inputs: JsonObject, withValues: boolean): string[] {
  const entries = Object.entries(inputs);
  if (entries.length === 0) return ["none"];
  if (!withValues) return [entries.map(([name, value]) => `${name} (${shapeOf(value)})`).join(", ")];
  return entries.map(
    ([name, value]) => `${name} (${shapeOf(value)})${isSecret(value) ? "" : ` = ${shortValue(value)}`}`,
  );
}

/** Values of those that are not secret. */
export function openInputs(inputs: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(inputs).filter(([, value]) => !isSecret(value)));
}

export function shortValue(value: Json): string {
  const text = oneLine(JSON.stringify(value));
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}… (${text.length} characters)` : text;
}

function shapeOf(value: Json): string {
  return isSecret(value) ? "secret" : typeName(value);
}

function isSecret(value: Json): boolean {
  return isJsonObject(value) && typeof value.$secret === "string";
}
