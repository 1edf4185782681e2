import { nameFault, secretVariable, variableName } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { valueFaults } from "../core/json-schema.ts";
import type { InputDeclaration } from "../core/workflow.ts";
import { type MapNode, type Node, toJson } from "./node.ts";
import type { Reader } from "./read.ts";
import { readSchema } from "./schema.ts";
import type { Span } from "./source.ts";

const OWN_KEYS = ["default", "optional", "secret", "description"];

/** `inputs:`, a list of names or a map from names to schemas. */
export function readInputs(node: Node | undefined, reader: Reader): InputDeclaration[] {
  if (!node || (node.kind === "scalar" && node.value === null)) return [];
  if (node.kind === "scalar") {
    reader.wrongType(
      node,
      "`inputs`",
      "a list of names or a map",
      "write `inputs: [name]`, or `inputs: { name: { type: string } }`",
    );
    return [];
  }
  const variables = new Map<string, string>();
  const found: InputDeclaration[] = [];
  if (node.kind === "list") {
    for (const text of reader.texts(node, "`inputs`")) {
      if (checkName(text.value, text, variables, reader)) found.push(plain(text.value));
    }
    return found;
  }
  for (const [name, entry] of node.entries) {
    const isGood = checkName(name, entry, variables, reader);
    const declaration = readInput(name, entry.value, reader);
    if (isGood) found.push(declaration);
  }
  return found;
}

function checkName(name: string, at: Span, variables: Map<string, string>, reader: Reader): boolean {
  const fault = nameFault(name);
  if (fault) {
    reader.problems.add("BAD_ID", at, `the input name "${name}" ${fault}`);
    return false;
  }
  const variable = variableName("WF_INPUT", [name]);
  const other = variables.get(variable);
  if (other === name) reader.problems.add("DUPLICATE_ID", at, `the input "${name}" is declared twice`);
  else if (other !== undefined) {
    reader.problems.add(
      "VARIABLE_CLASH",
      at,
      `the inputs "${other}" and "${name}" would both be the variable ${variable}`,
      "rename one of them",
    );
  }
  variables.set(variable, name);
  return other !== name;
}

function readInput(name: string, node: Node, reader: Reader): InputDeclaration {
  if (node.kind === "scalar" && node.value === null) return plain(name);
  const map = reader.map(node, `the input "${name}"`, "write `{ type: string }`, or `{}` for any value");
  if (!map) return plain(name);
  const get = (key: string) => map.entries.get(key)?.value;
  const description = reader.string(get("description"), `the description of "${name}"`);
  const optional = reader.boolean(get("optional"), `\`optional\` of "${name}"`) ?? false;
  const secret = reader.boolean(get("secret"), `\`secret\` of "${name}"`) ?? false;
  if (secret) checkSecret(name, map, reader);
  const schema = readSchema(map, `the input "${name}"`, OWN_KEYS, reader);
  const given = get("default");
  const value: Json | undefined = given && toJson(given);
  if (schema && given && value !== undefined) {
    for (const { path, message } of valueFaults(schema, value)) {
      reader.problems.add(
        "BAD_VALUE",
        given,
        `the default of "${name}" does not fit: ${[...path, message].join(" ")}`,
      );
    }
  }
  return {
    name,
    ...(description === null ? {} : { description }),
    ...(schema && Object.keys(schema).length > 0 ? { schema } : {}),
    ...(value === undefined ? {} : { default: value }),
    optional,
    secret,
  };
}

function plain(name: string): InputDeclaration {
  return { name, optional: false, secret: false };
}

/** A secret is text, and nothing of it stands in the file. */
function checkSecret(name: string, map: MapNode, reader: Reader): void {
  for (const key of ["default", "enum", "const", "examples"]) {
    const entry = map.entries.get(key);
    const hint = `it comes from ${secretVariable(name)} or \`--secret ${name}=@file\` alone`;
    if (entry) reader.problems.add("BAD_VALUE", entry, `the secret "${name}" can not have \`${key}\``, hint);
  }
  const type = map.entries.get("type")?.value;
  if (type && toJson(type) !== "string") {
    reader.problems.add("BAD_VALUE", type, `the secret "${name}" must be of type string`);
  }
}
