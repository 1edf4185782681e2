import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import type { KnownJob } from "../../src/process/executor.ts";
import { viewRun } from "../../src/review/view.ts";
import { type Look, whyRun } from "../../src/review/why.ts";
import type { StepWhy } from "../../src/review/why-told.ts";
import { type Parsed, Rig } from "../cli/rig.ts";
import { checkOutput } from "../cli/schemas.ts";
import { hold, killEngine, letGo, processOf, startHeld } from "../rig/held.ts";
import { isGone, kill } from "../rig/processes.ts";
import { projectFor } from "../rig/project.ts";
import { digestOf } from "../rig/tree.ts";
import { until } from "../rig/wait.ts";

const FLOW = `id: flow
steps:
  - { id: build, run: echo built }
  - id: each
    foreach: [dev, prod, sg]
    workflow: region.yaml
    with: { where: '{{item}}' }
  - { id: after, run: echo after }
`;

const REGION = `id: region
inputs: { where: { type: string } }
steps:
  - { id: prepare, run: echo prepared }
  - id: test
    retry: { max: 1, delay: 1ms }
    run: |
      if [ "{{inputs.where}}" = prod ] && [ ! -e fixed ]; then echo "no way" >&2; exit 7; fi
  - { id: sign, when: inputs.where == "sg", type: approval, message: 'Really?' }
  - { id: publish, run: echo out }
`;

/** The run `f`, in which `prod` has failed, and `sg` has not begun. */
async function failedRun(rig: Rig): Promise<void> {
  rig.write("flow.yaml", FLOW);
  rig.write("region.yaml", REGION);
  const { code, stderr } = await rig.wf(["run", "flow.yaml", "--run-id", "f", "--max-parallel", "1"]);
  assert.equal(code, 1, stderr);
}

async function told(rig: Rig, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await rig.wf(["why", ...args]);
  assert.deepEqual([code, stderr], [0, ""]);
  checkOutput("why", (await rig.json(["why", ...args])).value);
  return rig.plain(stdout);
}

const COPY = "it failed, and a resume goes on with a copy of its run";
const AGAIN = "it failed, and a resume makes a new attempt";

test("of a step that failed in a run in an item, the cause is named and each level tells what a resume does", async (t) => {
  const rig = new Rig(t);
  await failedRun(rig);
  const before = digestOf(rig.path(".wf/runs/f"));
  assert.equal(
    await told(rig, "f"),
    `run f failed: each/item-1/test failed on attempt 2: exit status 7   [EXIT_STATUS]
wf resume f: it starts attempt 2 of each/item-1: ${COPY}

STEP             STATUS     RESUME   WHY
build            succeeded  reuse    first step in the file
each             failed     run      from build: next step in the file; failed: 1 of 3 items failed; the first, item-1: its run failed: test failed on attempt 2: exit status 7 [NESTED_FAILED]; resume: of its 3 items 2 run, 1 reuse
  item-0 (dev)   succeeded  reuse    it is item 1 of 3 of each
  item-1 (prod)  failed     run      it is item 2 of 3 of each; failed on attempt 1: its run failed [NESTED_FAILED]; resume: attempt 2: ${COPY}
    prepare      succeeded  reuse    first step in the file
    test         failed     run      from prepare: next step in the file; failed on attempt 2: exit status 7 [EXIT_STATUS]; resume: attempt 3: ${AGAIN}
    sign         pending    blocked  not reached: the run failed at test
    publish      pending    blocked  not reached: the run failed at test
  item-2 (sg)    pending    run      it was due when the run failed at each; resume: attempt 1: it is due, as item 3 of each
after            pending    blocked  not reached: the run failed at each
`,
  );
  assert.equal(
    await told(rig, "f", "each/item-1"),
    `step      each/item-1
item      "prod"
status    failed, 1 attempt
why       it is item 2 of 3 of each
cause     each/item-1/test failed on attempt 2: exit status 7   [EXIT_STATUS]
          the end of its stderr.log:
            no way
          wf why f each/item-1/test
resume    run: attempt 2: ${COPY}

attempt 1, the first: it is item 2 of 3 of each
  started <date>, <took> after build
  failed in <took>: its run failed: test failed on attempt 2: exit status 7   [NESTED_FAILED]
    hint: see stderr.log
  then: the run ended as failed

its run of region: failed; resume: it starts attempt 3 of test
STEP     STATUS     RESUME   WHY
prepare  succeeded  reuse    first step in the file
test     failed     run      from prepare: next step in the file; failed on attempt 2: exit status 7 [EXIT_STATUS]; resume: attempt 3: ${AGAIN}
sign     pending    blocked  not reached: the run failed at test
publish  pending    blocked  not reached: the run failed at test
`,
  );
  assert.equal(
    await told(rig, "f", "each/item-1/1/test/1"),
    `step      each/item-1/test
status    failed, 2 attempts
why       from prepare: next step in the file
resume    run: attempt 3: ${AGAIN}

attempt 1, the first: from prepare: next step in the file
  started <date>, <took> after prepare
  failed in <took>: exit status 7   [EXIT_STATUS]
    hint: see stderr.log
    the end of stderr.log:
      no way
  then: tried again: retry 1 of 1: exit status 7
`,
  );
  const { value } = await rig.json(["why", "f", "each"]);
  assert.equal(value.steps[0].rootCause.name, "each/item-1/test");
  assert.equal(value.rootCause.name, "each/item-1/test");
  assert.deepEqual(
    value.steps[0].items.map(({ name, value: item, resume }: Parsed) => [name, item, resume.does]),
    [
      ["each/item-0", "dev", "reuse"],
      ["each/item-1", "prod", "run"],
      ["each/item-2", "sg", "run"],
    ],
  );
  assert.equal(digestOf(rig.path(".wf/runs/f")), before);
});

