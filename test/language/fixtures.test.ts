import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { formatProblems } from "../../src/language/format-problem.ts";
import { loadWorkflow } from "../../src/language/load.ts";

const fixtures = fileURLToPath(new URL("../../fixtures/workflows/", import.meta.url));
const workflowsIn = (folder: string) =>
  readdirSync(`${fixtures}${folder}`).filter((name) => /\.(yaml|json)$/.test(name));

for (const name of workflowsIn("bad")) {
  test(`bad/${name} prints exactly what stands beside it`, () => {
    const loaded = loadWorkflow({ path: name, bytes: readFileSync(`${fixtures}bad/${name}`) });
    assert.equal(loaded.ok, false);
    const expected = readFileSync(`${fixtures}bad/${name.replace(/\.\w+$/, ".txt")}`, "utf8");
    assert.equal(formatProblems(loaded.problems), expected);
  });
}

for (const name of workflowsIn("good")) {
  test(`good/${name} is a workflow`, () => {
    const loaded = loadWorkflow({ path: name, bytes: readFileSync(`${fixtures}good/${name}`) });
    assert.equal(loaded.ok ? "" : formatProblems(loaded.problems), "");
  });
}

test("every problem of the bad files has a place", () => {
  for (const name of workflowsIn("bad")) {
    const loaded = loadWorkflow({ path: name, bytes: readFileSync(`${fixtures}bad/${name}`) });
    assert.ok(!loaded.ok && loaded.problems.every((problem) => problem.position), name);
  }
});
