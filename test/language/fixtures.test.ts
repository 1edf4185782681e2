import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { formatProblems } from "../../src/language/format-problem.ts";
import { loadWorkflow } from "../../src/language/load.ts";

const fixtures = fileURLToPath(new URL("../../fixtures/workflows/", import.meta.url));
const loadFixture = (folder: string, name: string) => {
  const readFile = (path: string) => {
    const whole = `${fixtures}${folder}/${path}`;
    return existsSync(whole) ? readFileSync(whole) : null;
  };
  return loadWorkflow({ path: name, bytes: readFileSync(`${fixtures}${folder}/${name}`), readFile });
};
const workflowsIn = (folder: string) =>
  readdirSync(`${fixtures}${folder}`).filter((name) => /\.(yaml|json)$/.test(name));

for (const name of workflowsIn("bad")) {
  test(`bad/${name} prints exactly what stands beside it`, () => {
    const loaded = loadFixture("bad", name);
    assert.equal(loaded.ok, false);
    const expected = readFileSync(`${fixtures}bad/${name.replace(/\.\w+$/, ".txt")}`, "utf8");
    assert.equal(formatProblems(loaded.problems), expected);
  });
}

for (const folder of ["good", "agents", "orchestrators"]) {
  for (const name of workflowsIn(folder)) {
    test(`${folder}/${name} is a workflow`, () => {
      const loaded = loadFixture(folder, name);
      assert.equal(loaded.ok ? "" : formatProblems(loaded.problems), "");
    });
  }
}

test("every problem of the bad files has a place", () => {
  for (const name of workflowsIn("bad")) {
    const loaded = loadFixture("bad", name);
    assert.ok(!loaded.ok && loaded.problems.every((problem) => problem.position), name);
  }
});
