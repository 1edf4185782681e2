import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import {
  checkExpression,
  type ExpressionScope,
  evaluate,
  expressionReferences,
} from "../../src/core/expression.ts";

const scope: ExpressionScope = {
  inputs: { dry: false, n: 3, f: 1.5, "a-b": "x", list: [1, 2], map: { k: { a: 1 } }, none: null },
  steps: { build: { status: "succeeded", outputs: { size: 10 } }, test: { status: "skipped" } },
  workflow: { run_id: "r1" },
  env: { CI: "true" },
};

const rows: [string, boolean][] = [
  ["!inputs.dry", true],
  ["inputs.n == 3 && inputs.n + 1 > 3 && inputs.n / 2 == 1", true],
  ["inputs.f > 1", true],
  ['inputs["a-b"] == "x"', true],
  ["inputs.none == null", true],
  ["size(inputs.list) == 2 && inputs.list.exists(i, i == 2)", true],
  ['inputs.map.k == {"a": 1}', true],
  ["steps.build.outputs.size > 9", true],
  ["has(steps.test.outputs.size)", false],
  ["has(steps.never.outputs.size)", false],
  ['steps.never.status == "pending"', true],
  ['steps.exists(id, id == "build")', true],
  ['env.CI == "true"', true],
  ["has(inputs.constructor) || has(inputs.__proto__) || has(inputs.toString)", false],
];
for (const [source, value] of rows) {
  test(`${source} is ${value}`, () => {
    assert.equal(checkExpression(source), null);
    assert.equal(evaluate({ source }, scope), value);
  });
}

for (const [source, offset] of [
  ["inputs.n ==", 11],
  ["colour == 1", 0],
  ["true && nosuch(1)", 8],
  ["size(inputs.list)", 0],
  ["", 0],
  ["inputs.s.matches(inputs.p)", 17],
] as const) {
  test(`${source} is wrong at ${offset}`, () => assert.equal(checkExpression(source)?.offset, offset));
}

test("regular expressions in an expression are judged", () => {
  assert.equal(
    checkExpression('inputs.s.matches("a+")', () => null),
    null,
  );
  assert.equal(checkExpression('inputs.s.matches("a+")', () => ({ message: "is bad" }))?.isPattern, true);
});

for (const source of [
  "inputs.nope",
  "inputs.n",
  "inputs.n / 0 == 1",
  'inputs.n == 1 && "x"',
  "inputs.none.x",
]) {
  test(`evaluating ${source} fails in one line`, () => {
    assert.throws(
      () => evaluate({ source }, scope),
      (error) => error instanceof Error && error.message !== "" && !error.message.includes("\n"),
    );
  });
}

test("the paths an expression names are known", () => {
  const found = expressionReferences(
    'inputs["a-b"] == steps.build.outputs.x && steps.exists(s, s == workflow.run_id)',
  );
  assert.deepEqual(
    found.map(({ segments }) => segments.join("/")),
    ["inputs/a-b", "steps/build/outputs/x", "steps", "workflow/run_id"],
  );
});

test("a workflow without expressions does not load the library for them", () => {
  const load = new URL("../../src/language/load.ts", import.meta.url).href;
  const program = (when: string) => `
    import { loadWorkflow } from ${JSON.stringify(load)};
    import { createRequire } from "node:module";
    const text = "id: w\\nsteps: [{ id: a, ${when} run: 'true' }]";
    if (!loadWorkflow({ path: "w", bytes: Buffer.from(text) }).ok) throw new Error("not loaded");
    const cached = Object.keys(createRequire(import.meta.url).cache).filter((path) => /cel-js|ajv/.test(path));
    console.log(cached.length);`;
  const run = (when: string) =>
    spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program(when)], {
      encoding: "utf8",
    });
  assert.equal(run("").stdout, "0\n");
  assert.notEqual(run("when: 'true',").stdout, "0\n");
  assert.equal(run("when: 'true',").stderr.replace(/^npm warn.*\n/gm, ""), "");
});
