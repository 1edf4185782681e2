import assert from "node:assert/strict";
import { existsSync, linkSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { until } from "../rig/wait.ts";
import { who } from "./people.ts";
import { type Parsed, Rig, ROOT, type Running } from "./rig.ts";
import { checkOutput } from "./schemas.ts";

const ASK = `id: ask
steps:
  - id: make
    run: echo made > "$WF_OUTPUT_IT"
    output_files: { it: it.txt }
  - { id: gate, message: 'Fine? {{steps.make.outputs.it}}' }
  - { id: after, run: 'echo ran >> ran' }
`;

const hasProc = existsSync("/proc/self/environ");

/** `wf run --wait` of a run `r`, at its open gate. */
async function waitingEngine(t: TestContext, text = ASK): Promise<{ rig: Rig; running: Running }> {
  const rig = new Rig(t);
  rig.write("ask.yaml", text);
  const running = rig.start(["run", "ask.yaml", "--run-id", "r", "--wait"]);
  t.after(async () => {
    running.child.kill("SIGKILL");
    await running.done();
  });
  await running.says("gate asks:");
  return { rig, running };
}

async function waitingRun(t: TestContext, text = ASK): Promise<Rig> {
  const rig = new Rig(t);
  rig.write("ask.yaml", text);
  assert.equal((await rig.wf(["run", "ask.yaml", "--run-id", "r"])).code, 3);
  return rig;
}

function journal(rig: Rig, event: string): Parsed[] {
  const lines = rig.read(".wf/runs/r/progress.ndjson").trim().split("\n");
  return lines.map((line) => JSON.parse(line)).filter((line) => line.event === event);
}

/** What an editor would write, with whatever else is wanted. */
function decisionFile(rig: Rig, more: object = {}): string {
  const { step, attempt, digest, volatile } = JSON.parse(
    rig.read(".wf/runs/r/steps/gate/attempt-1/gate.json"),
  );
  const { nonce } = volatile;
  const request = { request: "decide", step, attempt, decision: "approve", comment: "", nonce, digest };
  return JSON.stringify({ ...request, by: "ann", ...more });
}

/** Puts a whole file in its place at once. */
function put(rig: Rig, name: string, text: string): void {
  writeFileSync(rig.path(".wf/new"), text);
  linkSync(rig.path(".wf/new"), rig.path(".wf/runs/r/control", name));
}

test("--wait stays at the gate and says how to decide; approve tells that the engine has taken it", async (t) => {
  const { rig, running } = await waitingEngine(t);
  await running.says("--comment '…'\n");
  const approved = await rig.json(["approve", "r", "--comment", "go"]);
  checkOutput("approve", approved.value);
  assert.deepEqual(
    [approved.code, approved.value.result, approved.value.liveness.pid, approved.value.outcome],
    [0, "taken", running.child.pid, null],
  );
  const { code, stdout } = await running.done();
  assert.equal(code, 0);
  assert.equal(
    rig.plain(stdout).slice(0, rig.plain(stdout).indexOf("\n\nrun r succeeded")),
    `run r in .wf/runs/r
<time> r make/1 started
<time> r make/1 succeeded in <took>
<time> r gate/1 waits for a decision: Fine? steps/make/attempt-1/outputs/it.txt
gate asks:
  Fine? steps/make/attempt-1/outputs/it.txt
  shown:    .wf/runs/r/steps/make/attempt-1/outputs/it.txt
  approve:  wf approve r gate
  reject:   wf reject r gate --comment '…'
<time> r gate/1 ${who()} approves: go
<time> r gate/1 approved in <took>
<time> r after/1 started
<time> r after/1 succeeded in <took>
<time> r run succeeded`,
  );
});

test("under GitHub Actions what --wait shows can not command the runner either", async (t) => {
  const rig = new Rig(t);
  rig.write("ask.yaml", 'id: ask\nsteps: [{ id: gate, message: "Fine?\\n::set-env name=X::1" }]\n');
  const running = rig.start(["run", "ask.yaml", "--run-id", "r", "--wait"], { GITHUB_ACTIONS: "true" });
  await running.says("--comment '…'\n");
  assert.equal((await rig.wf(["approve", "r"])).code, 0);
  const { stdout } = await running.done();
  assert.match(
    stdout,
    /^::stop-commands::(.*)\ngate asks:\n {2}Fine\?\n {2}::set-env name=X::1\n(.*\n)+::\1::$/m,
  );
});

test("--resume while an engine drives the run leaves it to that engine", async (t) => {
  const { rig, running } = await waitingEngine(t);
  const { code, stdout } = await rig.wf(["reject", "r", "--comment", "no", "--resume"]);
  assert.equal(code, 0);
  assert.match(stdout, /^gate\/1 of run r is rejected: the engine has taken the decision and goes on$/m);
  const ended = await running.done();
  assert.equal(ended.code, 1);
  assert.match(ended.stdout, /\[REJECTED\]$/m);
});

test("an engine that does not look: the decision is in place, and is taken when it does", async (t) => {
  const { rig, running } = await waitingEngine(t);
  running.child.kill("SIGSTOP");
  const approved = await rig.wf(["approve", "r"]);
  assert.equal(approved.code, 0);
  assert.match(
    approved.stdout,
    /^the decision is in control\/decide-gate-1-1\.json, but no engine has taken it yet/m,
  );
  const again = await rig.wf(["reject", "r", "--comment", "no"]);
  assert.deepEqual([again.code, again.stdout], [2, ""]);
  assert.match(again.stderr, /^wf: gate\/1 is decided already: approved by .* {3}\[NO_OPEN_GATE\]$/m);
  running.child.kill("SIGCONT");
  assert.equal((await running.done()).code, 0);
});

test("an artifact that was changed: a live engine refuses the decision and opens the gate again", async (t) => {
  const { rig, running } = await waitingEngine(t);
  rig.write(".wf/runs/r/steps/make/attempt-1/outputs/it.txt", "forged\n");
  const { code, stdout } = await rig.wf(["approve", "r"]);
  assert.equal(code, 2);
  assert.match(
    stdout,
    /^gate\/1 of run r was not approved: what was shown has changed since: steps\/make\/attempt-1\/outputs\/it\.txt; the gate is opened again$/m,
  );
  await running.says("gate, attempt 2, asks:");
  assert.equal((await rig.wf(["approve", "r", "gate/2"])).code, 0);
  assert.equal((await running.done()).code, 0);
});

for (const live of [true, false]) {
  test(`two people decide at once ${live ? "with a live engine" : "without an engine"}: one counts, the other is refused`, async (t) => {
    const { rig, running } = live ? await waitingEngine(t) : { rig: await waitingRun(t), running: null };
    const answers = await Promise.all([
      rig.wf(["approve", "r", "--comment", "yes"]),
      rig.wf(["reject", "r", "--comment", "no"]),
    ]);
    assert.deepEqual(answers.map(({ code }) => code).sort(), [0, 2], JSON.stringify(answers));
    const approved = answers[0]?.code === 0;
    const end = running ? await running.done() : await rig.wf(["resume", "r"]);
    assert.equal(end.code, approved ? 0 : 1);
    const decisions = journal(rig, "decision").map(({ decision, comment }) => [decision, comment]);
    assert.deepEqual(decisions, [approved ? ["approve", "yes"] : ["reject", "no"]]);
  });
}

/** wf, stopped before its n-th change of a file; let go on with SIGCONT. */
async function stopped(rig: Rig, args: readonly string[], at: number): Promise<Running> {
  const running = rig.start(args, {
    ...FAULTS,
    WF_FAULT: JSON.stringify({ at, when: "before", does: "stop" }),
  });
  const stat = `/proc/${running.child.pid}/stat`;
  await until(() => /\) T /.test(readFileSync(stat, "utf8")), "wf to stop");
  return running;
}

