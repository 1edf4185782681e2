import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";
import { checkFixture } from "../../src/review/fixture.ts";
import { listFixtures } from "../../src/review/fixture-list.ts";
import { ROOT } from "../cli/rig.ts";

/** More would not be looked at by anybody who reviews them. */
const MAX_BYTES = 64 * 1024;

const fixtures = listFixtures(join(ROOT, "fixtures/runs"));

test("there are committed runs of this repository's own workflows", () => {
  const names = fixtures.map(({ folder }) => relative(join(ROOT, "fixtures/runs"), folder));
  assert.deepEqual(names, ["diamond", "hello", "regions", "release", "release-dry", "services"]);
});

for (const { folder } of fixtures) {
  const name = relative(ROOT, folder);
  test(`${name} is whole, and its workflow still does what it says`, async () => {
    const { workflow } = JSON.parse(readFileSync(join(folder, "run.json"), "utf8"));
    const file = join(ROOT, workflow.source.slice("project:".length));
    const { findings, replayed } = await checkFixture(folder, name, file);
    assert.deepEqual(findings, []);
    assert.deepEqual(replayed?.differences, [], `if that is meant: wf fixture update ${name}`);
    assert.deepEqual(replayed?.notes, []);
  });

  test(`${name} is small`, async () => {
    const { canonicalForm } = await import("../../src/review/canon.ts");
    const bytes = (await canonicalForm(folder)).reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
    assert.ok(bytes < MAX_BYTES, `${bytes} bytes`);
  });
}
