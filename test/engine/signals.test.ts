import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, test } from "node:test";
import { check, sentences } from "../crash/checker.ts";
import { endsOf, letGo, needsLinux, processOf, startHeld, untilAtWork } from "../rig/held.ts";
import { readJournal, readRun } from "../rig/journal.ts";
import { isGone, stateOf } from "../rig/processes.ts";
import { projectFor } from "../rig/project.ts";
import { until } from "../rig/wait.ts";

/** Tells that it was to end, and does not. */
const STUBBORN = `id: stubborn
steps:
  - id: held
    run: |
      trap ': > told-to-end' TERM
      echo "$WF_STEP_ID" >> effects
      while :; do sleep 0.02 || :; done
`;

describe("signals to the engine", { skip: needsLinux }, () => {
  for (const [signal, code] of [
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const) {
    test(`${signal}: the step is ended, the run waits, and a resume runs the step again`, async (t) => {
      const project = projectFor(t);
      const run = await startHeld(project);
      process.kill(run.engine.pid, signal);
      assert.equal((await run.engine.ended).code, code);
      await project.quiet();
      const record = readRun(run.runDir);
      assert.equal(record.status, "waiting");
      assert.equal(record.reason.code, "SIGNAL");
      assert.deepEqual(endsOf(run.runDir, "held"), ["canceled"]);
      assert.deepEqual(sentences(check({ runDir: run.runDir, phase: "recovered" })), []);

      letGo(project, "held");
      assert.equal((await project.wf(["resume", run.runDir])).code, 0);
      assert.deepEqual(project.lines("effects"), ["first", "held", "held", "last"]);
      assert.deepEqual(endsOf(run.runDir, "held"), ["canceled", "succeeded"]);
      assert.equal(readRun(run.runDir).iterations, 3);
      assert.deepEqual(sentences(check({ runDir: run.runDir, phase: "recovered" })), []);
    });
  }

  test("a second SIGINT does not wait for a step that ignores the first", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project, STUBBORN);
    process.kill(run.engine.pid, "SIGINT");
    await until(() => existsSync(project.path("told-to-end")), "the step to be told to end");
    const before = performance.now();
    process.kill(run.engine.pid, "SIGINT");
    const result = await run.engine.ended;
    assert.equal(result.code, 130, result.stderr);
    assert.ok(performance.now() - before < 8_000, "it did not wait for the grace period of 10 s");
    await project.quiet();
    assert.equal(readRun(run.runDir).reason.code, "SIGNAL");
  });

  test("SIGHUP: the engine ends as in a crash, the step goes on and is adopted", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project);
    process.kill(run.engine.pid, "SIGHUP");
    const result = await run.engine.ended;
    assert.equal(result.code ?? result.signal, 129);
    assert.equal(isGone(await processOf(run.runDir, "held")), false);
    letGo(project, "held");
    assert.equal((await project.wf(["resume", run.runDir])).code, 0);
    assert.deepEqual(project.lines("effects"), ["first", "held", "last"]);
    assert.ok(readJournal(run.runDir).some(({ event }) => event === "attempt_adopted"));
  });

  test("SIGSTOP: a stopped engine is alive, and a resume says who drives", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project);
    process.kill(run.engine.pid, "SIGSTOP");
    await until(() => stateOf(run.engine.pid) === "T", "the engine to stop");
    const refused = await project.wf(["resume", run.runDir]);
    assert.equal(refused.code, 4);
    assert.match(refused.stderr, new RegExp(`\\b${run.engine.pid}\\b`));
    assert.match(refused.stderr, /RUN_LOCKED/);
    process.kill(run.engine.pid, "SIGCONT");
    letGo(project, "held");
    assert.equal((await run.engine.ended).code, 0);
    assert.deepEqual(project.lines("effects"), ["first", "held", "last"]);
    assert.deepEqual(sentences(check({ runDir: run.runDir, phase: "recovered" })), []);
  });

  test("a step that is sent SIGTERM from outside has failed, and is not taken for canceled", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project);
    await untilAtWork(project, "held");
    process.kill(-(await processOf(run.runDir, "held")), "SIGTERM");
    assert.equal((await run.engine.ended).code, 1);
    assert.deepEqual(endsOf(run.runDir, "held"), ["failed"]);
    assert.deepEqual(sentences(check({ runDir: run.runDir, phase: "recovered" })), []);
  });
});