const FAULTS = { NODE_OPTIONS: `--import=file://${join(ROOT, "test/rig/fault.mjs")}` };

test("of two who saw the same open gate the one whose decision lies there first counts", {
  skip: !hasProc,
}, async (t) => {
  const rig = await waitingRun(t);
  const slow = await stopped(rig, ["reject", "r", "--comment", "no"], 1);
  assert.equal((await rig.wf(["approve", "r", "--comment", "yes"])).code, 0);
  slow.child.kill("SIGCONT");
  const { code, stdout } = await slow.done();
  assert.equal(code, 2);
  assert.match(
    stdout,
    /^gate\/1 of run r was not rejected: somebody was faster: approved by .* \(yes\); the next wf resume takes it$/m,
  );
  assert.equal((await rig.wf(["resume", "r"])).code, 0);
});

test("--resume, when somebody else begins to drive the run at that moment", { skip: !hasProc }, async (t) => {
  const slow = `${ASK}  - { id: last, run: 'until test -e go; do sleep 0.02; done' }\n`;
  // Where the claim comes is seen in a run of the same kind.
  const model = await waitingRun(t, slow);
  model.write("go", "");
  const traced = { ...FAULTS, WF_FAULT: JSON.stringify({ trace: model.path("trace") }) };
  assert.equal((await model.wf(["approve", "r", "--resume"], { env: traced })).code, 0);
  const changes = model
    .read("trace")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const claim = changes.find(({ target }: Parsed) => target.includes("/lock/")).n;

  const rig = await waitingRun(t, slow);
  t.after(() => {
    try {
      writeFileSync(rig.path("go"), "");
    } catch {}
  });
  const approve = await stopped(rig, ["approve", "r", "--resume"], claim);
  const other = rig.start(["resume", "r"]);
  await other.says("last/1 started");
  approve.child.kill("SIGCONT");
  const { code, stdout, stderr } = await approve.done();
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /^gate\/1 of run r is approved: the engine has taken the decision and goes on$/m);
  writeFileSync(rig.path("go"), "");
  assert.equal((await other.done()).code, 0);
});

