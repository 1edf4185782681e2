import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { parse } from "yaml";
import { loadWorkflow } from "../../src/language/load.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const schema = JSON.parse(readFileSync(`${root}schemas/workflow.schema.json`, "utf8"));
const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allowUnionTypes: true });
(addFormats as unknown as (instance: typeof ajv) => void)(ajv);
const validate = ajv.compile(schema);

for (const name of readdirSync(`${root}fixtures/workflows/good`)) {
  test(`the schema accepts good/${name}`, () => {
    assert.ok(
      validate(parse(readFileSync(`${root}fixtures/workflows/good/${name}`, "utf8"))),
      JSON.stringify(validate.errors),
    );
  });
}

// What an editor can show without knowing what names mean.
for (const name of [
  "unknown-key",
  "odd-ids",
  "missing-keys",
  "no-steps",
  "wrong-types",
  "output-path",
  "question-mark",
  "bad-duration",
  "both-spellings",
  "bad-env",
  "scalar",
  "list",
  "workbook",
]) {
  test(`the schema refuses bad/${name}.yaml`, () => {
    assert.equal(validate(parse(readFileSync(`${root}fixtures/workflows/bad/${name}.yaml`, "utf8"))), false);
  });
}

/** Keys of a map in the schema, and text of a file with one more key in that map. */
const maps: [string, (key: string) => string][] = [
  ["workflow", (key) => `id: w\nsteps: [{ id: a, run: x }]\n${key}: 1`],
  ["workbook", (key) => `workflows: [{ id: w, steps: [{ id: a, run: x }] }]\n${key}: 1`],
  ["step", (key) => `id: w\nsteps: [{ id: a, run: x, ${key}: 1 }]`],
  ["limits", (key) => `id: w\nlimits: { ${key}: 1 }\nsteps: [{ id: a, run: x }]`],
  ["retry", (key) => `id: w\nsteps: [{ id: a, run: x, retry: { ${key}: 1 } }]`],
];
for (const [name, text] of maps) {
  test(`the keys of a ${name} are the same in the schema and in the loader`, () => {
    const isKnown = (key: string) => {
      const loaded = loadWorkflow({ path: "w", bytes: Buffer.from(text(key)) });
      return loaded.ok || !loaded.problems.some(({ code }) => code === "UNKNOWN_KEY");
    };
    for (const key of Object.keys(schema.$defs[name].properties)) assert.ok(isKnown(key), key);
    const loaded = loadWorkflow({ path: "w", bytes: Buffer.from(text("zzzzzzzz")) });
    const hint = loaded.ok ? "" : (loaded.problems.find(({ code }) => code === "UNKNOWN_KEY")?.hint ?? "");
    const known = hint.replace("its keys are: ", "").split(", ");
    for (const key of known) assert.ok(key in schema.$defs[name].properties, key);
  });
}
