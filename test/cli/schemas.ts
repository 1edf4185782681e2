import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import { ROOT } from "./rig.ts";

/** Fails unless the output is what `schemas/cli/<name>.schema.json` says it is. */
export function checkOutput(name: string, output: unknown): void {
  const schema = JSON.parse(readFileSync(join(ROOT, `schemas/cli/${name}.schema.json`), "utf8"));
  const ajv = new Ajv({ allErrors: true, strict: true, strictRequired: false, allowUnionTypes: true });
  if (ajv.validate(schema, output)) return;
  throw new Error(
    `not as schemas/cli/${name}.schema.json says: ${ajv.errorsText()}\n${JSON.stringify(output, null, 2)}`,
  );
}