for (const live of [true, false]) {
  test(`a decision that was put in place by hand is taken ${live ? "by a live engine" : "by the next resume"}`, async (t) => {
    const { rig, running } = live ? await waitingEngine(t) : { rig: await waitingRun(t), running: null };
    put(rig, "decide-gate-1-7.json", decisionFile(rig, { comment: "by hand" }));
    const end = running ? await running.done() : await rig.wf(["resume", "r"]);
    assert.equal(end.code, 0);
    assert.match(end.stdout, /gate\/1 ann approves: by hand$/m);
  });
}

test("a file that does not fit the gate is refused and blocks nothing", async (t) => {
  const rig = await waitingRun(t);
  put(rig, "decide-gate-1-1.json", decisionFile(rig, { nonce: "0000000000000000" }));
  assert.equal((await rig.json(["status", "r"])).value.gates[0].decided, null);
  const { code, stdout } = await rig.wf(["approve", "r", "--resume"]);
  assert.equal(code, 0);
  assert.match(stdout, /control\/decide-gate-1-1\.json refused: it was made for another gate/);
  assert.deepEqual(
    journal(rig, "request_taken").map(({ file }) => file),
    ["control/decide-gate-1-2.json"],
  );
});

/** A step that runs a line with wf when the gate is open, and writes what came of it into `did`. */
const cheating = (line: string) => `id: cheating
steps:
  - id: cheat
    needs: []
    run: |
      until test -e "$WF_RUN_DIR/steps/gate/attempt-1/gate.json"; do sleep 0.02; done
      wf() { "${process.execPath}" "${join(ROOT, "bin/wf.js")}" "$@"; }
      code=0
      ${line} > said 2>&1 || code=$?
      echo $code > did
  - { id: gate, needs: [], message: 'Fine?' }
`;

const WITHOUT = `env -u WF_ATTEMPT_ID "${process.execPath}" "${join(ROOT, "bin/wf.js")}"`;

