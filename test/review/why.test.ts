import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import { type Parsed, Rig } from "../cli/rig.ts";
import { checkOutput } from "../cli/schemas.ts";
import { type Case, kills } from "../crash/cases.ts";
import { undisturbed } from "../crash/run-case.ts";
import {
  drive,
  GATE_SCENARIOS,
  isEnded,
  SCENARIOS,
  type Scenario,
  stage,
  WIDE_SCENARIOS,
} from "../crash/scenarios.ts";
import { putFile } from "../rig/gates.ts";
import { killEngine, letGo, processOf, startHeld, untilAtWork } from "../rig/held.ts";
import { type Line, readJournal, untilEvent } from "../rig/journal.ts";
import { isGone, kill } from "../rig/processes.ts";
import { type Project, projectFor } from "../rig/project.ts";
import { digestOf } from "../rig/tree.ts";
import { until } from "../rig/wait.ts";

const plain = (rig: Pick<Rig, "plain">, text: string) =>
  rig
    .plain(text)
    .replace(/approved by \S+:/g, "approved by <person>:")
    .replace(/rejected by \S+:/g, "rejected by <person>:");

const GRAPH = `id: graph
steps:
  - { id: fetch, needs: [], run: 'true' }
  - { id: lint, needs: [], allow_failure: true, run: exit 3 }
  - { id: test, needs: [fetch], retry: { max: 1, delay: 1ms }, run: 'echo boom >&2; exit 1' }
  - { id: pack, needs: [test, lint], run: 'true' }
  - { id: ship, needs: [pack], run: 'true' }
  - { id: docs, needs: [fetch], when: 1 == 2, run: 'true' }
finally:
  - { id: tidy, run: 'true' }
`;

