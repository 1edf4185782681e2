import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { loadWorkflow } from "../../src/language/load.ts";
import { ROOT, read, rows, section } from "./markdown.ts";

const readme = read("README.md");
const commands = [...section(readme, "## Try it").matchAll(/```sh\n([^\n]+)\n```/g)].map(
  (found) => found[1] as string,
);

test("the README has two commands: the main job on real input, and the tests", () => {
  assert.equal(commands.length, 2);
  assert.match(commands[0] as string, /^npm ci && node bin\/wf\.js run \S+$/);
  assert.equal(commands[1], "npm ci && npm test");
  assert.ok(existsSync(ROOT + (commands[0]?.split(" ").at(-1) as string)));
});

test(".ci/run runs the same two lines", () => {
  const run = [...read(".ci/run").matchAll(/^run '([^']+)'$/gm)].map((found) => found[1]);
  assert.deepEqual(run.slice(0, 2), commands);
});

test("the scripts that .ci/run and the README name are in package.json", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const named = [...`${readme}\n${read(".ci/run")}`.matchAll(/npm run ([a-z:]+)/g)].map(
    (found) => found[1] as string,
  );
  for (const name of named) assert.ok(scripts[name], name);
});

test("the workflow in the README, and the one it runs, are right", () => {
  const path = commands[0]?.split(" ").at(-1) as string;
  const example = /```yaml\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
  for (const [name, text] of [
    ["README.md", example],
    [path, read(path)],
  ] as const) {
    const loaded = loadWorkflow({ path: name, bytes: Buffer.from(text) }, {});
    assert.deepEqual(loaded.ok ? [] : loaded.problems, []);
  }
});

test("every command has a place in the README", async () => {
  const { ENTRIES } = await import("../../src/cli/catalog.ts");
  const listed = rows(section(readme, "## The commands")).flatMap(([cell = ""]) =>
    [...cell.matchAll(/`wf ([a-z-]+)/g)].map((found) => found[1]),
  );
  assert.deepEqual(listed.sort(), [...ENTRIES.map(({ name }) => name), "completion"].sort());
});
