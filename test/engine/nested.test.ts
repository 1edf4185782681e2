import assert from "node:assert/strict";
import * as fs from "node:fs";
import { describe, test } from "node:test";
import { killEngine, letGo, needsLinux, TELL, untilAtWork } from "../rig/held.ts";
import { readJournal, readRun, untilEvent } from "../rig/journal.ts";
import { type Project, projectFor } from "../rig/project.ts";
import { digestOf } from "../rig/tree.ts";

/** A graph inside a sequence, in a file of its own; `lint` fails while `broken` exists. */
function writeBuild(project: Project): void {
  project.write(
    "sub/build.yaml",
    `id: build
inputs: { target: { type: string } }
steps:
  - id: compile
    needs: []
    run: '${TELL}; echo "{{inputs.target}}" > "$WF_OUTPUT_BIN"'
    output_files: { bin: bin.txt }
  - { id: lint, needs: [], run: '${TELL}; test ! -e broken' }
  - { id: test, needs: [compile, lint], run: '${TELL}; echo "n=3" >> "$WF_OUTPUT"', outputs: { n: { type: integer } } }
outputs: { bin: '{{steps.compile.outputs.bin}}', n: '{{steps.test.outputs.n}}' }
`,
  );
  project.write(
    "outer.yaml",
    `id: outer
steps:
  - { id: before, run: ${TELL} }
  - { id: all, workflow: sub/build.yaml, with: { target: x86 } }
  - { id: after, run: 'cat "{{steps.all.outputs.bin}}" > got; echo "{{steps.all.outputs.n}}" >> got' }
outputs: { bin: '{{steps.all.outputs.bin}}' }
`,
  );
}

const nested = (project: Project, attempt = 1) => `${project.onlyRun()}/steps/all/attempt-${attempt}/run`;