for (const [how, line, needsProc] of [
  ["as it is", 'wf approve "$WF_RUN_DIR" gate', false],
  ["by resume", 'wf reject "$WF_RUN_DIR" gate --comment no --resume', false],
  ["without its cookie", `${WITHOUT} approve "$WF_RUN_DIR" gate`, true],
] as const) {
  test(`a step can not decide a gate of its own run: ${how}`, { skip: needsProc && !hasProc }, async (t) => {
    const rig = await waitingRun(t, cheating(line));
    assert.equal(rig.read("did"), "2\n");
    assert.match(
      rig.read("said"),
      /^wf: this is a process of a step of run r: it can not decide gate {3}\[OWN_GATE\]$/m,
    );
    // Taken up by the engine that drove the step, or by this resume.
    assert.equal((await rig.wf(["resume", "r"])).code, 3);
    assert.deepEqual(
      journal(rig, "security").map(({ step, what }) => [step, what]),
      [["gate", "a step of this run tried to decide the gate"]],
    );
    assert.deepEqual(
      journal(rig, "request_refused").map(({ because }) => because),
      ["a step can not decide a gate of its own run"],
    );
    assert.equal((await rig.wf(["approve", "r", "--resume"])).code, 0);
  });
}

test("a step can not cancel its own run, and a gate of another run it may decide", async (t) => {
  const rig = await waitingRun(t, cheating('wf cancel "$WF_RUN_DIR"'));
  assert.equal(rig.read("did"), "2\n");
  assert.match(rig.read("said"), /it can not cancel its own run {3}\[OWN_GATE\]/);
  assert.deepEqual(readdirSync(rig.path(".wf/runs/r/control")), []);
  rig.write("other.yaml", cheating(`wf approve "${rig.path(".wf/runs/r")}" --resume`));
  assert.equal((await rig.wf(["run", "other.yaml", "--run-id", "other"])).code, 3);
  assert.equal(rig.read("did"), "0\n", rig.read("said"));
  assert.equal((await rig.json(["status", "r"])).value.status, "succeeded");
});

for (const [signal, expected] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  test(`${signal} ends an engine that waits at a gate with ${expected}; the gate stays open`, async (t) => {
    const { rig, running } = await waitingEngine(t);
    running.child.kill(signal);
    const { code, stdout } = await running.done();
    assert.equal(code, expected);
    assert.match(stdout, /^ {2}approve: {2}wf approve r gate\n.*\n\n {2}resume: {2}wf resume r$/m);
    const resumed = rig.start(["resume", "r", "--wait"]);
    await resumed.says("gate asks:");
    assert.equal((await rig.wf(["approve", "r"])).code, 0);
    assert.equal((await resumed.done()).code, 0);
  });
}

test("an engine that was killed at a gate: the decision is found by the next one", async (t) => {
  const { rig, running } = await waitingEngine(t);
  running.child.kill("SIGKILL");
  await running.done();
  assert.equal((await rig.wf(["approve", "r"])).code, 0);
  assert.equal((await rig.wf(["resume", "r"])).code, 0);
  assert.equal(journal(rig, "decision").length, 1);
});

test("an engine that drives other steps of a graph takes a decision at once", async (t) => {
  const rig = new Rig(t);
  rig.write(
    "ask.yaml",
    `id: graph
steps:
  - { id: slow, needs: [], run: 'until test -e go; do sleep 0.02; done' }
  - { id: gate, needs: [], message: 'Fine?' }
  - { id: after, needs: [gate], run: touch after }
`,
  );
  t.after(() => {
    try {
      writeFileSync(rig.path("go"), "");
    } catch {}
  });
  const running = rig.start(["run", "ask.yaml", "--run-id", "r"]);
  await running.says("slow/1 started");
  await running.says("gate/1 waits for a decision");
  assert.equal((await rig.json(["approve", "r"])).value.result, "taken");
  await until(() => existsSync(rig.path("after")), "the step behind the gate to run");
  writeFileSync(rig.path("go"), "");
  assert.equal((await running.done()).code, 0);
});
