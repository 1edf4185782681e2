import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { check, type Facts, sentences } from "../crash/checker.ts";
import {
  endsOf,
  hold,
  killEngine,
  letGo,
  needsLinux,
  processOf,
  recorderOf,
  startHeld,
  TELL,
  untilAtWork,
} from "../rig/held.ts";
import { readJournal, readRun, untilEvent } from "../rig/journal.ts";
import { gone, isGone, kill } from "../rig/processes.ts";
import { type Project, projectFor } from "../rig/project.ts";

const ONCE = { first: 1, held: 1, last: 1 };

/** What the checker says of the finished run, with nothing of it left alive. */
async function sound(project: Project, facts: Omit<Facts, "phase">): Promise<void> {
  await project.quiet();
  const effects = project.lines("effects");
  assert.deepEqual(sentences(check({ phase: "recovered", effects, ...facts })), []);
}

describe("a step outlives its engine", { skip: needsLinux }, () => {
  test("it ends by itself, and a resume takes its result and runs only what is left", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project);
    await killEngine(run);
    letGo(project, "held");
    await gone(await processOf(run.runDir, "held"));

    const resumed = await project.wf(["resume", run.runDir]);
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.deepEqual(project.lines("effects"), ["first", "held", "last"]);
    assert.ok(
      readJournal(run.runDir).some(({ event, step }) => event === "attempt_adopted" && step === "held"),
    );
    assert.deepEqual(endsOf(run.runDir, "held"), ["succeeded"]);
    assert.deepEqual(readRun(run.runDir).steps.held.outputs, { answer: { value: "42" } });
    await sound(project, { runDir: run.runDir, expected: ONCE, children: "lived" });
  });

  test("it is still at work, and a resume waits for it", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project);
    await killEngine(run);
    const resume = project.start(["resume", run.runDir]);
    await untilEvent(run.runDir, "engine_started", ({ how }) => how === "resume");
    assert.equal(isGone(await processOf(run.runDir, "held")), false);
    letGo(project, "held");

    assert.equal((await resume.ended).code, 0);
    assert.deepEqual(project.lines("effects"), ["first", "held", "last"]);
    await sound(project, { runDir: run.runDir, expected: ONCE, children: "lived" });
  });

  test("engine after engine dies, and it is adopted by each", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project);
    await killEngine(run);
    for (let epoch = 2; epoch <= 4; epoch += 1) {
      const engine = project.start(["resume", run.runDir]);
      await untilEvent(run.runDir, "engine_started", (line) => line.epoch === epoch);
      await killEngine({ ...run, engine });
    }
    letGo(project, "held");
    assert.equal((await project.wf(["resume", run.runDir])).code, 0);
    await sound(project, { runDir: run.runDir, expected: ONCE, children: "lived" });
  });

  test("two at once are both adopted", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(
      project,
      `id: two
limits: { max_parallel: 2 }
steps:
  - id: a
    needs: []
    run: |
      ${hold()}
  - id: b
    needs: []
    run: |
      ${hold()}
  - { id: both, needs: [a, b], run: ${TELL} }
`,
      "a",
    );
    await untilAtWork(project, "b");
    await killEngine(run);
    letGo(project, "b");
    await gone(await processOf(run.runDir, "b"));
    const resume = project.start(["resume", run.runDir]);
    await untilEvent(run.runDir, "attempt_ended", ({ record }) => record.step === "b");
    letGo(project, "a");
    assert.equal((await resume.ended).code, 0);
    await sound(project, { runDir: run.runDir, expected: { a: 1, b: 1, both: 1 }, children: "lived" });
  });

  test("everything dies: a new attempt, because the first was interrupted", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project);
    kill([run.engine.pid, ...project.processes().map(({ pid }) => pid)]);
    await project.quiet();
    letGo(project, "held");
    assert.equal((await project.wf(["resume", run.runDir])).code, 0);
    assert.deepEqual(endsOf(run.runDir, "held"), ["interrupted", "succeeded"]);
    assert.equal(readRun(run.runDir).iterations, 3);
    await sound(project, { runDir: run.runDir, expected: ONCE, children: "died" });
  });

  test("engine and recorder die and the command lives: it is ended before the new attempt", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project);
    const recorder = await recorderOf(run.runDir, "held");
    kill([run.engine.pid]);
    kill([recorder]);
    await gone(recorder);
    await run.engine.ended;
    const left = project.processes().map(({ pid }) => pid);
    assert.notDeepEqual(left, [], "the command was to live on");
    const resume = project.start(["resume", run.runDir]);
    await untilAtWork(project, "held", 2);
    assert.ok(left.every(isGone), "the first execution is gone before the second begins");
    letGo(project, "held");
    assert.equal((await resume.ended).code, 0);
    assert.deepEqual(endsOf(run.runDir, "held"), ["interrupted", "succeeded"]);
    await sound(project, { runDir: run.runDir, expected: ONCE, children: "died" });
  });

  test("on_interrupt: fail leaves it to a person", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(
      project,
      `id: careful\nsteps:\n  - id: held\n    on_interrupt: fail\n    run: |\n      ${hold()}\n`,
    );
    kill([run.engine.pid, ...project.processes().map(({ pid }) => pid)]);
    await project.quiet();
    const resumed = await project.wf(["resume", run.runDir]);
    assert.equal(resumed.code, 1, resumed.stderr);
    assert.equal(readRun(run.runDir).reason.code, "INTERRUPTED");
    assert.deepEqual(endsOf(run.runDir, "held"), ["interrupted"]);
    letGo(project, "held");
    assert.equal((await project.wf(["resume", run.runDir])).code, 0);
  });

  test("its timeout goes on counting", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(
      project,
      `id: late\nsteps:\n  - id: held\n    timeout: 1s\n    run: |\n      ${hold()}\n`,
    );
    await killEngine(run);
    const resumed = await project.wf(["resume", run.runDir]);
    assert.equal(resumed.code, 1);
    assert.deepEqual(endsOf(run.runDir, "held"), ["timed_out"]);
    await sound(project, { runDir: run.runDir, expected: { held: 1 } });
  });

  test("what it leaves in the background does not outlive it", async (t) => {
    const project = projectFor(t);
    const daemon = "sleep 1000 & setsid sleep 1000 &";
    const run = await startHeld(
      project,
      `id: daemon\nsteps:\n  - id: held\n    run: |\n      ${hold(daemon)}\n  - { id: last, run: ${TELL} }\n`,
    );
    await killEngine(run);
    const wrapper = await processOf(run.runDir, "held");
    letGo(project, "held");
    await gone(wrapper);
    assert.equal((await project.wf(["resume", run.runDir])).code, 0);
    await sound(project, { runDir: run.runDir, expected: { held: 1, last: 1 }, children: "lived" });
  });

  test("a helper of the engine that dies loses no step", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project);
    const wrapper = await processOf(run.runDir, "held");
    const helpers = project.processes().filter(({ pid, ppid }) => ppid === run.engine.pid && pid !== wrapper);
    if (helpers.length === 0) return t.skip("the engine has no helper");
    kill(helpers.map(({ pid }) => pid));
    for (const { pid } of helpers) await gone(pid);
    letGo(project, "held");
    const result = await run.engine.ended;
    if (result.code !== 0) assert.equal((await project.wf(["resume", run.runDir])).code, 0, result.stderr);
    await sound(project, { runDir: run.runDir, expected: ONCE, children: "lived" });
  });

  test("an attempt folder that nothing was journaled of is removed, and its number used", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project);
    await killEngine(run);
    const stray = join(run.runDir, "steps/last/attempt-1");
    mkdirSync(stray, { recursive: true });
    writeFileSync(join(stray, "stray"), "");
    letGo(project, "held");
    assert.equal((await project.wf(["resume", run.runDir])).code, 0);
    assert.equal(existsSync(join(stray, "stray")), false);
    await sound(project, { runDir: run.runDir, expected: ONCE, children: "lived" });
  });
});
