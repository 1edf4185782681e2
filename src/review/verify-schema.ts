import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { type SchemaFault, valueFaults } from "../core/json-schema.ts";
import { packageRoot } from "../system/package-root.ts";

const ATTEMPT = "attempt.schema.json";

/** The schemas of the files in a run, each made to stand for itself: they refer to `attempt.schema.json`, whose names go first. */
export class RunSchemas {
  readonly #shared: JsonObject;
  readonly #events = new Map<string, JsonObject>();
  readonly #whole = new Map<string, JsonObject>();

  constructor() {
    const { $defs, ...attempt } = load("attempt");
    this.#shared = { ...($defs as JsonObject), attemptRecord: withoutId(attempt) };
    for (const branch of (load("event").oneOf ?? []) as readonly JsonObject[]) {
      const event = (branch.properties as JsonObject).event as JsonObject;
      for (const name of (event.enum ?? [event.const]) as readonly string[]) {
        this.#events.set(name, this.#standing(branch));
      }
    }
  }

  /** What is wrong with a line of the journal, in a sentence; null if nothing is. */
  lineFault(event: string, line: object): string | null {
    const schema = this.#events.get(event);
    return schema === undefined ? `the event ${event} is not known` : sentence(schema, line);
  }

  /** The same for a file that holds one JSON document. */
  fileFault(name: "run" | "gate" | "agent" | "inputs", value: Json): string | null {
    const schema = this.#whole.get(name) ?? this.#standing(withoutId(load(name)));
    this.#whole.set(name, schema);
    return sentence(schema, value as object);
  }

  #standing(schema: JsonObject): JsonObject {
    const own = isJsonObject(schema.$defs) ? schema.$defs : {};
    return redirected({ ...schema, $defs: { ...own, ...this.#shared } }) as JsonObject;
  }
}

let known: RunSchemas | undefined;

/** Read and compiled once: they are the program's own. */
export function runSchemas(): RunSchemas {
  known ??= new RunSchemas();
  return known;
}

function load(name: string): JsonObject {
  return JSON.parse(readFileSync(join(packageRoot(), "schemas", `${name}.schema.json`), "utf8"));
}

function withoutId({ $id: _, $schema: __, ...rest }: JsonObject): JsonObject {
  return rest;
}

function redirected(value: Json): Json {
  if (Array.isArray(value)) return value.map(redirected);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => {
      if (key !== "$ref" || typeof member !== "string") return [key, redirected(member)];
      if (member === ATTEMPT) return [key, "#/$defs/attemptRecord"];
      return [key, member.startsWith(ATTEMPT) ? member.slice(ATTEMPT.length) : member];
    }),
  );
}

function sentence(schema: JsonObject, value: object): string | null {
  const [fault] = valueFaults(schema, value as Json);
  return fault === undefined ? null : faultText(fault);
}

function faultText({ path, message }: SchemaFault): string {
  return path.length === 0 ? `it ${message}` : `its ${path.join(".")} ${message}`;
}