test("a resume does with items and nested runs what was told, and what is over is said to be", async (t) => {
  const rig = new Rig(t);
  await failedRun(rig);
  rig.write("fixed", "");
  assert.equal((await rig.wf(["resume", "f"])).code, 3);
  const { value } = await rig.json(["why", "f"]);
  const [, each] = value.steps;
  assert.deepEqual(
    each.items.map(({ attempts, status }: Parsed) => [attempts, status]),
    [
      [1, "succeeded"],
      [2, "succeeded"],
      [1, "waiting"],
    ],
  );
  assert.equal(each.items[1].run.steps[1].attempts, 3);
  const older = await told(rig, "f", "each/item-1/1/test");
  assert.match(
    older,
    /^step {6}each\/item-1\/1\/test\n(?:.*\n)*resume {4}blocked: attempt 1 of each\/item-1 is over, and attempt 2 came after it\n/,
  );
  const story = await told(rig, "f", "each/item-1");
  assert.match(story, /^attempt 2, by resume: the run was resumed$/m);
  assert.match(story, /^its run of region: succeeded; resume: each\/item-1: it passed on attempt 2$/m);
});

test("a gate in a nested run is waited for, until an engine has a decision to take", async (t) => {
  const rig = new Rig(t);
  rig.write("region.yaml", REGION);
  rig.write("gated.yaml", "id: gated\nsteps:\n  - { id: sea, workflow: region.yaml, with: { where: sg } }\n");
  assert.equal((await rig.wf(["run", "gated.yaml", "--run-id", "g"])).code, 3);
  const plans = async () => {
    const { value } = await rig.json(["why", "g"]);
    const [{ resume, run }] = value.steps;
    const sign = run.steps[2];
    return [value.resume.does, [resume.does, resume.because], [sign.resume.does, sign.resume.because]];
  };
  assert.deepEqual(await plans(), [
    "waits",
    ["wait", "for its run: sign waits for a person: wf approve or wf reject decides"],
    ["wait", "for a person: wf approve or wf reject decides"],
  ]);
  await rig.wf(["approve", "g", "sea/sign"]);
  const taken = "for an engine: a decision is in control/decide-sign-1-1.json";
  assert.deepEqual(await plans(), [
    "goes on",
    ["adopt", `its run goes on: sign waits ${taken}`],
    ["wait", taken],
  ]);
  assert.match(await told(rig, "g", "sea/sign"), /^resume {4}wait: waits for an engine: a decision is in /m);
});

const HELD = `id: held
steps:
  - { id: each, foreach: [1], workflow: inner.yaml }
`;

const INNER = `id: inner
steps:
  - id: held
    run: |
      ${hold()}
  - { id: last, run: 'true' }
`;

