import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { findShell } from "../../src/process/shell.ts";
import { tempDir } from "./rig.ts";

test("a program is looked for as execvp does", (t) => {
  const dir = tempDir(t);
  mkdirSync(join(dir, "bin", "folder"), { recursive: true });
  for (const name of ["mine", "bin/mine", "bin/text"]) writeFileSync(join(dir, name), "");
  chmodSync(join(dir, "mine"), 0o755);
  chmodSync(join(dir, "bin", "mine"), 0o755);

  const inBin = join(dir, "bin", "mine");
  assert.equal(findShell("mine", `/nowhere:${dir}/bin:${dir}`, "/"), inBin);
  assert.equal(findShell("mine", "bin", dir), inBin);
  assert.equal(findShell("mine", "/nowhere:", dir), join(dir, "mine"));
  assert.equal(findShell("./mine", "/nowhere", dir), join(dir, "mine"));
  assert.equal(findShell(inBin, undefined, "/"), inBin);
  assert.equal(findShell("mine", "/nowhere", dir), null);
  assert.equal(findShell("text", `${dir}/bin`, dir), null);
  assert.equal(findShell("folder", `${dir}/bin`, dir), null);
  assert.equal(findShell("", `${dir}/bin`, dir), null);
  assert.ok(findShell("sh", undefined, "/"));
});
