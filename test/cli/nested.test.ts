import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { type Parsed, Rig } from "./rig.ts";
import { checkOutput } from "./schemas.ts";

/** Three runs deep, with a foreach between: the second item fails. */
const FILES = {
  "outer.yaml": `id: outer
steps:
  - { id: build, run: echo building }
  - { id: deploy, workflow: middle.yaml }
  - { id: announce, run: echo done }
`,
  "middle.yaml": `id: middle
steps:
  - { id: each, foreach: [dev, prod, stage], workflow: flows/inner.yaml, with: { target: '{{item}}' } }
  - { id: after, run: echo after }
limits: { max_parallel: 1 }
`,
  "flows/inner.yaml": `id: inner
inputs: { target: { type: string } }
steps:
  - { id: prepare, run: 'echo preparing {{inputs.target}}' }
  - id: check
    run: |
      echo checking {{inputs.target}}
      if [ {{inputs.target}} = prod ] && [ ! -e mended ]; then echo "no such database" >&2; exit 3; fi
  - { id: publish, run: 'echo publishing {{inputs.target}}' }
`,
};

const CHECK = "deploy/each/item-1/check";
const CHECK_DIR =
  ".wf/runs/r/steps/deploy/attempt-1/run/steps/each/item-1/attempt-1/run/steps/check/attempt-1";

async function failedRun(t: TestContext): Promise<{ rig: Rig; stdout: string }> {
  const rig = new Rig(t);
  for (const [file, text] of Object.entries(FILES)) rig.write(file, text);
  const { code, stdout, stderr } = await rig.wf(["run", "outer.yaml", "--run-id", "r"]);
  assert.deepEqual([code, stderr], [1, ""], stdout);
  return { rig, stdout };
}

test("a step that fails deep in nested runs is named as a whole, with its log, and the printed commands work", async (t) => {
  const { rig, stdout } = await failedRun(t);
  assert.equal(
    rig.plain(stdout),
    `run r in .wf/runs/r
<time> r build/1 started
<time> r build/1 succeeded in <took>
<time> r deploy/1 started
<time> r deploy/each 3 items
<time> r deploy/each/item-0/1 started
<time> r deploy/each/item-0/prepare/1 started
<time> r deploy/each/item-0/prepare/1 succeeded in <took>
<time> r deploy/each/item-0/check/1 started
<time> r deploy/each/item-0/check/1 succeeded in <took>
<time> r deploy/each/item-0/publish/1 started
<time> r deploy/each/item-0/publish/1 succeeded in <took>
<time> r deploy/each/item-0/1 succeeded in <took>
<time> r deploy/each/item-1/1 started
<time> r deploy/each/item-1/prepare/1 started
<time> r deploy/each/item-1/prepare/1 succeeded in <took>
<time> r deploy/each/item-1/check/1 started
<time> r deploy/each/item-1/check/1 failed in <took>: exit status 3
<time> r deploy/each/item-1/1 failed in <took>: its run failed: check failed on attempt 1: exit status 3
<time> r deploy/1 failed in <took>: its run failed: each/item-1/check failed on attempt 1: exit status 3
<time> r run failed

${CHECK} failed on attempt 1: exit status 3   [EXIT_STATUS]
  hint: see stderr.log
  not reached: announce, 1 other item of deploy/each, deploy/after, deploy/each/item-1/publish
  the end of ${CHECK_DIR.slice(".wf/runs/r/".length)}/stderr.log:
    | no such database

run r failed after <took>: ${CHECK} failed on attempt 1: exit status 3
  folder:  .wf/runs/r
  look:    wf show r ${CHECK}
  resume:  wf resume r
`,
  );
  const [look = ""] = /(?<=look: +wf ).*/.exec(stdout) ?? [];
  const show = await rig.wf(look.split(" "));
  assert.equal(show.code, 0);
  assert.match(show.stdout, /^step {6}deploy\/each\/item-1\/check$/m);
  assert.match(show.stdout, new RegExp(`^folder {4}${CHECK_DIR}$`, "m"));

  // Nothing that has finished is done again, however deep it lies.
  writeFileSync(rig.path("mended"), "");
  const resumed = await rig.wf(["resume", "r"]);
  assert.equal(resumed.code, 0, resumed.stdout);
  const started = [...resumed.stdout.matchAll(/ (\S+)\/\d+ started/g)].map(([, name]) => name);
  assert.deepEqual(started, [
    "deploy",
    "deploy/each/item-1",
    CHECK,
    "deploy/each/item-1/publish",
    "deploy/each/item-2",
    "deploy/each/item-2/prepare",
    "deploy/each/item-2/check",
    "deploy/each/item-2/publish",
    "deploy/after",
    "announce",
  ]);

  // A nested run that is gone on with has the lines of the attempt before it: they are told once.
  const { stdout: events } = await rig.wf(["progress", "r", "--follow"]);
  const told = events.split("\n").filter((line) => / (\S+\/)?check\/\d started/.test(line));
  assert.deepEqual(
    told.map((line) => line.split(" ")[2]),
    ["item-0/check/1", "item-1/check/1", "item-1/check/2", "item-2/check/1"].map(
      (name) => `deploy/each/${name}`,
    ),
  );
});