test("of a failed graph it tells each step's reason, and what a resume would do with it", async (t) => {
  const rig = new Rig(t);
  rig.write("g.yaml", GRAPH);
  await rig.wf(["run", "g.yaml", "--run-id", "r", "--max-parallel", "1"]);
  const before = digestOf(rig.path(".wf/runs/r"));
  const { code, stdout, stderr } = await rig.wf(["why", "r"]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(
    plain(rig, stdout),
    `run r failed: test failed on attempt 2: exit status 1   [EXIT_STATUS]
wf resume r: it starts attempt 3 of test

STEP   STATUS     RESUME   WHY
fetch  succeeded  reuse    it needs no other step
lint   failed     reuse    it needs no other step; failed on attempt 1, as it may: exit status 3 [EXIT_STATUS]
test   failed     run      it needs fetch, which succeeded; failed on attempt 2: exit status 1 [EXIT_STATUS]; resume: attempt 3: it failed, and a resume makes a new attempt
pack   pending    blocked  it needs test, which failed
ship   pending    blocked  it needs pack, which has not been passed
docs   skipped    reuse    when is false: 1 == 2
tidy   succeeded  blocked  the run was about to end as failed; resume: blocked: it runs again when the run comes to its end
`,
  );
  const { value } = await rig.json(["why", "r"]);
  checkOutput("why", value);
  assert.deepEqual(
    value.steps.map(({ step, resume }: Parsed) => [step, resume.does, resume.attempt, resume.by]),
    [
      ["fetch", "reuse", null, []],
      ["lint", "reuse", null, []],
      ["test", "run", 3, []],
      ["pack", "blocked", null, ["test"]],
      ["ship", "blocked", null, ["pack"]],
      ["docs", "reuse", null, []],
      ["tidy", "blocked", null, []],
    ],
  );
  assert.equal(digestOf(rig.path(".wf/runs/r")), before);
});

test("of one step it tells the whole story", async (t) => {
  const rig = new Rig(t);
  rig.write("g.yaml", GRAPH);
  await rig.wf(["run", "g.yaml", "--run-id", "r"]);
  const story = await rig.wf(["why", "r", "test"]);
  assert.equal(
    plain(rig, story.stdout),
    `step      test
status    failed, 2 attempts
why       it needs fetch, which succeeded
needs     fetch (succeeded)
resume    run: attempt 3: it failed, and a resume makes a new attempt

attempt 1, the first: it needs fetch, which succeeded
  started <date>, <took> after fetch
  failed in <took>: exit status 1   [EXIT_STATUS]
    hint: see stderr.log
    the end of stderr.log:
      boom
  then: tried again: retry 1 of 1: exit status 1

attempt 2, a retry: retry 1 of 1: exit status 1
  started <date>, <took> after the delay of the retry
  failed in <took>: exit status 1   [EXIT_STATUS]
    hint: see stderr.log
    the end of stderr.log:
      boom
  then: the run ended as failed
`,
  );
  const { value } = await rig.json(["why", "r", "test"]);
  checkOutput("why", value);
  assert.deepEqual(value.steps[0].failure.stderr, ["boom"]);
  assert.deepEqual(
    value.steps[0].story.map(({ attempt, cause, waitedFor, status }: Parsed) => [
      attempt,
      cause,
      waitedFor,
      status,
    ]),
    [
      [1, "first", "fetch", "failed"],
      [2, "retry", "the delay of the retry", "failed"],
    ],
  );
  const skipped = await rig.wf(["why", "r", "docs"]);
  assert.equal(
    skipped.stdout,
    `step      docs
status    skipped
why       when is false: 1 == 2
when      false: 1 == 2
needs     fetch (succeeded)
resume    reuse: it was skipped, and stays so
`,
  );
  const unknown = await rig.wf(["why", "r", "tset"]);
  assert.deepEqual(
    [unknown.code, unknown.stderr],
    [
      2,
      'wf: the workflow graph has no step "tset"   [STEP_NOT_FOUND]\n    did you mean "test"? steps: fetch, lint, test, pack, ship, docs, tidy\n',
    ],
  );
});

test("a step of a graph has waited for the last of its needs", async (t) => {
  const rig = new Rig(t);
  const steps = ["{ id: fast, needs: [], run: 'true' }", "{ id: slow, needs: [], run: sleep 0.3 }"];
  rig.write(
    "j.yaml",
    `id: j\nsteps: [${steps.join(", ")}, { id: both, needs: [fast, slow], run: 'true' }]\n`,
  );
  await rig.wf(["run", "j.yaml", "--run-id", "r"]);
  const { value } = await rig.json(["why", "r", "both"]);
  const [step] = value.steps;
  assert.deepEqual(
    [step.because, step.story[0].waitedFor],
    ["it needs fast, slow, which were passed", "slow"],
  );
  const { value: slow } = await rig.json(["why", "r", "slow"]);
  assert.equal(slow.steps[0].next, "both could begin");
});

const SEQUENCE = `id: sequence
steps:
  - { id: plan, run: 'true' }
  - id: sign_off
    type: approval
    message: Go on?
    on_reject: plan
    on_approve: ship
  - { id: extra, run: 'true' }
  - { id: ship, run: 'true' }
`;

test("of a sequence it tells the path: gates, ways back, and what it went past", async (t) => {
  const rig = new Rig(t);
  rig.write("s.yaml", SEQUENCE);
  await rig.wf(["run", "s.yaml", "--run-id", "r"]);
  const waits = await rig.wf(["why", "r"]);
  assert.equal(
    waits.stdout,
    `run r is waiting: sign_off waits for a decision   [APPROVAL]
wf resume r: sign_off waits for a person: wf approve or wf reject decides

STEP      STATUS     RESUME   WHY
plan      succeeded  reuse    first step in the file
sign_off  waiting    wait     from plan: next step in the file; resume: waits for a person: wf approve or wf reject decides
extra     pending    blocked  not reached yet: the run is at sign_off
ship      pending    blocked  not reached yet: the run is at sign_off
`,
  );
  await rig.wf(["reject", "r", "--comment", "again", "--resume"]);
  await rig.wf(["approve", "r", "--comment", "fine"]);
  const decided = await rig.wf(["why", "r"]);
  assert.match(
    decided.stdout,
    /^wf resume r: sign_off waits for an engine: a decision is in control\/decide-/m,
  );
  await rig.wf(["resume", "r"]);
  const ended = await rig.wf(["why", "r"]);
  assert.equal(
    ended.stdout,
    `run r succeeded
wf resume r: the run succeeded: nothing is left to do

STEP      STATUS     RESUME   WHY
plan      succeeded  reuse    from sign_off: sign_off rejected; passed on attempt 2
sign_off  succeeded  reuse    from plan: next step in the file; passed on attempt 2
extra     pending    blocked  the run went past it, from sign_off to ship: sign_off approved; resume: blocked: the way through the run does not lead to it
ship      succeeded  reuse    from sign_off: sign_off approved
`,
  );
  const gate = await rig.wf(["why", "r", "sign_off"]);
  assert.equal(
    plain(rig, gate.stdout),
    `step      sign_off
status    succeeded, 2 attempts
why       from plan: next step in the file
resume    reuse: it passed on attempt 2

attempt 1, the first: from plan: next step in the file
  started <date>, <took> after plan
  rejected by <person>: again
  rejected in <took>
  then: on to plan: sign_off rejected

attempt 2, entered again: from plan: next step in the file
  started <date>, <took> after plan
  approved by <person>: fine
  approved in <took>
  then: on to ship: sign_off approved
`,
  );
});

/** The RESUME column. */
async function planOf(project: Project, runDir: string): Promise<Record<string, string>> {
  const { code, stdout, stderr } = await project.wf(["why", runDir, "--json"]);
  assert.equal(code, 0, stderr);
  const value = JSON.parse(stdout);
  checkOutput("why", value);
  return Object.fromEntries(
    value.steps.map(({ step, resume }: Parsed) => [step, `${resume.does}: ${resume.because}`]),
  );
}

test("what a resume would do is what the processes are: adopt, take the exit status, or run again", async (t) => {
  const project = projectFor(t);
  const held = await startHeld(project);
  const runs = await planOf(project, held.runDir);
  assert.deepEqual(runs, {
    first: "reuse: it passed on attempt 1",
    held: "adopt: it runs; if its engine dies, a resume takes it over",
    last: "blocked: held comes first",
  });
  await killEngine(held);
  assert.equal((await planOf(project, held.runDir)).held, "adopt: its process still runs");
  letGo(project, "held");
  await project.quiet();
  assert.equal((await planOf(project, held.runDir)).held, "adopt: its process has left an exit status, 0");
  assert.equal((await project.wf(["resume", held.runDir])).code, 0);
  const story = JSON.parse((await project.wf(["why", held.runDir, "held", "--json"])).stdout).steps[0].story;
  assert.deepEqual(
    story.map(({ adopted, status }: Parsed) => [adopted, status]),
    [[true, "succeeded"]],
  );
  assert.deepEqual(
    Object.values(await planOf(project, held.runDir)),
    Array(3).fill("reuse: it passed on attempt 1"),
  );
});

test("what was lost with its engine is run again, or fails the run if it may not be", async (t) => {
  for (const [more, plan] of [
    ["", "run: attempt 1: its process is gone and has left no exit status"],
    [
      "\n    on_interrupt: fail",
      "blocked: attempt 1: its process is gone and has left no exit status, and its on_interrupt is fail",
    ],
  ] as const) {
    const project = projectFor(t);
    const text = `id: lost\nsteps:\n  - id: held${more}\n    run: |\n      echo held >> effects\n      sleep 1000\n`;
    const held = await startHeld(project, text);
    await untilAtWork(project, "held");
    const pid = await processOf(held.runDir, "held");
    await killEngine(held);
    kill(project.processes().map((each) => each.pid));
    await until(() => isGone(pid), "the step to be gone");
    assert.equal((await planOf(project, held.runDir)).held, plan);
  }
});

test("a retry that has to wait is waited for, and a cancel that nobody has looked at comes first", async (t) => {
  const project = projectFor(t);
  const text =
    "id: w\nsteps:\n  - id: held\n    retry: { max: 1, delay: 1h }\n    run: echo held >> effects; exit 1\n";
  const held = await startHeld(project, text);
  const scheduled = await untilEvent(held.runDir, "retry_scheduled");
  await killEngine(held);
  const { stdout } = await project.wf(["why", held.runDir, "--json"]);
  const { resume, steps } = JSON.parse(stdout);
  assert.deepEqual(steps[0].resume, {
    does: "wait",
    because: "until the delay of its retry is over",
    attempt: 2,
    until: scheduled.volatile.notBefore,
    by: [],
  });
  assert.deepEqual(resume, { does: "goes on", because: "held waits until the delay of its retry is over" });
  putFile(held.runDir, "control/cancel-1.json", '{"request":"cancel","reason":"","by":"ann"}\n');
  const canceled = JSON.parse((await project.wf(["why", held.runDir, "--json"])).stdout);
  assert.deepEqual(canceled.resume, {
    does: "cancels",
    because: "control/cancel-1.json asks for it, and no engine has looked at it",
  });
});

test("a limit that is used up is told", async (t) => {
  const rig = new Rig(t);
  rig.write(
    "l.yaml",
    "id: l\nlimits: { max_total_iterations: 1 }\nsteps:\n  - { id: a, run: 'true' }\n  - { id: b, run: 'true' }\n",
  );
  await rig.wf(["run", "l.yaml", "--run-id", "r"]);
  const { stdout } = await rig.wf(["why", "r"]);
  assert.equal(
    stdout,
    `run r failed: 1 attempts have been started, and max_total_iterations allows no more   [ITERATION_LIMIT]
wf resume r is refused: max_total_iterations allows no more than 1: raise it with --limit max_total_iterations=…

STEP  STATUS     RESUME   WHY
a     succeeded  reuse    first step in the file
b     pending    blocked  not reached: the run ended as failed; resume: blocked: max_total_iterations allows no more than 1: raise it with --limit max_total_iterations=…
`,
  );
});

const COMPARED = [...SCENARIOS, ...WIDE_SCENARIOS, ...GATE_SCENARIOS];

for (const scenario of COMPARED.filter(({ cancelAt }) => cancelAt === undefined)) {
  test(`after a crash a resume does what was told: ${scenario.name}`, async () => {
    const plain = await undisturbed(scenario);
    await plain.project.remove();
    const all = kills(plain.operations);
    const every = Math.ceil(all.length / KILLS);
    for (const [index, fault] of all.entries()) if (index % every === 0) await compare(scenario, fault);
  });
}

/** Some of all kills, the same each time; `WF_KILLS` says how many. */
const KILLS = Number(process.env.WF_KILLS ?? 4);

async function compare(scenario: Scenario, fault: Case["fault"]): Promise<void> {
  const project = stage(scenario);
  try {
    await drive(project, scenario, { fault });
    const [runDir] = project.runDirs();
    if (!runDir || isEnded(runDir, scenario)) return;
    // A wrapper that is about to end may not have; a step that waits for its resume goes on.
    await project.quiet(1000).catch(() => undefined);
    const told: Parsed = JSON.parse((await project.wf(["why", runDir, "--json"])).stdout);
    checkOutput("why", told);
    const looked = journals(told);
    await drive(project, scenario);
    for (const { run, length } of looked) {
      const after = readJournal(run.runDir).slice(length);
      for (const step of run.steps.flatMap((each: Parsed) => [each, ...each.items]))
        did(step, after, `${scenario.name} ${JSON.stringify(fault)}`);
    }
  } finally {
    await project.remove();
  }
}

interface Looked {
  readonly run: Parsed;
  readonly length: number;
}

/** The run, and those nested in it that are gone on with where they are; how long their journals are. */
function journals(run: Parsed): Looked[] {
  const parts: Parsed[] = run.steps.flatMap((step: Parsed) => [step, ...step.items]);
  const inner = parts.flatMap((part) => (part.run && part.resume.does !== "run" ? journals(part.run) : []));
  return [{ run, length: readJournal(run.runDir).length }, ...inner];
}

/** That a resume did with a step or an item what had been told. */
function did({ step, item, name, resume, items }: Parsed, after: readonly Line[], where: string): void {
  // What a step with items does, these do.
  if (items.length > 0) return;
  const own = after.filter((line) => line.step === step && (line.item ?? null) === item);
  const is = (...events: string[]) => own.filter(({ event }) => events.includes(event));
  const [next] = is("attempt_started", "foreach_started");
  const what = `${where}: ${name}: ${resume.does}: ${resume.because}`;
  if (resume.does === "reuse") assert.ok(next === undefined || next.cause === "rework", what);
  if (resume.does === "run") assert.equal(next?.attempt ?? null, resume.attempt, what);
  if (resume.does === "run") assert.ok(next, what);
  if (resume.does !== "wait")
    assert.equal(is("attempt_adopted", "attempt_resumed").length > 0, resume.does === "adopt", what);
}

test("an older record does not say why, and a damaged run is refused", async (t) => {
  const rig = new Rig(t);
  rig.write(".wf/runs/old/run.json", '{"runId":"old","workflowId":"w","state":"failed"}');
  const old = await rig.wf(["why", "old"]);
  assert.equal(old.code, 2);
  assert.match(old.stderr, /\[LEGACY_RUN\]/);
  rig.write("w.yaml", "id: w\nsteps: [{ id: a, run: 'true' }]\n");
  await rig.wf(["run", "w.yaml", "--run-id", "r"]);
  const path = rig.path(".wf/runs/r/progress.ndjson");
  fs.writeFileSync(path, fs.readFileSync(path, "utf8").split("\n").toSpliced(2, 1).join("\n"));
  const damaged = await rig.wf(["why", "r"]);
  assert.equal(damaged.code, 5);
  assert.match(damaged.stderr, /\[RUN_DAMAGED\]/);
});
