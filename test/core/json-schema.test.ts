import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json, JsonObject } from "../../src/core/json.ts";
import { schemaFaults, valueFaults } from "../../src/core/json-schema.ts";

for (const [schema, value] of [
  [{}, null],
  [{ type: "string" }, ""],
  [{ type: ["integer", "null"] }, null],
  [{ type: "integer" }, 2],
  [{ type: "object", required: ["a"] }, { a: 1 }],
  [{ type: "string", format: "date" }, "2026-11-22"],
] as [JsonObject, Json][]) {
  test(`${JSON.stringify(value)} fits ${JSON.stringify(schema)}`, () => {
    assert.deepEqual(schemaFaults(schema), []);
    assert.deepEqual(valueFaults(schema, value), []);
  });
}

for (const [schema, value, path] of [
  [{ type: "string" }, 1, ""],
  [{ type: "integer" }, 1.5, ""],
  [{ type: ["integer", "null"] }, "1", ""],
  [{ enum: ["a", "b"] }, "c", ""],
  [{ type: "object", properties: { a: { type: "array", items: { minimum: 2 } } } }, { a: [3, 1] }, "a/1"],
  [{ type: "string", format: "date" }, "2026-13-45", ""],
] as [JsonObject, Json, string][]) {
  test(`${JSON.stringify(value)} does not fit ${JSON.stringify(schema)}`, () => {
    assert.deepEqual(
      valueFaults(schema, value).map((fault) => fault.path.join("/")),
      [path],
    );
  });
}

for (const schema of [
  { type: "strin" },
  { patern: "x" },
  { minimum: "1" },
  { $ref: "http://example.com/x" },
  { format: "nope" },
  { type: [] },
] as JsonObject[]) {
  test(`${JSON.stringify(schema)} is no schema`, () => assert.equal(schemaFaults(schema).length, 1));
}
