import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { who } from "./people.ts";
import { type Parsed, Rig, type Running } from "./rig.ts";
import { checkOutput } from "./schemas.ts";

/** A gate two runs deep, beside a step that ends when a file named `go` appears. */
const FILES = {
  "outer.yaml": `id: outer
steps:
  - { id: deploy, needs: [], workflow: middle.yaml }
  - { id: slow, needs: [], run: 'echo at work; until test -e go; do sleep 0.02; done; echo done' }
  - { id: last, needs: [deploy, slow], run: echo last }
`,
  "middle.yaml": "id: middle\nsteps:\n  - { id: stage, workflow: inner.yaml }\n",
  "inner.yaml": `id: inner
steps:
  - { id: notes, run: 'echo notes > "$WF_OUTPUT_NOTES"', output_files: { notes: notes.md } }
  - { id: sign_off, type: approval, message: 'Publish {{steps.notes.outputs.notes}}?', on_reject: notes }
  - { id: publish, run: echo published }
`,
};

const GATE = "deploy/stage/sign_off";
const INNER = "steps/deploy/attempt-1/run/steps/stage/attempt-1/run";

function project(t: TestContext): Rig {
  const rig = new Rig(t);
  // Whatever fails, the step ends.
  t.after(() => {
    try {
      writeFileSync(rig.path("go"), "");
    } catch {}
  });
  for (const [file, text] of Object.entries(FILES)) rig.write(file, text);
  return rig;
}

/** A run `r` that is driven: `slow` is at work, and the nested run waits for its gate. */
async function liveRun(t: TestContext): Promise<{ rig: Rig; running: Running }> {
  const rig = project(t);
  const running = rig.start(["run", "outer.yaml", "--run-id", "r", "--max-parallel", "4"]);
  await running.says("deploy/1 waiting: stage: sign_off waits for a decision");
  await running.says("slow/1 started");
  return { rig, running };
}

test("a gate in nested runs is decided while their engine is at other work", async (t) => {
  const { rig, running } = await liveRun(t);
  const status = (await rig.json(["status", "r"])).value;
  checkOutput("status", status);
  const file = "steps/notes/attempt-1/outputs/notes.md";
  assert.deepEqual(status.gates, [
    {
      name: GATE,
      step: "sign_off",
      attempt: 1,
      message: `Publish ${file}?`,
      artifacts: [
        {
          file,
          path: rig.path(".wf/runs/r", INNER, file),
          sha256: status.gates[0].artifacts[0].sha256,
        },
      ],
      commands: {
        approve: `wf approve r ${GATE}`,
        reject: `wf reject r ${GATE} --comment '…'`,
      },
      decided: null,
    },
  ]);
  const progress = (await rig.json(["progress", "r"])).value;
  checkOutput("progress", progress);
  assert.deepEqual(
    [progress.currentStepId, progress.currentAttempt, progress.pendingHumanInput.name],
    [GATE, 1, GATE],
  );
  const rejected = await rig.json(["reject", "r", GATE, "--comment", "more of it"]);
  checkOutput("reject", rejected.value);
  assert.deepEqual(
    [rejected.code, rejected.value.result, rejected.value.name, rejected.value.request],
    [0, "taken", GATE, `${INNER}/control/decide-sign_off-1-1.json`],
  );
  await running.says(`${GATE}/2 waits for a decision`);
  // One that waits in what is named is enough.
  const approved = await rig.wf(["approve", "r", "deploy"]);
  assert.deepEqual(
    [approved.code, rig.plain(approved.stdout)],
    [
      0,
      `${GATE}/2
  Publish steps/notes/attempt-2/outputs/notes.md?
  shown:    .wf/runs/r/${INNER}/steps/notes/attempt-2/outputs/notes.md
  approve:  ${who()}
${GATE}/2 of run r is approved: the engine has taken the decision and goes on
look:    wf status r
`,
    ],
  );
  await running.says("deploy/1 succeeded");
  writeFileSync(rig.path("go"), "");
  const { code, stdout } = await running.done();
  assert.equal(code, 0, stdout);
  const { value } = await rig.json(["status", "r"]);
  checkOutput("status", value);
  assert.deepEqual(
    value.decisions.map(({ name, attempt, decision, by }: Parsed) => [name, attempt, decision, by]),
    [
      [GATE, 1, "reject", who()],
      [GATE, 2, "approve", who()],
    ],
  );
});

