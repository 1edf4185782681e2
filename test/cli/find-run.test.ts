import assert from "node:assert/strict";
import { symlinkSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { Rig } from "./rig.ts";

const IDS = ["20260101-120000-build-aaaa", "20260102-120000-build-bbbb", "20260103-120000-test-cccc"];

function withRuns(t: TestContext): Rig {
  const rig = new Rig(t);
  IDS.forEach((runId, day) => {
    const record = { runId, workflowId: "w", state: "succeeded", startedAt: 1767225600 + day * 86400 };
    rig.write(`.wf/runs/${runId}/run.json`, JSON.stringify(record));
  });
  return rig;
}

const runIdOf = async (rig: Rig, name: string, ...more: string[]) =>
  (await rig.json(["status", name, ...more])).value.runId;

test("a run is named by its id, a unique part of it, its path, or latest", async (t) => {
  const rig = withRuns(t);
  const [first, , last] = IDS as [string, string, string];
  assert.equal(await runIdOf(rig, first), first);
  assert.equal(await runIdOf(rig, "aaaa"), first);
  assert.equal(await runIdOf(rig, "test"), last);
  assert.equal(await runIdOf(rig, `.wf/runs/${first}`), first);
  assert.equal(await runIdOf(rig, rig.path(".wf/runs", first)), first);
  assert.equal(await runIdOf(rig, "latest"), last);
});

test("an ambiguous part lists the candidates, newest first, and picks none", async (t) => {
  const { code, stdout, stderr } = await withRuns(t).wf(["status", "build"]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.equal(
    stderr,
    `wf: 2 runs have "build" in their id   [RUN_AMBIGUOUS]
    name one of them:
      20260102-120000-build-bbbb
      20260101-120000-build-aaaa
`,
  );
});

test("an unknown run says where it was looked for", async (t) => {
  const rig = withRuns(t);
  const { code, stderr } = await rig.wf(["status", "zzzz"]);
  assert.equal(code, 2);
  assert.equal(
    rig.plain(stderr),
    'wf: there is no run "zzzz" in <dir>/.wf/runs   [RUN_NOT_FOUND]\n    wf ls lists the runs\n',
  );
});

test("without any run there is no latest", async (t) => {
  const rig = new Rig(t);
  const { code, stderr } = await rig.wf(["status", "latest"]);
  assert.equal(code, 2);
  assert.equal(
    rig.plain(stderr),
    "wf: there is no run yet in <dir>/.wf/runs   [RUN_NOT_FOUND]\n    start one with wf run FILE\n",
  );
});

test("the runs folder is --runs-dir, else WF_RUNS_DIR, else that of the project above", async (t) => {
  const rig = withRuns(t);
  rig.write("elsewhere/solo/run.json", '{"runId":"solo","workflowId":"w","state":"failed"}');
  rig.write("sub/folder/file", "");
  assert.equal(await runIdOf(rig, "solo", "--runs-dir", "elsewhere"), "solo");
  const byEnv = await rig.wf(["status", "solo"], { env: { WF_RUNS_DIR: rig.path("elsewhere") } });
  assert.equal(byEnv.code, 0);
});

test("a run directory that is a symbolic link is the run that it leads to", async (t) => {
  const rig = withRuns(t);
  symlinkSync(rig.path(".wf/runs", IDS[0] as string), rig.path(".wf/runs/current"));
  assert.equal(await runIdOf(rig, "current"), IDS[0]);
  assert.equal(await runIdOf(rig, "./.wf/runs/current"), IDS[0]);
});

test("a folder that is no run is said to be none", async (t) => {
  const rig = withRuns(t);
  rig.write("folder/file", "");
  const { code, stderr } = await rig.wf(["status", "./folder"]);
  assert.equal(code, 2);
  assert.equal(
    rig.plain(stderr),
    "wf: <dir>/folder is no run directory: it holds neither run.json nor progress.ndjson   [RUN_NOT_FOUND]\n    wf ls lists the runs\n",
  );
});

test("a canonical form is no run, and is said to be what it is; nothing repairs it", async (t) => {
  const rig = new Rig(t);
  rig.write("w.yaml", "id: w\nsteps:\n  - { id: a, foreach: [x], run: echo a }\n");
  assert.equal((await rig.wf(["run", "w.yaml"])).code, 0);
  assert.equal((await rig.wf(["fixture", "save", "latest", "kept"])).code, 0);
  for (const args of [["status"], ["verify"], ["verify", "--repair"], ["graph"], ["resume"]]) {
    const { code, stderr } = await rig.wf([...args, "kept"]);
    assert.deepEqual(
      [code, stderr],
      [
        2,
        `wf: kept is the canonical form of a run, such as a fixture, and no run   [RUN_NOT_FOUND]
    wf canon, wf diff, wf replay and wf fixture take it
`,
      ],
    );
  }
  assert.equal((await rig.wf(["fixture", "check", "kept"])).code, 0);
});