test("status shows what is within each step; for a program all of it", async (t) => {
  const { rig } = await failedRun(t);
  const { stdout } = await rig.wf(["status", "r"]);
  assert.equal(
    rig.plain(stdout),
    `run       r
workflow  outer   project:outer.yaml
status    failed: ${CHECK} failed on attempt 1: exit status 3   [EXIT_STATUS]
started   <date>, ended after <took>
engine    driven by nobody
folder    .wf/runs/r
next      wf resume starts attempt 2 of deploy
inputs    none

STEP                STATUS
build               passed on attempt 1
deploy              failed on attempt 1: its run failed   [NESTED_FAILED]
  each              1 of 3 items failed; 1 passed, 1 not reached
    item-0 (dev)    passed on attempt 1
    item-1 (prod)   failed on attempt 1: its run failed   [NESTED_FAILED]
      prepare       passed on attempt 1
      check         failed on attempt 1: exit status 3   [EXIT_STATUS]
      publish       not reached
    item-2 (stage)  not reached
  after             not reached
announce            not reached

hint:    see stderr.log
logs:    wf logs r ${CHECK}
resume:  wf resume r
`,
  );
  const { value } = await rig.json(["status", "r"]);
  checkOutput("status", value);
  const { deploy } = value.steps;
  assert.deepEqual([deploy.run.workflow, deploy.run.status], ["middle", "failed"]);
  const { each } = deploy.run.steps;
  assert.deepEqual(each.items, { total: 3, pending: 1, succeeded: 1, failed: 1 });
  assert.deepEqual(
    each.each.map(({ item, value: of, status }: Parsed) => [item, of, status]),
    [
      [0, "dev", "succeeded"],
      [1, "prod", "failed"],
      [2, "stage", "pending"],
    ],
  );
  assert.equal(each.each[0].run.steps.publish.status, "succeeded");
  assert.deepEqual(value.rootCause, {
    name: CHECK,
    attempt: 1,
    runDir: rig.path(CHECK_DIR, "../../.."),
    code: "EXIT_STATUS",
    message: `${CHECK} failed on attempt 1: exit status 3`,
  });
});

test("a nested run is shown by itself, by its name or its folder, and belongs to the run around it", async (t) => {
  const { rig } = await failedRun(t);
  const byName = await rig.wf(["status", "r", "deploy/each/item-1"]);
  const folder = `${CHECK_DIR}/../../..`;
  const byPath = await rig.wf(["status", folder]);
  assert.equal(byName.stdout, byPath.stdout);
  assert.match(byName.stdout, /^part of {3}run r: it is the run of deploy\/each\/item-1$/m);
  assert.match(byName.stdout, /^logs: {4}wf logs r deploy\/each\/item-1\/check$/m);
  assert.match(byName.stdout, /^around: {2}wf status r$/m);
  assert.doesNotMatch(byName.stdout, /^resume:/m);

  for (const [args, instead] of [
    [["resume", folder], "wf resume r"],
    [["next", folder], "wf next r"],
    [["cancel", folder], "wf cancel r"],
    [["approve", folder, "sign_off"], "wf approve r deploy/each/item-1/sign_off"],
  ] as const) {
    const { code, stdout, stderr } = await rig.wf(args);
    assert.deepEqual(
      [code, stdout, stderr],
      [
        2,
        "",
        `wf: this is the run of deploy/each/item-1, a part of run r   [WRONG_STATE]\n    the whole of it:  ${instead}\n`,
      ],
    );
  }
  assert.deepEqual(
    (await rig.json(["ls"])).value.runs.map(({ runId }: Parsed) => runId),
    ["r"],
  );
  for (const [option, args] of [
    ["--until", ["run", "outer.yaml", "--until", "deploy/each"]],
    ["--from", ["resume", "r", "--from", "deploy/each/item-1"]],
  ] as const) {
    const { code, stderr } = await rig.wf(args);
    assert.equal(code, 2);
    assert.ok(stderr.includes(`${option} takes a step of the workflow itself`), stderr);
  }
});

