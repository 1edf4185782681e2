import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { cookieBearers, groupExists, signalGroup } from "../../src/process/process-table.ts";
import { stopTree } from "../../src/process/stop.ts";
import { isGroupEmpty, Rig, read, type Started, until } from "./rig.ts";

const LONG_MS = 1_000_000;

const said = (step: Started, what: string) => until(() => read(join(step.dir, "stdout.log"))?.includes(what));
const pidIn = async (path: string) => Number(await until(() => read(path)?.endsWith("\n") && read(path)));

/** What records the status of a helper's step is not of the step's group. */
const KILLED = { helper: { exitCode: 137 }, spawn: { died: true } } as const;

for (const by of ["helper", "spawn"] as const) {
  test(`${by}: SIGTERM to the group is recorded as 143`, async (t) => {
    const rig = new Rig(t, by);
    const step = await rig.start("echo on; sleep 1000");
    await said(step, "on");
    const { done } = rig.launcher.stop(step.process, { cookie: "", graceMs: LONG_MS });
    assert.deepEqual(await step.end, { exitCode: 143 });
    assert.equal(read(join(step.dir, "exit")), "143\n");
    assert.equal(read(join(step.dir, "stderr.log")), "");
    await done;
  });

  test(`${by}: a script may clean up and choose its status`, async (t) => {
    const rig = new Rig(t, by);
    const step = await rig.start("trap 'echo cleaned; exit 12' TERM; echo on; while :; do sleep 0.01; done");
    await said(step, "on");
    rig.launcher.stop(step.process, { cookie: "", graceMs: LONG_MS });
    assert.deepEqual(await step.end, { exitCode: 12 });
    assert.equal(read(join(step.dir, "stdout.log")), "on\ncleaned\n");
  });

  test(`${by}: a script that ignores SIGTERM is killed after the grace period`, async (t) => {
    const rig = new Rig(t, by);
    const step = await rig.start("trap '' TERM; echo on; while :; do sleep 0.01; done");
    await said(step, "on");
    rig.launcher.stop(step.process, { cookie: "", graceMs: 30 });
    assert.deepEqual(await step.end, KILLED[by]);
    assert.ok(isGroupEmpty(step.process.identity.pid));
  });

  test(`${by}: killNow() does not wait for the grace period`, async (t) => {
    const rig = new Rig(t, by);
    const step = await rig.start("trap '' TERM; echo on; while :; do sleep 0.01; done");
    await said(step, "on");
    rig.launcher.stop(step.process, { cookie: "", graceMs: LONG_MS }).killNow();
    assert.deepEqual(await step.end, KILLED[by]);
  });

  test(`${by}: a descendant of a stopped script has the grace period, though the script is gone`, async (t) => {
    const rig = new Rig(t, by);
    const slow = "trap 'touch termed; until [ -e go ]; do sleep 0.01; done; touch cleaned; exit' TERM";
    const step = await rig.start(`sh -c "${slow}; echo on; while :; do sleep 0.01; done" & wait`);
    await said(step, "on");
    rig.launcher.stop(step.process, { cookie: "", graceMs: LONG_MS });
    await until(() => read(join(step.dir, "exit")) === "143\n" && existsSync(join(rig.dir, "termed")));
    // Longer than what a script that ended by itself leaves behind would be given.
    await new Promise((resolve) => setTimeout(resolve, 2100));
    assert.deepEqual(rig.ended, []);
    await rig.run(`touch ${rig.dir}/go`);
    assert.deepEqual(await step.end, { exitCode: 143 });
    assert.ok(existsSync(join(rig.dir, "cleaned")));
  });

  test(`${by}: a descendant that left the group is found by the cookie, also in a list`, async (t) => {
    const rig = new Rig(t, by);
    const env = { WF_ATTEMPT_ID: "outer-1,inner-2" };
    const away = "trap '' TERM; echo $$ >away; while :; do sleep 0.01; done";
    const step = await rig.start(`setsid sh -c "${away}" & echo on; wait`, { env });
    await said(step, "on");
    const pid = await pidIn(join(rig.dir, "away"));
    assert.deepEqual(cookieBearers("inner"), []);
    assert.ok(cookieBearers("outer-1").includes(pid));
    const { done } = rig.launcher.stop(step.process, { cookie: "inner-2", graceMs: 30 });
    await step.end;
    await done;
    assert.deepEqual(cookieBearers("inner-2"), []);
    assert.ok(isGroupEmpty(pid));
  });

  test(`${by}: what a finished script left in its group is ended, and its status kept`, async (t) => {
    const rig = new Rig(t, by);
    const step = await rig.start("sleep 1000 & echo $! >daemon; exit 5");
    assert.deepEqual(await step.end, { exitCode: 5 });
    assert.ok(isGroupEmpty(step.process.identity.pid));
    assert.equal(read(join(step.dir, "exit")), "5\n");
  });

  test(`${by}: … by force, if it must be`, async (t) => {
    const rig = new Rig(t, by);
    const stubborn = "trap '' TERM; echo on; while :; do sleep 0.01; done";
    const step = await rig.start(
      `sh -c "${stubborn}" & until [ -s ${rig.dir}/attempt-1/stdout.log ]; do :; done; exit 6`,
    );
    assert.deepEqual(await step.end, { exitCode: 6 });
    assert.ok(isGroupEmpty(step.process.identity.pid));
  });

  test(`${by}: at a normal end what left the group is left alone`, async (t) => {
    const rig = new Rig(t, by);
    const step = await rig.start(
      'setsid sh -c "echo \\$\\$ >away; sleep 1000" & until [ -s away ]; do :; done',
    );
    assert.deepEqual(await step.end, { exitCode: 0 });
    const pid = await pidIn(join(rig.dir, "away"));
    assert.ok(groupExists(pid));
    signalGroup(pid, "SIGKILL");
  });
}

test("a process that got the pid of a step that is gone is not signalled", async (t) => {
  const child = spawn("/bin/sh", ["-c", "echo on; sleep 1000"], {
    detached: true,
    stdio: ["ignore", "pipe", "ignore"],
  });
  t.after(() => signalGroup(child.pid as number, "SIGKILL"));
  await once(child.stdout, "data");
  await stopTree({ pid: child.pid as number, startTime: "1", cookie: "" }, { graceMs: 0 }).done;
  assert.equal(child.exitCode ?? child.signalCode, null);
  assert.ok(!isGroupEmpty(child.pid as number));
});

test("no pid but a step's is ever signalled: not our own group, not everybody, not init", async () => {
  for (const pid of [0, 1, -1, 1.5, Number.NaN]) {
    signalGroup(pid, "SIGKILL");
    await stopTree({ pid, startTime: "", cookie: "" }, { graceMs: 0 }).done;
  }
});