test("without an engine the decision waits in the nested run; --resume drives the outer one", async (t) => {
  const rig = project(t);
  writeFileSync(rig.path("go"), "");
  const { code, stdout } = await rig.wf(["run", "outer.yaml", "--run-id", "r"]);
  assert.equal(code, 3, stdout);
  assert.ok(
    rig.plain(stdout).endsWith(`
${GATE} asks:
  Publish steps/notes/attempt-1/outputs/notes.md?
  shown:    .wf/runs/r/${INNER}/steps/notes/attempt-1/outputs/notes.md
  approve:  wf approve r ${GATE}
  reject:   wf reject r ${GATE} --comment '…'
`),
    stdout,
  );
  const later = await rig.wf(["approve", "r"]);
  assert.match(later.stdout, /the next resume takes the decision\nresume: {2}wf resume r\n$/);
  const again = await rig.wf(["approve", "r", GATE]);
  assert.equal(again.code, 2);
  assert.match(again.stderr, /^wf: deploy\/stage\/sign_off\/1 is decided already: /);
  const resumed = await rig.wf(["resume", "r"]);
  assert.equal(resumed.code, 0, resumed.stdout);
  assert.match(resumed.stdout, /deploy\/stage\/sign_off\/1 approved in/);

  assert.equal((await rig.wf(["run", "outer.yaml", "--run-id", "s"])).code, 3);
  const both = await rig.json(["approve", "s", GATE, "--resume"]);
  checkOutput("approve", both.value);
  assert.deepEqual([both.code, both.value.result, both.value.outcome.status], [0, "resumed", "succeeded"]);
});

test("a step of the outer run can not decide a gate of a run in it", async (t) => {
  const rig = project(t);
  rig.write(
    "outer.yaml",
    `id: outer
steps:
  - { id: deploy, needs: [], workflow: middle.yaml }
  - id: sly
    needs: []
    run: 'until $WF status r | grep -q "asks:"; do sleep 0.1; done; $WF approve r > said 2>&1 || echo $? >> said'
`,
  );
  const env = { WF: `${process.execPath} ${rig.wfPath}` };
  const { code, stdout } = await rig.wf(["run", "outer.yaml", "--run-id", "r", "--max-parallel", "2"], {
    env,
  });
  assert.equal(code, 3, stdout);
  assert.match(rig.read("said"), /it can not decide deploy\/stage\/sign_off .*\n(?:.|\n)*\n2\n$/);
  assert.match(stdout, /deploy\/stage\/sign_off\/1 refused: a step of this run tried to decide the gate/);
});

test("a run whose nested run waits is canceled, and its gate is closed", async (t) => {
  const rig = project(t);
  writeFileSync(rig.path("go"), "");
  assert.equal((await rig.wf(["run", "outer.yaml", "--run-id", "r"])).code, 3);
  const { code, value } = await rig.json(["cancel", "r", "--reason", "not today"]);
  checkOutput("cancel", value);
  assert.deepEqual([code, value.status], [0, "canceled"]);
  const { value: status } = await rig.json(["status", "r"]);
  const { deploy } = status.steps;
  assert.deepEqual(
    [deploy.status, deploy.run.status, deploy.run.steps.stage.run.steps.sign_off.status, status.gates],
    ["canceled", "canceled", "canceled", []],
  );
});

test("progress --follow and logs -f reach into nested runs, those that begin later too", async (t) => {
  const { rig, running } = await liveRun(t);
  const events = rig.start(["progress", "r", "--follow", "--json"]);
  const all = rig.start(["logs", "r", "-f"]);
  const only = rig.start(["logs", "r", "deploy", "-f"]);
  await events.says('"event":"attempt_waiting"');
  await all.says("at work");
  assert.equal((await rig.wf(["approve", "r", GATE])).code, 0);
  await events.says('"within":"deploy/stage"');
  await running.says("deploy/1 succeeded");
  writeFileSync(rig.path("go"), "");
  assert.equal((await running.done()).code, 0);

  const lines = (await events.done()).stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const of = (within?: string) => lines.filter((line) => line.within === within);
  for (const [within, folder] of [
    [undefined, ""],
    ["deploy", "steps/deploy/attempt-1/run/"],
    ["deploy/stage", `${INNER}/`],
  ] as const) {
    const journal = rig.read(`.wf/runs/r/${folder}progress.ndjson`).trim().split("\n");
    const withPlace = journal.map((line) => ({ ...JSON.parse(line), ...(within && { within }) }));
    assert.deepEqual(of(within), withPlace);
  }
  // A nested run's lines stand between the start and the end of its attempt.
  const order = lines.map(({ within = "", event }) => `${within} ${event}`);
  const at = (text: string, from = 0) => order.indexOf(text, from);
  assert.ok(at("deploy run_created") > at(" attempt_started"));
  assert.ok(at("deploy/stage run_created") > at("deploy attempt_started"));
  assert.ok(at("deploy/stage run_waiting") < at("deploy attempt_waiting"));
  assert.ok(at("deploy attempt_waiting") < at(" attempt_waiting"));
  assert.ok(at("deploy/stage run_ended") < at("deploy attempt_ended"));

  const followed = await all.done();
  assert.deepEqual([followed.code, followed.stderr], [0, ""]);
  assert.match(followed.stdout, /^at work$/m);
  assert.match(followed.stdout, /==> deploy\/stage\/publish\/1 stdout <==\npublished\n/);
  const { stdout } = await only.done();
  assert.doesNotMatch(stdout, /at work|last/);
  assert.match(stdout, /published\n/);
});