test("logs: of what failed however deep, of all that a name stands for, of one attempt", async (t) => {
  const { rig } = await failedRun(t);
  const logs = async (...args: string[]) => (await rig.wf(["logs", "r", ...args])).stdout;
  assert.equal(await logs(), `checking prod\n\n==> ${CHECK}/1 stderr <==\nno such database\n`);
  assert.equal(
    await logs("deploy"),
    `==> deploy/each/item-0/prepare/1 stdout <==
preparing dev

==> deploy/each/item-0/check/1 stdout <==
checking dev

==> deploy/each/item-0/publish/1 stdout <==
publishing dev

==> deploy/each/item-1/prepare/1 stdout <==
preparing prod

==> deploy/each/item-1/check/1 stdout <==
checking prod

==> deploy/each/item-1/check/1 stderr <==
no such database
`,
  );
  assert.equal(await logs(CHECK, "--stderr"), `==> ${CHECK}/1 stderr <==\nno such database\n`);
  assert.equal(await logs("deploy/1/each/item-0/1/prepare/1"), "preparing dev\n");
  const lines = (await logs(CHECK, "--json"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  for (const line of lines) checkOutput("logs", line);
  assert.deepEqual(lines[1], {
    within: "deploy/each/item-1",
    step: "check",
    attempt: 1,
    stream: "stderr",
    text: "no such database",
  });
});

test("a name that leads nowhere: what there is instead", async (t) => {
  const { rig } = await failedRun(t);
  for (const [name, message, hint] of [
    [
      "deploi",
      'the workflow outer has no step "deploi"',
      'did you mean "deploy"? steps: build, deploy, announce',
    ],
    [
      "deploy/eahc",
      'the workflow middle, which deploy runs, has no step "eahc"',
      'did you mean "each"? steps: each, after',
    ],
    ["build/x", 'build is no nested workflow: there is no "x" in it', null],
    [
      "build/item-0",
      'build is no nested workflow: there is no "item-0" in it',
      "build has no foreach either",
    ],
    ["deploy/each/item-7", "deploy/each has items 0 to 2, there is no item 7", null],
    [
      "deploy/each",
      "deploy/each has items 0 to 2, and the name leaves open which is meant",
      "failed: deploy/each/item-1",
    ],
    [
      "deploy/each/check",
      "deploy/each has items 0 to 2, and the name leaves open which is meant",
      "failed: deploy/each/item-1/check",
    ],
    [`${CHECK}/2`, `${CHECK} has had one attempt, there is no attempt 2`, null],
    ["deploy/2/each", "deploy has had one attempt, there is no attempt 2", null],
    ["deploy/after", "deploy/after has had no attempt", "it has not been reached"],
    ["deploy/each/item-2", "deploy/each/item-2 has had no attempt", "it has not been reached"],
    [
      "deploy/each/item-2/check",
      "deploy/each/item-2 has had no attempt: the workflow that it runs has not begun",
      null,
    ],
  ] as const) {
    const { code, stdout, stderr } = await rig.wf(["show", "r", name]);
    const expected = `wf: ${message}   [STEP_NOT_FOUND]\n${hint === null ? "" : `    ${hint}\n`}`;
    assert.deepEqual([name, code, stdout, stderr], [name, 2, "", expected]);
  }
  const { code, stderr } = await rig.wf(["show", "r", "deploy//each"]);
  assert.equal(code, 2);
  assert.match(stderr, /^wf: "deploy\/\/each" does not name a step or an attempt {3}\[USAGE\]/);
});

test("a step that is called like an item is a step where there is no foreach", async (t) => {
  const rig = new Rig(t);
  rig.write("outer.yaml", "id: outer\nsteps:\n  - { id: deploy, workflow: inner.yaml }\n");
  rig.write("inner.yaml", "id: inner\nsteps:\n  - { id: item-0, run: echo a step }\n");
  assert.equal((await rig.wf(["run", "outer.yaml", "--run-id", "r"])).code, 0);
  assert.equal((await rig.wf(["logs", "r", "deploy/item-0"])).stdout, "a step\n");
  const { value } = await rig.json(["show", "r", "deploy/item-0/1"]);
  checkOutput("show", value);
  assert.deepEqual([value.name, value.step, value.item], ["deploy/item-0", "item-0", undefined]);
});

const MANY = `id: many
inputs: { list: { type: array } }
steps:
  - id: checks
    needs: []
    foreach: '{{inputs.list}}'
    run: 'case {{item}} in n7|n77|n177) echo "bad {{item}}" >&2; exit 3;; esac; echo ok {{item}}'
  - { id: sum, needs: [checks], run: echo sum }
on_failure: continue
`;

test("200 items of which 3 fail: these are shown, and the others counted", async (t) => {
  const rig = new Rig(t);
  rig.write("many.yaml", MANY);
  const list = Array.from({ length: 200 }, (_, n) => `n${n}`);
  rig.write("in.json", JSON.stringify({ list }));
  const args = ["run", "many.yaml", "--run-id", "m", "--input-file", "in.json", "--durability", "process"];
  const { code, stdout } = await rig.wf(args);
  assert.equal(code, 1, stdout);
  assert.match(stdout, /^ {2}also failed: 2 other items of checks$/m);
  const status = rig.plain((await rig.wf(["status", "m"])).stdout);
  assert.equal(
    status.slice(status.indexOf("STEP"), status.indexOf("\nhint")),
    `STEP               STATUS
checks             3 of 200 items failed; 197 passed
  item-7 (n7)      failed on attempt 1: exit status 3   [EXIT_STATUS]
  item-77 (n77)    failed on attempt 1: exit status 3   [EXIT_STATUS]
  item-177 (n177)  failed on attempt 1: exit status 3   [EXIT_STATUS]
  …                197 more items: 197 passed
sum                not reached
`,
  );
  const { value } = await rig.json(["status", "m"]);
  checkOutput("status", value);
  assert.equal(value.steps.checks.each.length, 200);
  assert.equal(
    (await rig.wf(["logs", "m"])).stdout,
    [7, 77, 177].map((n) => `==> checks/item-${n}/1 stderr <==\nbad n${n}\n`).join("\n"),
  );
  const all = (await rig.wf(["logs", "m", "checks"])).stdout;
  assert.equal(all.match(/^ok n\d+$/gm)?.length, 197);
  assert.ok(all.indexOf("ok n99\n") < all.indexOf("ok n100\n"));
  const { stderr } = await rig.wf(["show", "m", "checks"]);
  assert.match(stderr, /failed: checks\/item-7, checks\/item-77, checks\/item-177\n/);
  const show = await rig.json(["show", "m", "checks/item-77/1"]);
  checkOutput("show", show.value);
  assert.deepEqual(
    [show.value.name, show.value.item, show.value.value, show.value.record.exitCode],
    ["checks/item-77", 77, "n77", 3],
  );
});

test("completion knows the steps of a run, its items, and what is nested in these", async (t) => {
  const { rig } = await failedRun(t);
  for (const [typed, expected] of [
    [
      ["logs", "r", ""],
      ["build", "deploy", "announce"],
    ],
    [
      ["show", "r", "deploy/"],
      ["deploy/each", "deploy/after"],
    ],
    [
      ["graph", "r", "deploy/each/it"],
      ["deploy/each/item-0", "deploy/each/item-1", "deploy/each/item-2"],
    ],
    [["approve", "r", "deploy/each/item-1/ch"], [CHECK]],
    [["logs", "nope", ""], []],
  ] as const) {
    const { code, stdout, stderr } = await rig.wf(["--get-yargs-completions", "wf", ...typed]);
    assert.deepEqual([code, stdout.split("\n").filter(Boolean), stderr], [0, expected, ""]);
  }
});