test("what is left of a nested run whose engine died is adopted in its place, or run again there", async (t) => {
  const project = projectFor(t);
  project.write("inner.yaml", INNER);
  const held = await startHeld(project, HELD);
  const nested = `${held.runDir}/steps/each/item-0/attempt-1/run`;
  const plans = async () => {
    const { code, stdout, stderr } = await project.wf(["why", held.runDir, "--json"]);
    assert.equal(code, 0, stderr);
    const value: Parsed = JSON.parse(stdout);
    checkOutput("why", value);
    const [item] = value.steps[0].items;
    return [item, ...item.run.steps].map(({ resume }: Parsed) => `${resume.does}: ${resume.because}`);
  };
  const drives = "it runs; if its engine dies, a resume takes it over";
  assert.deepEqual(await plans(), [`adopt: ${drives}`, `adopt: ${drives}`, "blocked: held comes first"]);
  await killEngine(held);
  assert.deepEqual(await plans(), [
    "adopt: its run goes on: it takes over attempt 1 of held",
    "adopt: its process still runs",
    "blocked: held comes first",
  ]);
  const pid = await processOf(nested, "held");
  kill(project.processes().map((each) => each.pid));
  await until(() => isGone(pid), "the step to be gone");
  assert.deepEqual(await plans(), [
    "adopt: its run goes on: it starts attempt 2 of held",
    "run: attempt 1: its process is gone and has left no exit status",
    "blocked: held comes first",
  ]);
  letGo(project, "held");
  assert.equal((await project.wf(["resume", held.runDir])).code, 0);
  assert.deepEqual((await plans()).slice(0, 2), [
    "reuse: it passed on attempt 1",
    "reuse: it passed on attempt 2",
  ]);
});

test("a copy of a nested run that nobody has gone on with yet is gone on with, and has not ended", async (t) => {
  const project = projectFor(t);
  project.write(
    "bad.yaml",
    "id: bad\nsteps:\n  - { id: a, run: 'true' }\n  - { id: b, run: test -e fixed }\n",
  );
  project.write("w.yaml", "id: w\nsteps:\n  - { id: sub, workflow: bad.yaml }\n");
  await project.wf(["run", "w.yaml"]);
  const runDir = project.onlyRun();
  const fault = { on: "sub/attempt-2/run/lock", when: "before", does: "kill" } as const;
  await project.wf(["resume", runDir], { fault });
  assert.ok(fs.existsSync(`${runDir}/steps/sub/attempt-2/run/run.json`));
  const value: Parsed = JSON.parse((await project.wf(["why", runDir, "--json"])).stdout);
  const [sub] = value.steps;
  assert.deepEqual(
    [sub, ...sub.run.steps].map(({ resume }: Parsed) => `${resume.does}: ${resume.because}`),
    ["adopt: its run goes on: it starts attempt 2 of b", "reuse: it passed on attempt 1", `run: ${AGAIN}`],
  );
  project.write("fixed", "");
  assert.equal((await project.wf(["resume", runDir])).code, 0);
});

test("a nested run that a retry begins anew is not gone on with, and one that is left stays as it is", async (t) => {
  const rig = new Rig(t);
  rig.write("bad.yaml", "id: bad\nsteps:\n  - { id: a, run: 'true' }\n  - { id: b, run: exit 1 }\n");
  const text = (more: string) =>
    `id: w\nsteps:\n  - { id: sub, workflow: bad.yaml, ${more} }\n  - { id: c, run: exit 2 }\n`;
  rig.write("left.yaml", text("allow_failure: true"));
  assert.equal((await rig.wf(["run", "left.yaml", "--run-id", "left"])).code, 1);
  const plansOf = async (run: string) => {
    const { value } = await rig.json(["why", run]);
    const [{ resume, run: nested }] = value.steps;
    return [resume, ...nested.steps.map((step: Parsed) => step.resume)].map(
      ({ does, because }: Parsed) => `${does}: ${because}`,
    );
  };
  assert.deepEqual(await plansOf("left"), [
    "reuse: it failed on attempt 1, and may",
    "reuse: it passed on attempt 1",
    "blocked: sub: it failed on attempt 1, and may",
  ]);
  rig.write("anew.yaml", text("retry: { max: 1, delay: 1h }"));
  const running = rig.start(["run", "anew.yaml", "--run-id", "anew"]);
  await running.says("again in 1 h");
  running.child.kill("SIGKILL");
  await running.done();
  assert.deepEqual(await plansOf("anew"), [
    "wait: until the delay of its retry is over",
    "run: attempt 2 of sub begins it anew",
    "run: attempt 2 of sub begins it anew",
  ]);
});

