import assert from "node:assert/strict";
import * as fs from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { clockTime } from "../../src/store/clock-time.ts";
import { claim } from "../../src/store/lock.ts";
import { newOwner, type Owner } from "../../src/store/owner.ts";
import { until } from "../rig/wait.ts";
import { ended, hasCode, line, makeRun, tempDir, VERSION } from "./helpers.ts";

const OPTIONS = { version: VERSION, staleMs: 100 };

/** A run whose only claim is this one. */
function runOf(t: TestContext, change: Partial<Owner> | string): string {
  const { runDir } = makeRun(tempDir(t));
  const text = typeof change === "string" ? change : JSON.stringify({ ...newOwner(1, VERSION), ...change });
  fs.writeFileSync(join(runDir, "lock", "owner-1.json"), text);
  return runDir;
}

test("a run that is driven is locked, and the error says by whom and what to do", async (t) => {
  const { runDir, claim: held } = makeRun(tempDir(t));
  await assert.rejects(claim(runDir, OPTIONS), (error: Error & { hint: string; exitCode: number }) => {
    const since = clockTime(held.owner.since);
    assert.equal(
      error.message,
      `run 'nightly-0042' is driven by process ${process.pid} on ${hostname()} since ${since}`,
    );
    assert.equal(error.hint, "look:  wf status nightly-0042\nstop:  wf cancel nightly-0042");
    assert.equal(error.exitCode, 4);
    return true;
  });
});

test("after a clean end the next epoch is claimed, and claims stay", async (t) => {
  const { runDir, claim: first } = makeRun(tempDir(t));
  first.release();
  first.release();
  const second = await claim(runDir, OPTIONS);
  assert.equal(second.epoch, 2);
  assert.equal(first.isLost(), true);
  assert.equal(second.isLost(), false);
  assert.deepEqual(fs.readdirSync(join(runDir, "lock")).sort(), ["free-1", "owner-1.json", "owner-2.json"]);
});

const dead: Record<string, Partial<Owner>> = {
  "with another start time": { startTime: "1" },
  "with no such process": { pid: 2 ** 22 + 1 },
  "of an earlier boot of this machine": { bootId: "another", machineId: "m" },
};
for (const [what, change] of Object.entries(dead)) {
  test(`an owner ${what} is dead`, async (t) => {
    const machineId = newOwner(1, VERSION).machineId;
    if (change.machineId !== undefined && machineId === "") return t.skip("this machine has no id");
    const runDir = runOf(t, { ...change, ...(change.machineId !== undefined && { machineId }) });
    const onWaiting = () => assert.fail("it needs no waiting");
    assert.equal((await claim(runDir, { ...OPTIONS, onWaiting })).epoch, 2);
  });
}

const distant: Record<string, Partial<Owner>> = {
  "in another container": { pidNamespace: "pid:[1]" },
  "on another host": { bootId: "another", host: "build-7" },
  "that says nothing of its boot": { bootId: "" },
};
for (const [what, change] of Object.entries(distant)) {
  test(`an owner ${what} is taken over after it was silent`, async (t) => {
    const runDir = runOf(t, change);
    fs.mkdirSync(join(runDir, "lock", "heartbeat"));
    let waited = 0;
    const second = await claim(runDir, { ...OPTIONS, onWaiting: () => (waited += 1) });
    assert.equal(second.epoch, 2);
    assert.equal(waited, 1);
    assert.equal(fs.existsSync(join(runDir, "lock", "heartbeat")), false);
  });

  test(`an owner ${what} whose heart beats is alive, whatever its clock says`, async (t) => {
    const runDir = runOf(t, change);
    const heartbeat = join(runDir, "lock", "heartbeat");
    fs.mkdirSync(heartbeat);
    const beat = () => fs.utimesSync(heartbeat, new Date(0), new Date(3_600_000));
    await assert.rejects(
      claim(runDir, { ...OPTIONS, staleMs: 60_000, onWaiting: () => setImmediate(beat) }),
      hasCode("RUN_LOCKED"),
    );
  });
}

