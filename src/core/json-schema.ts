import { createRequire } from "node:module";
import type { Json, JsonObject } from "./json.ts";
import { typeName } from "./json.ts";

/** Loaded only for schemas that say more than a plain `type`: it takes longer than all the rest of a short run. */
const require = createRequire(import.meta.url);

export interface SchemaFault {
  /** Keys and indexes that lead to the place. */
  readonly path: readonly string[];
  readonly message: string;
}

interface AjvError {
  readonly instancePath: string;
  readonly message?: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly keyword: string;
}
interface Validate {
  (value: unknown): boolean;
  errors?: readonly AjvError[] | null;
}
interface Ajv {
  validateSchema(schema: unknown): unknown;
  compile(schema: unknown): Validate;
  errors?: readonly AjvError[] | null;
}

const TYPES = ["null", "boolean", "number", "integer", "string", "array", "object"];
const NOTES = new Set(["title", "description", "examples", "$comment"]);

let ajv: Ajv | undefined;
const compiled = new WeakMap<object, Validate>();

function ajvInstance(): Ajv {
  if (ajv) return ajv;
  const { Ajv2020 } = require("ajv/dist/2020.js") as { Ajv2020: new (options: object) => Ajv };
  const formats = require("ajv-formats") as { default?: (ajv: Ajv) => void } & ((ajv: Ajv) => void);
  ajv = new Ajv2020({
    allErrors: true,
    // `schemaFaults` asks for that itself; a schema that has been looked at is not looked at again.
    validateSchema: false,
    strict: true,
    strictTypes: false,
    strictRequired: false,
    strictTuples: false,
    logger: false,
  });
  (formats.default ?? formats)(ajv);
  return ajv;
}

/** The types of a schema that says nothing else; null if it says more. */
function plainTypes(schema: JsonObject): readonly string[] | null {
  if (!Object.keys(schema).every((key) => key === "type" || NOTES.has(key))) return null;
  const { type } = schema;
  if (type === undefined) return TYPES;
  const types = Array.isArray(type) ? type : [type];
  return types.length > 0 && types.every((each) => TYPES.includes(each as string))
    ? (types as string[])
    : null;
}

/** What is wrong with a schema itself. */
export function schemaFaults(schema: JsonObject): SchemaFault[] {
  if (plainTypes(schema)) return [];
  const instance = ajvInstance();
  if (!instance.validateSchema(schema)) return unique((instance.errors ?? []).map(faultOf));
  try {
    compiled.set(schema, instance.compile(schema));
    return [];
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return [{ path: [], message: message.replace(/^strict mode: /, "").replace(/ at ".*?"$/, "") }];
  }
}

/** Where and why a value is not what a schema, itself without faults, asks for. */
export function valueFaults(schema: JsonObject, value: Json): SchemaFault[] {
  const types = plainTypes(schema);
  if (types) {
    if (types.some((type) => isOfType(value, type))) return [];
    return [{ path: [], message: `must be ${types.join(" or ")}, it is ${typeName(value)}` }];
  }
  const validate = compiled.get(schema) ?? ajvInstance().compile(schema);
  compiled.set(schema, validate);
  return validate(value) ? [] : unique((validate.errors ?? []).map(faultOf));
}

function isOfType(value: Json, type: string): boolean {
  return type === "integer" ? Number.isInteger(value) : typeName(value) === type;
}

function faultOf(error: AjvError): SchemaFault {
  const path = error.instancePath
    .split("/")
    .slice(1)
    .map((part) => part.replace(/~1/g, "/").replace(/~0/g, "~"));
  const { allowedValues, additionalProperty } = error.params;
  let detail = "";
  if (Array.isArray(allowedValues))
    detail = `: ${allowedValues.map((each) => JSON.stringify(each)).join(", ")}`;
  else if (typeof additionalProperty === "string") detail = `: ${additionalProperty}`;
  return { path, message: `${error.message ?? error.keyword}${detail}` };
}

/** The first fault of each place: what follows it says the same in other words. */
function unique(faults: readonly SchemaFault[]): SchemaFault[] {
  const places = new Map<string, SchemaFault>();
  for (const fault of faults) {
    const place = fault.path.join("/");
    if (place === "" || !places.has(place)) places.set(place === "" ? ` ${fault.message}` : place, fault);
  }
  return [...places.values()];
}
