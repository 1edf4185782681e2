import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { dirname, resolve } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { isGone, kill, stateOf } from "../rig/processes.ts";
import { Project } from "../rig/project.ts";
import { until } from "../rig/wait.ts";

const GOOD = resolve(dirname(fileURLToPath(import.meta.url)), "../../fixtures/workflows/good");
const files = fs.existsSync(GOOD) ? fs.readdirSync(GOOD).filter((name) => name.endsWith(".yaml")) : [];

/** What a workflow needs to be run at all, or why two runs of it differ rightly. */
const HOW: Readonly<Record<string, { readonly args?: readonly string[]; readonly skip?: string }>> = {
  "images.yaml": { skip: "it calls programs of a project that is not here" },
  "rollout.yaml": { skip: "the same" },
  "region.yaml": { args: ["--input", "region=eu", "--input", "bundle=region.yaml"] },
  "regions.yaml": { skip: "its nested runs are given an artifact, by its absolute path" },
  "release.yaml": { skip: "its archive holds times: what a step itself produces is content" },
};

describe("what a step may read of its predecessors", () => {
  test("their records are there when it begins, however long the engine takes to write them", async (t) => {
    const project = new Project();
    t.after(() => project.remove());
    const look = `test -e "$WF_RUN_DIR/steps/first/attempt-1/attempt.json"`;
    const file = project.write(
      "records.yaml",
      `id: records\nsteps:\n  - { id: first, run: 'true' }\n  - { id: second, run: '${look}' }\n`,
    );
    const fault = { on: "steps/first/attempt-1/attempt.json", when: "before", does: "stop" } as const;
    const engine = project.start(["run", file], { fault });
    await until(() => isGone(engine.pid) || stateOf(engine.pid) === "T", "the engine to stop");
    // Time for what must not have been started.
    await project.wf(["ls"]);
    kill([engine.pid], "SIGCONT");
    const { code, stderr } = await engine.ended;
    assert.equal(code, 0, stderr);
  });
});

describe("two runs of one workflow with the same inputs", () => {
  for (const file of files) {
    const { args = [], skip = false } = HOW[file] ?? {};
    test(`${file}: diff shows the run id, the volatile lines, the journal and lock/`, { skip }, async (t) => {
      // The second a moment later, in a folder whose path has another length, so that sizes differ where they may.
      const projects = [new Project(), new Project(fs.mkdtempSync("/tmp/wf-other-place-"))];
      t.after(async () => {
        for (const project of projects) await project.remove();
        fs.rmSync(dirname(projects[1]?.dir ?? ""), { recursive: true, force: true });
      });
      const runs: string[] = [];
      for (const project of projects) {
        fs.cpSync(GOOD, project.dir, { recursive: true });
        const result = await project.wf(["run", file, ...args]);
        assert.ok(result.code === 0 || result.code === 1, `exit ${result.code}: ${result.stderr}`);
        runs.push(project.onlyRun());
      }
      assert.deepEqual(noise(runs[0] as string, runs[1] as string), []);
    });
  }
});

/** The lines of `diff -r` that should not be there. */
function noise(a: string, b: string): string[] {
  const excluded = ["--exclude=lock", "--exclude=progress.ndjson"];
  const { stdout } = spawnSync("diff", ["-r", ...excluded, a, b], { encoding: "utf8" });
  return stdout.split("\n").filter((line) => {
    if (line === "" || /^(diff |---|[\d,]+[acd][\d,]+$)/.test(line)) return false;
    return !/^[<>] {2,3}"(runId|volatile)": /.test(line);
  });
}
