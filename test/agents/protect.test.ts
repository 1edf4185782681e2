import assert from "node:assert/strict";
import { matchesGlob } from "node:path";
import { test } from "node:test";
import { protectedPatterns } from "../../src/steps/agent-protect.ts";

/** As `.gitignore` reads them: a folder that matches covers what is in it. */
function covers(patterns: readonly string[], path: string): boolean {
  const parts = path.split("/");
  const above = parts.map((_, i) => parts.slice(0, i + 1).join("/")).filter((part) => part !== "");
  return patterns.some((pattern) => above.some((part) => matchesGlob(part, pattern)));
}

const skip = typeof matchesGlob === "function" ? false : "path.matchesGlob is not there";

test("the records of runs and all else in .wf are covered, what steps write is not", { skip }, () => {
  const patterns = protectedPatterns({ project: "/p", runDir: "/p/.wf/runs/r-1" });
  const attempt = ".wf/runs/r-1/steps/plan/attempt-2";
  for (const path of [
    ".wf/runs/r-1/run.json",
    ".wf/runs/r-2/progress.ndjson",
    ".wf/runs/r-1/control/decide-a-1-1.json",
    ".wf/runs/r-1/lock/owner-2.json",
    ".wf/workflows/release.yaml",
    ".wf/config",
    ".wf/runs-old/x",
    `${attempt}/exit`,
    `${attempt}/attempt.json`,
    `${attempt}/prompt.md`,
  ]) {
    assert.ok(covers(patterns, `/p/${path}`), path);
  }
  for (const path of [
    "src/run.json",
    `${attempt}/outputs/plan.md`,
    `${attempt}/outputs/exit`,
    `${attempt}/outputs/deep/run.json`,
    `${attempt}/summary.md`,
    `${attempt}/work/prompt.md`,
    ".wf/runs/r-1/workspace/run.json",
  ]) {
    assert.ok(!covers(patterns, `/p/${path}`), path);
  }
});

test("with runs in another place all of .wf is covered", { skip }, () => {
  const patterns = protectedPatterns({ project: "/p", runDir: "/elsewhere/runs/r-1" });
  assert.ok(covers(patterns, "/p/.wf/runs/x"));
  assert.ok(covers(patterns, "/elsewhere/runs/r-1/run.json"));
  assert.ok(!covers(patterns, "/elsewhere/runs/r-1/steps/a/attempt-1/outputs/x"));
});
