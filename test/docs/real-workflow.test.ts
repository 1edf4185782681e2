import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Project } from "../rig/project.ts";
import { read } from "./markdown.ts";

const FILE = "release-notes.yaml";

/** A repository of one commit with odd names in it, and the workflow that the README runs. */
function repository(project: Project): void {
  project.write(FILE, read(`fixtures/workflows/real/${FILE}`));
  project.write("some folder/ü:c.txt", "no newline at the end");
  project.write("empty", "");
  project.write(".gitignore", ".wf/\n");
  for (const args of [
    ["init", "-q"],
    ["add", "."],
    ["commit", "-q", "-m", "one: 100% 'quoted' | piped"],
  ]) {
    const who = ["-c", "user.name=a", "-c", "user.email=a@b.c"];
    execFileSync("git", [...who, ...args], { cwd: project.dir });
  }
}

async function report(project: Project, dir: string, args: readonly string[] = []): Promise<string> {
  const result = await project.wf(["run", FILE, "--json", ...args], { cwd: dir });
  assert.equal(result.code, 0, result.stdout + result.stderr);
  const { runDir, outputs } = JSON.parse(result.stdout) as { runDir: string; outputs: { report: string } };
  return fs.readFileSync(join(runDir, outputs.report), "utf8");
}

test("the workflow of the README runs in a repository of one commit", async (t) => {
  const project = new Project();
  t.after(() => project.remove());
  repository(project);
  const text = await report(project, project.dir);
  assert.match(
    text,
    /^# wf at [0-9a-f]{7,}\n\n1 commits \(shallow clone: false\), 3 text files with \d+ lines,/,
  );
  assert.match(text, /\(its check succeeded\)\./);
  assert.match(text, /\| some folder \| 1 \| 1 \|/);
  assert.match(text, /- one: 100% 'quoted' \| piped \([0-9a-f]{7,}\)/);
  assert.match(text, / {4}[0-9a-f]{64} {2}source\.tar\.gz\n {4}[0-9a-f]{64} {2}changes\.md\n/);
});

test("and in a shallow clone, under another name, without the check of the archive", async (t) => {
  const project = new Project();
  t.after(() => project.remove());
  repository(project);
  execFileSync("git", ["clone", "-q", "--depth", "1", `file://${project.dir}`, "clone"], {
    cwd: project.dir,
  });
  const text = await report(project, project.path("clone"), ["-i", "verify=false", "-i", "name=other"]);
  assert.match(text, /^# other at [0-9a-f]{7,}\n\n1 commits \(shallow clone: true\)/);
  assert.match(text, /\(its check skipped\)\./);
});
