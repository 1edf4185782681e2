import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { problems } from "./rig.ts";

const text = readFileSync(new URL("../../docs/workflow-language.md", import.meta.url), "utf8");
const examples = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map((found) => found[1] ?? "");
const whole = examples.filter((example) => /^steps:|^workflows:/m.test(example));

test("the examples of the guide that are whole files are workflows", () => {
  assert.equal(whole.length, 8);
  for (const example of whole) assert.deepEqual(problems(example), []);
});

test("the examples that are parts of files are right too", () => {
  const rest = examples.filter((example) => !whole.includes(example));
  const inputs = rest.filter((example) => example.startsWith("inputs:"));
  const steps = rest.filter((example) => example.startsWith("- id:"));
  assert.deepEqual([inputs.length, steps.length], [2, 3]);
  for (const each of inputs) assert.deepEqual(problems(`id: w\n${each}steps: [{ id: a, run: x }]`), []);
  for (const each of steps) assert.deepEqual(problems(`id: w\ninputs: [version]\nsteps:\n${each}`), []);
  const conditions =
    rest
      .find((example) => example.startsWith("when:"))
      ?.trim()
      .split("\n") ?? [];
  assert.equal(conditions.length, 3);
  for (const when of conditions) {
    const file = `id: w\ninputs: [count, dry-run]\nsteps:\n  - { id: build, run: x }\n  - { id: test, run: x }\n  - id: a\n    run: x\n    ${when}\n`;
    assert.deepEqual(problems(file), []);
  }
});
