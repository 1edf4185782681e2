import type { JsonObject } from "../core/json.ts";
import { isJsonObject } from "../core/json.ts";
import { schemaFaults } from "../core/json-schema.ts";
import { type MapNode, type Node, nodeAt, toJson } from "./node.ts";
import type { Reader } from "./read.ts";
import { patternFault } from "./regex.ts";
import type { Span } from "./source.ts";

const SCHEMA_MAPS = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
const VALUES = ["enum", "const", "default", "examples"];

/** Reads a JSON Schema, without the keys in `leave`; null if it has faults, which are reported where they stand. */
export function readSchema(
  node: MapNode,
  what: string,
  leave: readonly string[],
  reader: Reader,
): JsonObject | null {
  const entries = new Map([...node.entries].filter(([key]) => !leave.includes(key)));
  const schema = toJson({ ...node, entries });
  if (!isJsonObject(schema) || checkPatterns(node, reader)) return null;
  const faults = schemaFaults(schema);
  for (const { path, message } of faults) {
    const at =
      path.length === 0 && node.entries.size > 0 ? unknownKeyword(node, message) : nodeAt(node, path);
    reader.problems.add("BAD_SCHEMA", at, `${what} is not a JSON Schema: ${[...path, message].join(" ")}`);
  }
  return faults.length > 0 ? null : schema;
}

/** The types that a schema allows; null if it does not say. */
export function typesOf(schema: JsonObject | undefined): readonly string[] | null {
  const type = schema?.type;
  if (typeof type === "string") return [type];
  return Array.isArray(type) ? type.filter((each) => typeof each === "string") : null;
}

function unknownKeyword(node: MapNode, message: string): Span {
  const keyword = /^unknown keyword: "(.*)"$/.exec(message)?.[1];
  return (keyword === undefined ? undefined : node.entries.get(keyword)) ?? node;
}

/** Reports regular expressions that are not valid or could run for ever; true if there are any. */
function checkPatterns(node: Node, reader: Reader): boolean {
  if (node.kind === "list") return node.items.map((item) => checkPatterns(item, reader)).includes(true);
  if (node.kind !== "map") return false;
  let found = false;
  for (const [key, { value }] of node.entries) {
    if (key === "pattern" && value.kind === "scalar" && typeof value.value === "string") {
      found = checkPattern(value.value, value, reader) || found;
    } else if (SCHEMA_MAPS.includes(key) && value.kind === "map") {
      for (const [name, entry] of value.entries) {
        if (key === "patternProperties") found = checkPattern(name, entry, reader) || found;
        found = checkPatterns(entry.value, reader) || found;
      }
    } else if (!VALUES.includes(key)) found = checkPatterns(value, reader) || found;
  }
  return found;
}

/** Reports a regular expression that is not valid or could run for ever; true if it did. */
export function checkPattern(pattern: string, at: Span, reader: Reader): boolean {
  const fault = patternFault(pattern);
  if (fault) reader.problems.add("BAD_PATTERN", at, `"${pattern}" ${fault.message}`, fault.hint);
  return fault !== null;
}
