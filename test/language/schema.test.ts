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

for (const folder of ["good", "agents", "orchestrators"]) {
  for (const name of readdirSync(`${root}fixtures/workflows/${folder}`)) {
    if (!name.endsWith(".yaml")) continue;
    test(`the schema accepts ${folder}/${name}`, () => {
      const file = parse(readFileSync(`${root}fixtures/workflows/${folder}/${name}`, "utf8"));
      assert.ok(validate(file), JSON.stringify(validate.errors));
      // Those that a workbook does not choose may be anything.
      for (const workflow of (file as { workflows?: unknown[] }).workflows ?? [])
        assert.ok(validate(workflow), JSON.stringify(validate.errors));
    });
  }
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
  "agents",
  "agent-steps",
  "approval",
  "finally",
  "budget",
]) {
  test(`the schema refuses bad/${name}.yaml`, () => {
    assert.equal(validate(parse(readFileSync(`${root}fixtures/workflows/bad/${name}.yaml`, "utf8"))), false);
  });
}

/** Keys of a map in the schema, and text of a file with one more key in that map. */
const maps: [string, (key: string) => string][] = [
  ["workflow", (key) => `id: w\nsteps: [{ id: a, run: x }]\n${key}: 1`],
  ["workbook", (key) => `workflows: [{ id: w, steps: [{ id: a, run: x }] }]\n${key}: 1`],
  ["commandStep", (key) => `id: w\nsteps: [{ id: a, run: x, ${key}: 1 }]`],
  ["agentStep", (key) => `id: w\nsteps: [{ id: a, type: agent_task, ${key}: 1 }]`],
  ["approvalStep", (key) => `id: w\nsteps: [{ id: a, message: x, ${key}: 1 }]`],
  ["nestedStep", (key) => `id: w\nsteps: [{ id: a, workflow: w, ${key}: 1 }]`],
  [
    "inlineWorkflow",
    (key) => `id: w\nsteps: [{ id: a, workflow: { steps: [{ id: a, run: x }], ${key}: 1 } }]`,
  ],
  ["agent", (key) => `id: w\nagents: { x: { ${key}: 1 } }\nsteps: [{ id: a, run: x }]`],
  ["provider", (key) => `id: w\nproviders: { x: { ${key}: 1 } }\nsteps: [{ id: a, run: x }]`],
  ["limits", (key) => `id: w\nlimits: { ${key}: 1 }\nsteps: [{ id: a, run: x }]`],
  ["retry", (key) => `id: w\nsteps: [{ id: a, run: x, retry: { ${key}: 1 } }]`],
];
/** One rule at a time: what is in braces is all of the step. */
const steps: [string, boolean][] = [
  ["agent: x, prompt: y", true],
  ["agent: x, prompt_file: y.md", true],
  ["type: agent_review, agent: x, prompt: y, on_approve: done, on_reject: fail", true],
  ["message: y, on_reject: fail", true],
  ["type: approval, message: y", true],
  ["agent: x", false],
  ["prompt: y", false],
  ["type: agent_review, prompt: y", false],
  ["agent: x, prompt: y, prompt_file: y.md", false],
  ["agent: x, prompt_file: ../y.md", false],
  ["agent: x, prompt: y, shell: bash", false],
  ["message: y, timeout: 1h", false],
  ["type: approval", false],
  ["run: y, next: done, on_approve: done", false],
  ["run: y, limits: { max_tokens: 1 }", false],
  ["agent: x, prompt: y, limits: { max_tokens: 1 }", true],
  ["run: y, foreach: [1, b, { c: 2 }]", true],
  ["run: y, foreach: []", true],
  ["run: y, foreach: 3", false],
  ["run: y, foreach: list", false],
  ["message: y, foreach: [1]", false],
  ["run: y, pools: {}", true],
  ["run: y, pools: [gpu]", false],
  ["message: y, pools: {}", false],
  ["run: y, cache: true, input_files: [src/**, '!src/*.md', { absent: .npmrc }]", true],
  ["run: y, cache: 1", false],
  ["run: y, input_files: src", false],
  ["run: y, input_files: [/etc/passwd]", false],
  ["run: y, input_files: [../src]", false],
  ["run: y, input_files: [src/]", false],
  ["run: y, input_files: [{ absent: '*.md' }]", false],
  ["run: y, input_files: [{ absent: a, b: c }]", false],
  ["agent: x, prompt: y, cache: true", false],
  ["agent: x, prompt: y, input_files: [a]", false],
  ["workflow: { steps: [{ id: b, run: y }] }", true],
  ["type: workflow, workflow: { id: c, steps: [{ id: b, run: y }] }, foreach: [1], env: { A: b }", true],
  ["workflow: { inputs: [v], steps: [{ id: b, run: y }] }, with: { v: [1, { d: 2 }] }", true],
  ["workflow: w", true],
  ["workflow: ../w.yaml", false],
  ["workflow: /w.yaml", false],
  ["workflow: w.txt", false],
  ["workflow: 3", false],
  ["workflow: {}", false],
  ["with: { v: 1 }", false],
  ["type: workflow, run: y", false],
  ["workflow: w, output_files: { c: c.txt }", false],
  ["workflow: w, workspace_mode: attempt", false],
  ["workflow: w, idle_timeout: 1m", false],
];
for (const [step, isGood] of steps) {
  test(`the schema ${isGood ? "accepts" : "refuses"} { ${step} }`, () => {
    const file = parse(`id: w\nagents: { x: { provider: claude } }\nsteps: [{ id: a, ${step} }]`);
    assert.equal(validate(file), isGood, JSON.stringify(validate.errors));
    const loaded = loadWorkflow({
      path: "w",
      bytes: Buffer.from(JSON.stringify(file)),
      readFile: () => Buffer.from("text"),
    });
    assert.equal(loaded.ok, isGood);
  });
}

test("the schema refuses a secret with a default, and a provider with a name that is taken", () => {
  const file = (more: string) => parse(`id: w\nsteps: [{ id: a, run: x }]\n${more}`);
  assert.equal(validate(file("inputs: { a: { secret: true } }")), true);
  assert.equal(validate(file("inputs: { a: { secret: true, default: x } }")), false);
  assert.equal(validate(file("inputs: { a: { secret: true, type: integer } }")), false);
  assert.equal(validate(file("providers: { mine: { command: [x] } }")), true);
  assert.equal(validate(file("providers: { claude: { command: [x] } }")), false);
  assert.equal(validate(file("providers: { mine: { command: [x], text: y } }")), false);
  assert.equal(validate(file("finally: [{ id: b, run: x }]")), true);
  assert.equal(validate(file("finally: [{ id: b, run: x, next: a }]")), false);
});

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
