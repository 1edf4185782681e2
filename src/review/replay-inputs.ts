import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import type { Workflow } from "../core/workflow.ts";
import type { Findings } from "./replay-difference.ts";
import type { Recorded } from "./replay-record.ts";
import { newFault, shownSchema } from "./replay-schema.ts";

/** The recorded inputs, and the defaults of those that have been declared since. */
export function presentInputs(
  { created }: Recorded,
  { before, present: { inputs } }: { readonly before: Workflow; readonly present: Workflow },
  findings: Findings,
): JsonObject {
  const given = created.inputs;
  const names = inputs.map(({ name }) => name);
  const differ = (message: string, expected: string, actual: string) => {
    const place = findings.blame.workflow("inputs");
    findings.differ({ kind: "inputs", message, expected, actual, place });
  };
  const of = findings.within.name === "" ? "" : ` of ${findings.within.name}`;
  for (const name of Object.keys(given)) {
    if (names.includes(name)) continue;
    differ(`the input ${name}${of} is not declared any more`, name, names.join(", ") || "no inputs");
  }
  const present: Record<string, Json> = {};
  for (const { name, secret, optional, default: byDefault, schema } of inputs) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if ((value ?? null) !== null && isSecret(value) !== secret) {
      const word = (is: boolean) => (is ? "a secret" : "no secret");
      differ(`the input ${name}${of} is ${word(secret)} now`, word(!secret), word(secret));
    }
    if (value === undefined && byDefault === undefined && !optional) {
      const expected = Object.keys(given).join(", ") || "none";
      differ(`the record has no value for the input ${name}${of}`, expected, name);
    }
    const was = before.inputs.find((each) => each.name === name)?.schema;
    const fault = (value ?? null) === null || secret ? null : newFault(value as Json, was, schema);
    if (fault !== null) {
      differ(`the input ${name}${of} would be refused: it ${fault}`, shownSchema(was), shownSchema(schema));
    }
    present[name] = value ?? byDefault ?? null;
  }
  return present;
}

/** What stands for a secret in a record. */
export function isSecret(value: Json | undefined): boolean {
  return isJsonObject(value ?? null) && Object.hasOwn(value as JsonObject, "$secret");
}
