import assert from "node:assert/strict";
import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { check, sentences } from "../crash/checker.ts";
import {
  endsOf,
  type HeldRun,
  hold,
  killEngine,
  letGo,
  needsLinux,
  processOf,
  startHeld,
} from "../rig/held.ts";
import { type Line, readJournal, readRun, untilEvent } from "../rig/journal.ts";
import { gone } from "../rig/processes.ts";
import { type Project, projectFor } from "../rig/project.ts";
import { until } from "../rig/wait.ts";

/** Takes its time over SIGTERM: until the test lets it go. */
const SLOW_TO_END = `id: slow
steps:
  - id: held
    run: |
      trap ': > told-to-end; while [ ! -e go-held ]; do sleep 0.02; done; exit 143' TERM
      echo "$WF_STEP_ID" >> effects
      while [ ! -e go-held ]; do sleep 0.02 || :; done
`;

/** The engine dies after it has told the step to end, and before the step has; then the step ends. */
async function dieWhileStopping(project: Project, run: HeldRun): Promise<void> {
  await until(() => existsSync(project.path("told-to-end")), "the step to be told to end");
  await killEngine(run);
  letGo(project, "held");
  await gone(await processOf(run.runDir, "held"));
}

describe("an engine that dies while it stops a step", { skip: needsLinux }, () => {
  test("for a cancel: the attempt is canceled, and so is the run", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project, SLOW_TO_END);
    const cancel = project.start(["cancel", run.runDir]);
    await dieWhileStopping(project, run);
    await cancel.ended;
    if (readRun(run.runDir).status !== "canceled") await project.wf(["resume", run.runDir]);
    assert.equal(readRun(run.runDir).status, "canceled");
    assert.deepEqual(endsOf(run.runDir, "held"), ["canceled"]);
    assert.deepEqual(sentences(check({ runDir: run.runDir, phase: "recovered" })), []);
  });

  test("for SIGTERM: the step has not failed, and a resume runs it again", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project, SLOW_TO_END);
    process.kill(run.engine.pid, "SIGTERM");
    await dieWhileStopping(project, run);
    const resumed = await project.wf(["resume", run.runDir]);
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.deepEqual(endsOf(run.runDir, "held"), ["canceled", "succeeded"]);
    assert.deepEqual(sentences(check({ runDir: run.runDir, phase: "recovered" })), []);
  });

  test("for its timeout: it has timed out", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project, SLOW_TO_END.replace("- id: held", "- id: held\n    timeout: 300ms"));
    await dieWhileStopping(project, run);
    const resumed = await project.wf(["resume", run.runDir]);
    assert.equal(resumed.code, 1, resumed.stderr);
    assert.deepEqual(endsOf(run.runDir, "held"), ["timed_out"]);
    assert.equal(readRun(run.runDir).reason.code, "TIMEOUT");
    assert.deepEqual(sentences(check({ runDir: run.runDir, phase: "recovered" })), []);
  });

  test("before it has sent the signal: what the step then does to its end is done once", {}, async (t) => {
    const project = projectFor(t);
    const finish = hold("echo finished >> effects");
    const run = await startHeld(project, `id: held\nsteps:\n  - id: held\n    run: |\n      ${finish}\n`);
    await killEngine(run);
    // What the engine would have written last, had SIGTERM reached it.
    const { seq, at, epoch, run: id } = readJournal(run.runDir).at(-1) as Line;
    const stopping = { event: "attempt_stopping", step: "held", attempt: 1, because: "SIGNAL" };
    const line = JSON.stringify({ seq: seq + 1, at, epoch, run: id, ...stopping });
    appendFileSync(join(run.runDir, "progress.ndjson"), `${line}\n`);
    const resumed = project.start(["resume", run.runDir]);
    await untilEvent(run.runDir, "attempt_adopted");
    letGo(project, "held");
    assert.equal((await resumed.ended).code, 0);
    // Either the next engine sends the signal, or the step's own end counts.
    assert.equal(project.lines("effects").filter((each) => each === "finished").length, 1);
    assert.deepEqual(sentences(check({ runDir: run.runDir, phase: "recovered" })), []);
  });
});