describe("a workflow in a workflow", () => {
  test("is a run directory in the attempt; its outputs are the step's, artifacts among them", async (t) => {
    const project = projectFor(t);
    writeBuild(project);
    const result = await project.wf(["run", "outer.yaml", "--run-id", "r"]);
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual(project.lines("got"), ["x86", "3"]);
    const record = readRun(nested(project));
    assert.equal(record.status, "succeeded");
    assert.equal(record.workflow.source, "project:sub/build.yaml");
    assert.deepEqual(record.inputs, { target: "x86" });
    const outer = readRun(project.onlyRun());
    assert.equal(
      outer.steps.all.outputs.bin.file,
      "steps/all/attempt-1/run/steps/compile/attempt-1/outputs/bin.txt",
    );
    assert.equal(outer.outputs.bin, outer.steps.all.outputs.bin.file);
    assert.deepEqual(readJournal(nested(project))[0]?.parent, { step: "all", attempt: 1 });
  });

  test("the run needs the files no more once it has begun", async (t) => {
    const project = projectFor(t);
    writeBuild(project);
    fs.writeFileSync(project.path("broken"), "");
    assert.equal((await project.wf(["run", "outer.yaml", "--run-id", "r"])).code, 1);
    fs.rmSync(project.path("sub"), { recursive: true });
    fs.rmSync(project.path("outer.yaml"));
    fs.rmSync(project.path("broken"));
    const result = await project.wf(["resume", "r"]);
    assert.equal(result.code, 0, result.stderr);
  });

  test("a failure: resume goes on with a copy of the run, in which nothing finished is done twice", async (t) => {
    const project = projectFor(t);
    writeBuild(project);
    fs.writeFileSync(project.path("broken"), "");
    const failed = await project.wf(["run", "outer.yaml", "--run-id", "r"]);
    assert.equal(failed.code, 1);
    const { reason } = readRun(project.onlyRun());
    assert.equal(reason.code, "NESTED_FAILED");
    assert.match(
      reason.message,
      /^all failed on attempt 1: its run failed: lint failed on attempt 1: exit status 1$/,
    );
    const before = digestOf(nested(project));
    fs.rmSync(project.path("broken"));
    fs.rmSync(project.path("effects"));
    assert.equal((await project.wf(["resume", "r"])).code, 0);
    assert.deepEqual(project.lines("effects"), ["lint", "test"]);
    assert.deepEqual(digestOf(nested(project)), before);
    assert.equal(readRun(nested(project, 2)).steps.lint.attempts, 2);
    assert.equal(readRun(nested(project, 2)).status, "succeeded");
  });

  test("a run that succeeded is begun anew by the attempt that a resume makes, for the step or at the end", async (t) => {
    const project = projectFor(t);
    project.write(
      "outer.yaml",
      `default_workflow: outer
workflows:
  - id: ask
    steps: [{ id: look, run: 'cat answer >> "$WF_OUTPUT"', outputs: [decision] }]
    outputs: { decision: '{{steps.look.outputs.decision}}' }
  - id: tell
    inputs: { how: { type: string } }
    steps: [{ id: note, run: 'echo {{inputs.how}} >> told' }]
  - id: outer
    steps: [{ id: gate, workflow: ask, on_reject: fail }]
    finally: [{ id: end, workflow: tell, with: { how: '{{workflow.status}}' } }]
`,
    );
    project.write("answer", "decision=reject\n");
    assert.equal((await project.wf(["run", "outer.yaml", "--run-id", "r"])).code, 1);
    project.write("answer", "decision=approve\n");
    const why = await project.wf(["why", "r", "gate"]);
    assert.match(why.stdout, /attempt 2 of gate begins it anew/);
    const resumed = await project.wf(["resume", "r"]);
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.deepEqual(project.lines("told"), ["failed", "succeeded"]);
    for (const command of ["verify", "replay"]) assert.equal((await project.wf([command, "r"])).code, 0);
  });

  test("a retry begins anew; a timeout stops the run in it", { skip: needsLinux }, async (t) => {
    const project = projectFor(t);
    project.write(
      "w.yaml",
      `id: w
steps:
  - id: all
    retry: { max: 1, delay: 0s }
    workflow: { steps: [{ id: once, run: '${TELL}; test -e tried || { touch tried; exit 1; }' }] }
  - id: slow
    timeout: 300ms
    workflow: { steps: [{ id: sleeps, run: 'exec sleep 300' }] }
`,
    );
    const result = await project.wf(["run", "w.yaml", "--run-id", "r"]);
    assert.equal(result.code, 1, result.stderr);
    assert.deepEqual(project.lines("effects"), ["once", "once"]);
    const runDir = project.onlyRun();
    assert.equal(readRun(runDir).reason.code, "TIMEOUT");
    assert.equal(readRun(`${runDir}/steps/slow/attempt-1/run`).status, "canceled");
    await project.quiet();
  });

  test("an open gate in it: the outer run waits, and goes on when it is decided", async (t) => {
    const project = projectFor(t);
    project.write(
      "w.yaml",
      `id: w
steps:
  - id: all
    workflow: { steps: [{ id: ask, type: approval, message: go }, { id: then, run: ${TELL} }] }
`,
    );
    const first = await project.wf(["run", "w.yaml", "--run-id", "r"]);
    assert.equal(first.code, 3, first.stderr);
    const runDir = project.onlyRun();
    assert.equal(readRun(runDir).reason.code, "APPROVAL");
    assert.equal(readRun(runDir).steps.all.status, "waiting");
    decide(nested(project), "ask");
    assert.equal((await project.wf(["resume", "r"])).code, 0);
    assert.deepEqual(project.lines("effects"), ["then"]);
    assert.equal(readRun(runDir).steps.all.attempts, 1);
  });

  test("a gate in it that is decided while the engine is at other work is seen by that engine", {
    skip: needsLinux,
  }, async (t) => {
    const project = projectFor(t);
    project.write(
      "w.yaml",
      `id: w
steps:
  - { id: other, needs: [], run: 'while [ ! -e go-other ]; do sleep 0.02; done' }
  - id: all
    needs: []
    workflow: { steps: [{ id: ask, type: approval, message: go }, { id: then, run: ${TELL} }] }
`,
    );
    const engine = project.start(["run", "w.yaml", "--run-id", "r"]);
    const runDir = await project.untilRun();
    await untilEvent(runDir, "attempt_waiting");
    decide(nested(project), "ask");
    await untilAtWork(project, "then");
    letGo(project, "other");
    assert.equal((await engine.ended).code, 0);
  });

  test("cancel reaches into it, driven or waiting", { skip: needsLinux }, async (t) => {
    const project = projectFor(t);
    project.write(
      "w.yaml",
      "id: w\nsteps:\n  - id: all\n    workflow: { steps: [{ id: sleeps, run: 'echo sleeps >> effects; exec sleep 300' }] }\n",
    );
    const engine = project.start(["run", "w.yaml", "--run-id", "r"]);
    await untilAtWork(project, "sleeps");
    assert.equal((await project.wf(["cancel", "r", "--reason", "enough"])).code, 0);
    assert.equal((await engine.ended).code, 1);
    assert.equal(readRun(project.onlyRun()).status, "canceled");
    assert.equal(readRun(nested(project)).status, "canceled");
    await project.quiet();
  });

  test("a signal stops what runs in it, and resume goes on in the same attempt", {
    skip: needsLinux,
  }, async (t) => {
    const project = projectFor(t);
    project.write(
      "w.yaml",
      `id: w
steps:
  - id: all
    workflow: { steps: [{ id: held, run: '${TELL}; while [ ! -e go-held ]; do sleep 0.02; done' }] }
`,
    );
    const engine = project.start(["run", "w.yaml", "--run-id", "r"]);
    await untilAtWork(project, "held");
    engine.child.kill("SIGTERM");
    assert.equal((await engine.ended).code, 143);
    assert.equal(readRun(project.onlyRun()).reason.code, "SIGNAL");
    await project.quiet();
    letGo(project, "held");
    assert.equal((await project.wf(["resume", "r"])).code, 0);
    assert.equal(readRun(project.onlyRun()).steps.all.attempts, 1);
    assert.equal(readRun(nested(project)).steps.held.attempts, 2);
  });

  test("an engine that is killed: the steps in it go on, and are adopted", {
    skip: needsLinux,
  }, async (t) => {
    const project = projectFor(t);
    project.write(
      "w.yaml",
      `id: w
steps:
  - id: all
    workflow: { steps: [{ id: held, run: '${TELL}; while [ ! -e go-held ]; do sleep 0.02; done' }, { id: last, run: ${TELL} }] }
`,
    );
    const engine = project.start(["run", "w.yaml", "--run-id", "r"]);
    await untilAtWork(project, "held");
    const runDir = project.onlyRun();
    await killEngine({ engine, runDir });
    letGo(project, "held");
    const result = await project.wf(["resume", "r"]);
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual(project.lines("effects"), ["held", "last"]);
    assert.equal(readRun(runDir).steps.all.attempts, 1);
    assert.ok(readJournal(nested(project)).some(({ event }) => event === "attempt_adopted"));
  });

  test("a workflow may run itself, to a bound", async (t) => {
    const project = projectFor(t);
    project.write(
      "rec.yaml",
      `id: rec
inputs: { n: { type: integer } }
steps:
  - { id: say, run: 'echo {{inputs.n}} >> levels; echo "next=$(expr "{{inputs.n}}" - 1)" >> "$WF_OUTPUT"', outputs: { next: { type: integer } } }
  - { id: again, when: inputs.n > 0, workflow: rec.yaml, with: { n: '{{steps.say.outputs.next}}' } }
`,
    );
    assert.equal((await project.wf(["run", "rec.yaml", "--run-id", "three", "--input", "n=3"])).code, 0);
    assert.deepEqual(project.lines("levels"), ["3", "2", "1", "0"]);
    const deep = await project.wf(["run", "rec.yaml", "--run-id", "deep", "--input", "n=99"]);
    assert.equal(deep.code, 1);
    const { reason } = readRun(`${project.runsDir}/deep`);
    assert.match(reason.message, /would be nested in 16 others: no run goes deeper/);
    assert.doesNotMatch(reason.message, /its run failed.*its run failed/);
  });

  test("inputs that do not fit fail the attempt, and no run is made", async (t) => {
    const project = projectFor(t);
    project.write(
      "w.yaml",
      `id: w
steps:
  - { id: text, run: 'echo "v=no number" >> "$WF_OUTPUT"', outputs: [v] }
  - id: all
    workflow: { inputs: { n: { type: integer } }, steps: [{ id: never, run: ${TELL} }] }
    with: { n: '{{steps.text.outputs.v}}' }
`,
    );
    assert.equal((await project.wf(["run", "w.yaml", "--run-id", "r"])).code, 1);
    assert.equal(readRun(project.onlyRun()).reason.code, "INPUT_INVALID");
    assert.equal(fs.existsSync(nested(project)), false);
    assert.deepEqual(project.lines("effects"), []);
  });

  test("a secret reaches it only by a secret input, and stands nowhere", async (t) => {
    const project = projectFor(t);
    project.write(
      "w.yaml",
      `id: w
inputs: { token: { secret: true } }
env: { T: '{{inputs.token}}' }
steps:
  - id: all
    workflow:
      inputs: { inner: { secret: true } }
      steps: [{ id: show, run: 'echo "it is {{inputs.inner}} and \${T:-nothing}"' }]
    with: { inner: '{{inputs.token}}' }
`,
    );
    const env = { WF_SECRET_TOKEN: "s3cr3t-value-9" };
    const result = await project.wf(["run", "w.yaml", "--run-id", "r"], { env });
    assert.equal(result.code, 0, result.stderr);
    const log = fs.readFileSync(`${nested(project)}/steps/show/attempt-1/stdout.log`, "utf8");
    assert.equal(log, "it is *** and nothing\n");
    const found = await project.shell("grep -rl s3cr3t-value-9 .wf");
    assert.equal(found.stdout, "");
  });

  test("no more jobs at once than the outer run may have, however many runs are nested in it", {
    skip: needsLinux,
  }, async (t) => {
    const project = projectFor(t);
    project.write(
      "w.yaml",
      `id: w
steps:
  - id: all
    foreach: [1, 2, 3]
    workflow:
      steps:
        - { id: a, needs: [], run: &job 'mkdir "at.$$"; ls -d at.* | wc -l >> most; sleep 0.05; rmdir "at.$$"' }
        - { id: b, needs: [], run: *job }
        - { id: c, needs: [], run: *job }
`,
    );
    assert.equal((await project.wf(["run", "w.yaml", "--max-parallel", "2"])).code, 0);
    const most = project.lines("most").map(Number);
    assert.equal(most.length, 9);
    assert.ok(Math.max(...most) <= 2, most.join(" "));
  });
});

/** As a person would, with an editor. */
function decide(runDir: string, step: string): void {
  const gate = JSON.parse(fs.readFileSync(`${runDir}/steps/${step}/attempt-1/gate.json`, "utf8"));
  const { digest } = gate;
  const request = {
    request: "decide",
    step,
    attempt: 1,
    decision: "approve",
    comment: "",
    nonce: gate.volatile.nonce,
  };
  fs.writeFileSync(`${runDir}/other`, JSON.stringify({ ...request, digest, by: "me" }));
  fs.renameSync(`${runDir}/other`, `${runDir}/control/decide-${step}-1-1.json`);
}