test("a distant owner that ends while it is watched is succeeded, one that is succeeded by another is not", async (t) => {
  const change = { pidNamespace: "pid:[1]" };
  const first = runOf(t, change);
  const end = () => fs.writeFileSync(join(first, "lock", "free-1"), "");
  assert.equal(
    (await claim(first, { ...OPTIONS, staleMs: 60_000, onWaiting: () => setImmediate(end) })).epoch,
    2,
  );

  const second = runOf(t, change);
  const successor = { ...newOwner(2, VERSION), pid: 4121, host: "build-7" };
  const succeed = () => fs.writeFileSync(join(second, "lock", "owner-2.json"), JSON.stringify(successor));
  await assert.rejects(
    claim(second, { ...OPTIONS, staleMs: 60_000, onWaiting: () => setImmediate(succeed) }),
    hasCode("RUN_LOCKED", /process 4121 on build-7/),
  );
});

test("a claim that can not be understood is damage, until a person says that the run is free", async (t) => {
  for (const text of ["", "{}", "no JSON"]) {
    const runDir = runOf(t, text);
    await assert.rejects(claim(runDir, OPTIONS), hasCode("RUN_DAMAGED", /owner-1\.json/));
    fs.writeFileSync(join(runDir, "lock", "free-1"), "");
    assert.equal((await claim(runDir, OPTIONS)).epoch, 2);
  }
});

test("a copy without its claims goes on after the epochs of its journal", async (t) => {
  const { runDir } = makeRun(tempDir(t));
  fs.appendFileSync(join(runDir, "progress.ndjson"), line(2, ended("fetch"), 5));
  fs.rmSync(join(runDir, "lock"), { recursive: true });
  assert.equal((await claim(runDir, OPTIONS)).epoch, 6);
});

test("a claim that is lost leaves everything to the winner", async (t) => {
  const { runDir, claim: first } = makeRun(tempDir(t));
  fs.writeFileSync(join(runDir, "lock", "owner-2.json"), JSON.stringify(newOwner(2, VERSION)));
  first.release();
  assert.equal(fs.existsSync(join(runDir, "lock", "free-1")), false);
});

test("a claim is lost when its run directory is gone", (t) => {
  const { runDir, claim: first } = makeRun(tempDir(t));
  fs.rmSync(runDir, { recursive: true });
  assert.equal(first.isLost(), true);
});

test("the heartbeat goes with its claim, and is taken again if somebody removes it", async (t) => {
  const { runDir, claim: first } = makeRun(tempDir(t));
  const heartbeat = join(runDir, "lock", "heartbeat");
  fs.mkdirSync(heartbeat);
  await first.startHeartbeat(() => assert.fail("nobody took the run over"), { stale: 2000, update: 1000 });
  const { ino } = fs.statSync(heartbeat);
  fs.renameSync(heartbeat, join(runDir, "elsewhere"));
  await until(() => fs.existsSync(heartbeat) && fs.statSync(heartbeat).ino !== ino, "a new heartbeat");
  first.release();
  assert.deepEqual(fs.readdirSync(join(runDir, "lock")).sort(), ["free-1", "owner-1.json"]);
});

test("an engine whose run was taken over is told, and leaves the winner's heartbeat", async (t) => {
  const { runDir, claim: first } = makeRun(tempDir(t));
  const heartbeat = join(runDir, "lock", "heartbeat");
  let lost = 0;
  await first.startHeartbeat(() => (lost += 1), { stale: 2000, update: 1000 });
  fs.writeFileSync(join(runDir, "lock", "owner-2.json"), JSON.stringify(newOwner(2, VERSION)));
  fs.rmdirSync(heartbeat);
  fs.mkdirSync(heartbeat);
  fs.utimesSync(heartbeat, 1, 1);
  await until(() => lost === 1, "the loss to be noticed");
  first.release();
  assert.equal(fs.existsSync(heartbeat), true);
});

test("so does one that ends before it was told", async (t) => {
  const { runDir, claim: first } = makeRun(tempDir(t));
  const heartbeat = join(runDir, "lock", "heartbeat");
  await first.startHeartbeat(() => undefined);
  fs.writeFileSync(join(runDir, "lock", "owner-2.json"), JSON.stringify(newOwner(2, VERSION)));
  first.release();
  assert.equal(fs.existsSync(heartbeat), true);
});

test("a claim that is released before its heartbeat began starts none", async (t) => {
  const { runDir, claim: first } = makeRun(tempDir(t));
  const starting = first.startHeartbeat(() => assert.fail());
  first.release();
  await starting;
  assert.equal(fs.existsSync(join(runDir, "lock", "heartbeat")), false);
});
