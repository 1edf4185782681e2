import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { type Parsed, Rig } from "./rig.ts";
import { checkOutput } from "./schemas.ts";

/** A client that has reached its limit until the file `free` is there. */
const CLIENT = `#!/bin/sh
cat > /dev/null
if test -e free; then
  echo '{"said":"[workflow_result]{\\"answer\\":\\"yes\\"}[/workflow_result]","tokens":12345,"usd":0.42}'
else
  echo 'usage limit reached|4102444800' >&2
  exit 1
fi
`;
const THE_LIMIT = "2100-01-01T00:00:00.000Z";
const LONG_AGO = "2000-01-01T00:00:00.000Z";

const THINKING = `id: thinking
providers:
  local: { command: [./client], output: json, text: said, tokens: tokens, cost_usd: usd }
agents:
  thinker: { provider: local, model: big }
steps:
  - { id: think, agent: thinker, prompt: Think., outputs: [answer] }
  - { id: after, run: test ! -e broken }
`;

function rigWithClient(t: TestContext, client = CLIENT): Rig {
  const rig = new Rig(t);
  rig.write("client", client);
  chmodSync(rig.path("client"), 0o755);
  rig.write("thinking.yaml", THINKING);
  return rig;
}

/** A run that waits for its client's limit to end. */
async function park(rig: Rig, id: string): Promise<void> {
  const { code, stdout, stderr } = await rig.wf(["run", "thinking.yaml", "--run-id", id]);
  assert.equal(code, 3, stdout + stderr);
}

/** As if the limit had ended: of the same length, so that the journal stays what its snapshot says. */
function letItEnd(rig: Rig, id: string): void {
  for (const file of ["run.json", "progress.ndjson"]) {
    const path = `.wf/runs/${id}/${file}`;
    writeFileSync(rig.path(path), rig.read(path).replaceAll(THE_LIMIT, LONG_AGO));
  }
}

test("a run that waits for a client's limit says until when, and what goes on with it", async (t) => {
  const rig = rigWithClient(t);
  const { code, stdout } = await rig.wf(["run", "thinking.yaml", "--run-id", "r"]);
  assert.equal(code, 3);
  assert.match(
    rig.plain(stdout),
    /^<time> r waiting: think has to wait until its client's limit ends, until <date>$/m,
  );
  assert.equal(
    rig.plain(stdout.slice(stdout.indexOf("\nrun r waits") + 1)),
    `run r waits after <took>: think has to wait until its client's limit ends
  used:    1 attempt unknown
  folder:  .wf/runs/r
  until:   <date>; then wf resume --due goes on
  resume:  wf resume r
`,
  );
  const { value } = await rig.json(["status", "r"]);
  checkOutput("status", value);
  assert.deepEqual(
    [value.reason.code, value.waitingUntil, value.usage],
    ["RATE_LIMIT", THE_LIMIT, { tokens: 0, costUsd: 0, unknown: 1, unknownCost: 1 }],
  );
  assert.match((await rig.wf(["status", "r"])).stdout, /^until {5}2100-01-01 00:00:00$/m);
});

test("resume --due goes on with the runs whose time has come, and with no other", async (t) => {
  const rig = rigWithClient(t);
  for (const id of ["due-1", "due-2", "later", "budget"]) await park(rig, id);
  for (const id of ["due-1", "due-2", "budget"]) letItEnd(rig, id);
  // A spent budget is not mended by time.
  const path = ".wf/runs/budget/run.json";
  rig.write(path, rig.read(path).replace('"RATE_LIMIT"', '"BUDGET"'));
  rig.write("paused.yaml", "id: paused\nsteps: [{ id: a, run: 'true' }, { id: b, run: 'true' }]\n");
  await rig.wf(["run", "paused.yaml", "--run-id", "paused", "--until", "a"]);
  rig.write(".wf/runs/broken/run.json", "nonsense");
  rig.write("free", "");

  const { code, stdout, stderr } = await rig.wf(["resume", "--due"]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /^2 runs are due; the next is due at 2100-01-01 00:00:00\n\nwf resume due-\d\n/);
  assert.deepEqual([...stdout.matchAll(/^wf resume (\S+)$/gm)].map(([, id]) => id).sort(), [
    "due-1",
    "due-2",
  ]);
  const { value } = await rig.json(["ls"]);
  assert.deepEqual(Object.fromEntries(value.runs.map(({ runId, status }: Parsed) => [runId, status])), {
    "due-1": "succeeded",
    "due-2": "succeeded",
    later: "waiting",
    budget: "waiting",
    paused: "waiting",
    broken: null,
  });
  const again = await rig.wf(["resume", "--due"]);
  assert.deepEqual(
    [again.code, again.stdout],
    [0, "no run is due; the next is due at 2100-01-01 00:00:00\n"],
  );
});

