import { nameFault, variableName } from "../core/ids.ts";
import type { OutputDeclaration, Template } from "../core/workflow.ts";
import type { Names } from "./names.ts";
import type { MapNode, Node } from "./node.ts";
import type { Reader, TextNode } from "./read.ts";
import { readSchema } from "./schema.ts";
import type { Span } from "./source.ts";
import { VIEWS } from "./views.ts";

/** A step's `outputs` and `output_files`, one declaration for each key; and those of `implied` that it leaves out. */
export function readOutputs(
  step: MapNode,
  implied: readonly OutputDeclaration[],
  reader: Reader,
  names: Names,
): readonly OutputDeclaration[] {
  const values = step.entries.get("outputs");
  const files = step.entries.get("output_files");
  if (!values && !files) return implied;
  const found = new Map<string, OutputDeclaration>();
  const places = new Map<string, Span>();
  readDeclared(values?.value, found, places, reader);
  const map = files && reader.map(files.value, "`output_files`", "write `output_files: { plan: plan.md }`");
  const paths = new Map<string, string>();
  for (const [key, entry] of map?.entries ?? []) {
    const text = reader.text(entry.value, `the path of "${key}"`);
    if (!checkKey(key, entry, reader) || !text) continue;
    places.set(key, places.get(key) ?? entry);
    const file = readPath(key, text, paths, reader, names);
    found.set(key, { ...(found.get(key) ?? { key, required: true, parsed: false }), file });
  }
  checkVariables(places, reader);
  for (const each of implied) if (!found.has(each.key)) found.set(each.key, each);
  return [...found.values()];
}

function readDeclared(
  node: Node | undefined,
  found: Map<string, OutputDeclaration>,
  places: Map<string, Span>,
  reader: Reader,
): void {
  if (!node) return;
  const add = (written: string, at: Span): { key: string; required: boolean } | null => {
    const key = written.replace(/\?$/, "");
    if (key.includes("?")) {
      reader.problems.add(
        "BAD_ID",
        at,
        `the output "${written}" has a ? that is not at its end`,
        "a ? at the end makes an output optional",
      );
      return null;
    }
    if (!checkKey(key, at, reader)) return null;
    if (found.has(key)) reader.problems.add("DUPLICATE_ID", at, `the output "${key}" is declared twice`);
    places.set(key, at);
    return { key, required: key === written };
  };
  if (node.kind === "map") {
    for (const [written, entry] of node.entries) {
      const declared = add(written, entry);
      const isEmpty = entry.value.kind === "scalar" && entry.value.value === null;
      const map = isEmpty
        ? null
        : reader.map(
            entry.value,
            `the output "${written}"`,
            "write a JSON Schema, such as `{ type: string }`",
          );
      const schema = map ? readSchema(map, `the output "${written}"`, [], reader) : {};
      if (declared && schema) found.set(declared.key, { ...declared, schema, parsed: true });
    }
  } else if (node.kind === "list") {
    for (const text of reader.texts(node, "`outputs`")) {
      const declared = add(text.value, text);
      if (declared) found.set(declared.key, { ...declared, schema: { type: "string" }, parsed: false });
    }
  } else reader.wrongType(node, "`outputs`", "a list of names or a map", "write `outputs: [summary, plan?]`");
}

function checkKey(key: string, at: Span, reader: Reader): boolean {
  const fault = nameFault(key);
  if (fault) reader.problems.add("BAD_ID", at, `the output name "${key}" ${fault}`);
  return fault === null;
}

function readPath(
  key: string,
  text: TextNode,
  paths: Map<string, string>,
  reader: Reader,
  names: Names,
): Template {
  const fault = pathFault(text.value);
  const normal = text.value.replace(/^(?:\.\/)+/, "");
  const other = paths.get(normal);
  const hint = "paths are relative to the attempt's `outputs/` folder, and stay in it";
  if (fault) reader.problems.add("BAD_OUTPUT_PATH", text, `the path of "${key}" ${fault}`, hint);
  else if (other !== undefined) {
    reader.problems.add(
      "BAD_OUTPUT_PATH",
      text,
      `"${other}" and "${key}" are the same file`,
      "give each output a file of its own",
    );
  }
  paths.set(normal, key);
  return names.template(text, VIEWS.outputPath);
}

function pathFault(path: string): string | null {
  if (path === "") return "is empty";
  if (path.startsWith("/") || /^[A-Za-z]:[\\/]/.test(path)) return "is absolute";
  if (path.startsWith("~")) return "begins with ~, which is not replaced";
  const parts = path.split("/");
  if (parts.includes("..")) return "climbs out of its folder with ..";
  if (parts.includes("", 0) || parts.at(-1) === ".")
    return "does not end with the name of a file, or holds //";
  return path.includes("\0") ? "holds a NUL character" : null;
}

function checkVariables(places: ReadonlyMap<string, Span>, reader: Reader): void {
  const variables = new Map<string, string>();
  for (const [key, at] of places) {
    const variable = variableName("WF_OUTPUT", [key]);
    const other = variables.get(variable);
    if (other !== undefined) {
      const message = `the outputs "${other}" and "${key}" would both be the variable ${variable}`;
      reader.problems.add("VARIABLE_CLASH", at, message, "rename one of them");
    }
    variables.set(variable, key);
  }
}
