import assert from "node:assert/strict";
import { cpSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { type Parsed, Rig, type Running } from "./rig.ts";
import { checkOutput } from "./schemas.ts";

/** Its second step ends when a file named `go` appears. */
const HELD = `id: held
steps:
  - { id: first, run: echo one }
  - { id: second, run: 'echo waiting; until test -e go; do sleep 0.02; done; echo done' }
`;

/** A run whose second step has begun. */
async function heldRun(t: TestContext): Promise<{ rig: Rig; running: Running }> {
  const rig = new Rig(t);
  // Whatever fails, the step ends.
  t.after(() => {
    try {
      writeFileSync(rig.path("go"), "");
    } catch {}
  });
  rig.write("held.yaml", HELD);
  const running = rig.start(["run", "held.yaml", "--run-id", "h"]);
  await running.says("second/1 started");
  return { rig, running };
}

test("while an engine drives a run, it is read and can not be driven twice", async (t) => {
  const { rig, running } = await heldRun(t);
  const status = await rig.json(["status", "h"]);
  checkOutput("status", status.value);
  assert.deepEqual([status.value.status, status.value.liveness.state], ["running", "driven"]);
  assert.equal(status.value.liveness.pid, running.child.pid);
  const progress = (await rig.json(["progress", "h"])).value;
  checkOutput("progress", progress);
  assert.deepEqual([progress.currentStepId, progress.currentAttempt], ["second", 1]);
  assert.equal(progress.summary, "running: 1 of 2 steps done; second in attempt 1");
  const show = (await rig.json(["show", "h", "second"])).value;
  checkOutput("show", show);
  assert.deepEqual([show.status, show.endedAt], ["running", null]);
  const listed = (await rig.json(["ls", "--status", "running"])).value;
  checkOutput("ls", listed);
  assert.deepEqual(
    listed.runs.map((run: Parsed) => run.runId),
    ["h"],
  );

  const second = await rig.wf(["resume", "h"]);
  assert.deepEqual([second.code, second.stdout], [4, ""]);
  assert.equal(
    rig.plain(second.stderr),
    "wf: run 'h' is driven by process <pid> on <host> since <clock>   [RUN_LOCKED]\n    look:  wf status h\n    stop:  wf cancel h\n",
  );
  writeFileSync(rig.path("go"), "");
  assert.equal((await running.done()).code, 0);
});

test("progress --follow and logs -f tell what comes until the run ends", async (t) => {
  const { rig, running } = await heldRun(t);
  const events = rig.start(["progress", "h", "--follow", "--json"]);
  const logs = rig.start(["logs", "h", "-f"]);
  await events.says('"step":"second"');
  await logs.says("waiting");
  writeFileSync(rig.path("go"), "");
  assert.equal((await running.done()).code, 0);
  const followed = await events.done();
  assert.equal(followed.code, 0);
  assert.equal(followed.stdout, rig.read(".wf/runs/h/progress.ndjson"));
  assert.deepEqual(await logs.done(), { code: 0, stdout: "waiting\ndone\n", stderr: "" });
});

test("wf cancel has the live engine end the run", async (t) => {
  const { rig, running } = await heldRun(t);
  const canceled = await rig.wf(["cancel", "h", "--reason", "wrong branch"]);
  assert.deepEqual(canceled, {
    code: 0,
    stdout:
      "run h is being canceled: its engine has taken the request and stops the steps\nlook:  wf status h\n",
    stderr: "",
  });
  const { code, stdout } = await running.done();
  assert.equal(code, 1);
  assert.match(stdout, /^run h was canceled after .*: wrong branch$/m);
  const again = await rig.json(["cancel", "h"]);
  checkOutput("error", again.value);
  assert.deepEqual([again.code, again.value.error.code], [2, "WRONG_STATE"]);
});

test("a run whose engine was killed shows as interrupted, with the command to go on; cancel ends it as well", async (t) => {
  const { rig, running } = await heldRun(t);
  running.child.kill("SIGKILL");
  await running.done();
  const { stdout } = await rig.wf(["status", "h"]);
  assert.equal(
    rig.plain(stdout),
    `run       h
workflow  held   project:held.yaml
status    interrupted: it was cut off, nobody drives it
started   <date>, last event after <took>
engine    driven by nobody
folder    .wf/runs/h
next      wf resume settles attempt 1 of second, then goes on
inputs    none

STEP    STATUS
first   passed on attempt 1
second  interrupted in attempt 1

resume:  wf resume h
`,
  );
  assert.match((await rig.wf(["ls"])).stdout, /^h +interrupted/m);
  const followed = await rig.wf(["progress", "h", "--follow"]);
  assert.deepEqual([followed.code, followed.stderr], [0, "nobody drives the run: wf resume h goes on\n"]);
  const canceled = await rig.json(["cancel", "h"]);
  checkOutput("cancel", canceled.value);
  assert.deepEqual([canceled.code, canceled.value.result, canceled.value.status], [0, "ended", "canceled"]);
});

for (const [signal, expected] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  test(`${signal} stops the steps, exits with ${expected}, and resume goes on`, async (t) => {
    const { rig, running } = await heldRun(t);
    running.child.kill(signal);
    const { code, stdout } = await running.done();
    assert.equal(code, expected);
    assert.match(stdout, new RegExp(`^run h waits after .*: stopped by ${signal}$`, "m"));
    writeFileSync(rig.path("go"), "");
    assert.equal((await rig.wf(["resume", "h"])).code, 0);
  });
}

test("a run can be read from a copy, and after it was moved", async (t) => {
  const { rig, running } = await heldRun(t);
  writeFileSync(rig.path("go"), "");
  await running.done();
  cpSync(rig.path(".wf/runs/h"), rig.path("copy"), { recursive: true });
  assert.equal((await rig.json(["status", "./copy"])).value.status, "succeeded");
  renameSync(rig.path("copy"), rig.path("moved"));
  const logs = await rig.wf(["logs", "./moved"]);
  assert.equal(logs.stdout, "==> first/1 stdout <==\none\n\n==> second/1 stdout <==\nwaiting\ndone\n");
});

test("status reads a run whose run.json is gone, and says so", async (t) => {
  const { rig, running } = await heldRun(t);
  writeFileSync(rig.path("go"), "");
  await running.done();
  writeFileSync(rig.path(".wf/runs/h/run.json"), "nonsense");
  const { code, stdout } = await rig.wf(["status", "h"]);
  assert.equal(code, 0);
  assert.match(stdout, /^second {2}passed on attempt 1$/m);
  assert.match(stdout, /^note: run\.json can not be used \(it is not JSON\); this is what the journal says/m);
});

test("a journal that is shorter than it was is damage: exit code 5", async (t) => {
  const { rig, running } = await heldRun(t);
  writeFileSync(rig.path("go"), "");
  await running.done();
  truncateSync(rig.path(".wf/runs/h/progress.ndjson"), 300);
  const { code, stdout, stderr } = await rig.wf(["status", "h"]);
  assert.deepEqual([code, stdout], [5, ""]);
  assert.match(stderr, /\[RUN_DAMAGED\]/);
  assert.doesNotMatch(stderr, /\n {4}at /);
});