test("a run that went on with another definition tells why, by the definition of the time", async (t) => {
  const rig = new Rig(t);
  const text = (steps: string) => `id: two\nsteps:\n  - { id: first, run: 'true' }\n${steps}`;
  rig.write("two.yaml", text("  - { id: second, run: exit 3 }\n"));
  assert.equal((await rig.wf(["run", "two.yaml", "--run-id", "r"])).code, 1);
  rig.write("two.yaml", text("  - { id: between, run: 'true' }\n  - { id: second, run: 'true' }\n"));
  assert.equal((await rig.wf(["resume", "r", "--workflow", "two.yaml"])).code, 0);
  assert.equal(
    await told(rig, "r"),
    `run r succeeded
wf resume r: the run succeeded: nothing is left to do

STEP     STATUS     RESUME  WHY
first    succeeded  reuse   first step in the file
between  succeeded  reuse   the definition was changed
second   succeeded  reuse   from between: next step in the file; passed on attempt 2
`,
  );
});

test("what has become of open jobs is asked of the executor, once for all of a run, and no answer is no end", async (t) => {
  const project = projectFor(t);
  const text = `id: held
steps:
  - id: held
    foreach: [a, b]
    run: |
      ${hold()}
`;
  const held = await startHeld(project, text);
  await until(() => project.lines("effects").filter((line) => /held/.test(line)).length >= 2, "both items");
  await killEngine(held);
  const view = await viewRun(held.runDir);
  assert.ok(view.kind === "current");
  const asked: (readonly KnownJob[])[] = [];
  const find: Look["find"] = async (jobs) => {
    asked.push(jobs);
    return jobs.map((_, n) => (n === 0 ? { found: "unanswered", why: "no answer" } : { found: "lost" }));
  };
  const { steps } = await whyRun(view, { find, now: Date.now(), into: () => true });
  const items = (steps[0] as StepWhy).items.map(({ resume }) => [resume.does, resume.because]);
  assert.deepEqual(items, [
    ["adopt", "it counts as running: no answer"],
    ["run", "attempt 1: its process is gone and has left no exit status"],
  ]);
  assert.equal(asked.length, 1);
  assert.deepEqual(
    asked[0]?.map(({ attemptDir }) => attemptDir.slice(held.runDir.length)),
    ["/steps/held/item-0/attempt-1", "/steps/held/item-1/attempt-1"],
  );
  letGo(project, "held");
});

test("of many items those are shown that failed or are active; a name that leads nowhere is answered with what there is", async (t) => {
  const rig = new Rig(t);
  const list = Array.from({ length: 15 }, (_, n) => n);
  rig.write(
    "many.yaml",
    `id: many\nsteps:\n  - { id: all, foreach: [${list.join(", ")}], allow_failure: true, run: '[ "{{item}}" != 7 ]' }\n`,
  );
  assert.equal((await rig.wf(["run", "many.yaml", "--run-id", "m"])).code, 0);
  const rows = (await told(rig, "m")).split("\n").slice(5, -1);
  assert.deepEqual(rows, [
    "  item-7 (7)  failed  reuse   it is item 8 of 15 of all; failed on attempt 1, as it may: exit status 1 [EXIT_STATUS]",
    "  …                           14 more: 14 passed",
  ]);
  const said = async (name: string) => (await rig.wf(["why", "m", name])).stderr.split("   [")[0];
  assert.equal(await said("all/item-99"), "wf: all has items 0 to 14, there is no item 99");
  assert.equal(
    await said("all/item-1/inner"),
    'wf: all/item-1 is no nested workflow: there is no "inner" in it',
  );
  fs.rmSync(rig.path(".wf/runs/m/steps/all/item-7/attempt-1/stderr.log"));
  assert.match(await told(rig, "m", "all/item-7"), /^attempt 1, the first: it is item 8 of 15 of all$/m);
});
