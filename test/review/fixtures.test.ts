import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const wf = process.env.WF_BIN ?? join(root, "bin/wf.js");
const fixtures = join(root, "fixtures/runs");

test("every committed fixture replays on the workflow as it is now", () => {
  const names = readdirSync(fixtures);
  assert.ok(names.length > 0);
  for (const name of names) {
    const workflow = join(root, "fixtures/workflows/good", `${name}.yaml`);
    const args = ["fixture", "check", join(fixtures, name), "--workflow", workflow];
    const text = execFileSync(process.execPath, [wf, ...args], { encoding: "utf8" });
    assert.match(text, /sound, succeeded/);
  }
});

test("an edited script, and an edited record, are found", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "wf-fixture-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const check = (...args: string[]) =>
    spawnSync(process.execPath, [wf, "fixture", "check", join(dir, "hello"), ...args], { encoding: "utf8" });
  cpSync(join(fixtures, "hello"), join(dir, "hello"), { recursive: true });
  assert.equal(check().status, 0);

  const workflow = join(dir, "hello.yaml");
  const source = readFileSync(join(root, "fixtures/workflows/good/hello.yaml"), "utf8");
  writeFileSync(workflow, source.replace("echo ", "echo changed "));
  const edited = check("--workflow", workflow);
  assert.equal(edited.status, 1, edited.stdout);
  assert.match(edited.stdout, /hello\.yaml:\d+ .*another script/);

  const record = join(dir, "hello/run.json");
  writeFileSync(record, readFileSync(record, "utf8").replace('"iterations": 1', '"iterations": 2'));
  assert.notEqual(check().status, 0);
});