test("with --due the worst exit code counts, and one that can not go on keeps none from it", async (t) => {
  const rig = rigWithClient(t);
  rig.write("secret.yaml", `${THINKING}inputs: { token: { secret: true } }\n`);
  await park(rig, "fine");
  const env = { WF_SECRET_TOKEN: "a-long-secret" };
  assert.equal((await rig.wf(["run", "secret.yaml", "--run-id", "closed"], { env })).code, 3);
  for (const id of ["fine", "closed"]) letItEnd(rig, id);
  rig.write("free", "");
  rig.write("broken", "");
  const { code, value } = await rig.json(["resume", "--due"]);
  checkOutput("due", value);
  const told = Object.fromEntries(
    value.resumed.map(({ run, exitCode, outcome, error }: Parsed) => [
      run,
      [exitCode, outcome?.status ?? null, error?.code ?? null],
    ]),
  );
  assert.deepEqual(told, { fine: [1, "failed", null], closed: [2, null, "SECRET_MISSING"] });
  assert.deepEqual([code, value.exitCode], [2, 2]);
  const again = await rig.wf(["resume", "--due"], { env });
  assert.equal(again.code, 1);
});

test("--due takes no RUN, and nothing that belongs to one run", async (t) => {
  const rig = new Rig(t);
  for (const args of [["r"], ["--from", "a"], ["--limit", "max_tokens=1"], ["--secret", "a=@b"]]) {
    const { code, stderr } = await rig.wf(["resume", "--due", ...args]);
    assert.equal(code, 2);
    assert.match(stderr, /^wf: --due takes all runs whose time has come, and no .+ beside it {3}\[USAGE\]$/m);
  }
  const { code, stderr } = await rig.wf(["resume"]);
  assert.deepEqual(
    [code, stderr],
    [2, "wf: wf resume needs a RUN, or --due   [USAGE]\n    usage: wf resume [RUN]\n"],
  );
});

test("a spent budget is told with what was used and the limit to raise, for the run and for a step", async (t) => {
  const rig = rigWithClient(t);
  rig.write("free", "");
  const twice = THINKING.replace("after, run: test ! -e broken", "again, agent: thinker, prompt: Again.");
  for (const [limits, limit] of [
    ["limits: { max_tokens: 100 }", "max_tokens"],
    ["limits: { max_cost_usd: 0.1 }", "max_cost_usd"],
  ] as const) {
    rig.write("twice.yaml", `${twice}${limits}\n`);
    const { code, stdout } = await rig.wf(["run", "twice.yaml", "--run-id", limit]);
    assert.equal(code, 3);
    assert.match(stdout, /^ {2}used: {4}12,345 tokens, 0\.42 USD$/m);
    assert.match(stdout, new RegExp(`^ {2}resume: {2}wf resume ${limit} --limit ${limit}=…$`, "m"));
    const spent = await rig.wf(["resume", limit]);
    assert.deepEqual([spent.code, spent.stderr.includes("[LIMIT_SPENT]")], [2, true]);
  }
  rig.write(
    "loop.yaml",
    `${THINKING.replace("prompt: Think.", "prompt: Think., limits: { max_tokens: 10 }")}  - id: check
    run: printf 'decision=reject\\nfeedback=no\\n' >> "$WF_OUTPUT"
    on_reject: think
`,
  );
  const loop = await rig.wf(["run", "loop.yaml", "--run-id", "loop"]);
  assert.equal(loop.code, 3);
  assert.match(loop.stdout, /^ {2}resume: {2}wf resume loop --limit think\.max_tokens=…$/m);
  const raised = await rig.json(["resume", "max_tokens", "--limit", "max_tokens=1000000"]);
  checkOutput("run", raised.value);
  assert.deepEqual([raised.value.reason, raised.value.usage.tokens], [null, 24690]);
  const step = await rig.wf([
    "resume",
    "max_cost_usd",
    "--limit",
    "max_cost_usd=5",
    "--limit",
    "again.max_tokens=9",
  ]);
  assert.equal(step.code, 0, step.stderr);
});

test("show tells what an agent was asked, by which client, and what it used", async (t) => {
  const rig = rigWithClient(t);
  rig.write("free", "");
  await rig.wf(["run", "thinking.yaml", "--run-id", "r"]);
  const { stdout } = await rig.wf(["show", "r", "think"]);
  assert.match(stdout, /^agent {5}local, model big, permissions write\nused {6}12,345 tokens, 0\.42 USD\n/m);
  assert.match(stdout, /^prompt\.md:\n {2}Think\.$/m);
  const { value } = await rig.json(["show", "r", "think"]);
  checkOutput("show", value);
  assert.deepEqual(
    [value.agent.provider, value.usage, value.prompt],
    ["local", { tokens: 12345, costUsd: 0.42 }, "Think.\n"],
  );
});

test("a dry run shows of each step its type, and the prompt or the message", async (t) => {
  const rig = rigWithClient(t);
  rig.write("ask.yaml", `${THINKING}  - { id: ask, message: 'Is {{steps.think.outputs.answer}} fine?' }\n`);
  const { stdout } = await rig.wf(["run", "ask.yaml", "--dry-run"]);
  assert.match(stdout, /^1\. think {3}\(agent_task; up to 2 retries\)\n {3}\| Think\.$/m);
  assert.match(stdout, /^3\. ask {3}\(approval\)\n {3}\| Is \{\{steps\.think\.outputs\.answer\}\} fine\?$/m);
  const { value } = await rig.json(["run", "ask.yaml", "--dry-run"]);
  checkOutput("plan", value);
  assert.deepEqual(
    value.steps.map(({ type }: Parsed) => type),
    ["agent_task", "command", "approval"],
  );
});
