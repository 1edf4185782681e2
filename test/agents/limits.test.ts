import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readJournal, readRun } from "../rig/journal.ts";
import { type Project, projectFor } from "../rig/project.ts";
import { attemptFolder, withStandIns } from "./rig.ts";

/** Each call uses 120 tokens and 0.01 USD, if the stand-in is not told otherwise. */
const DONE = { result: { x: "1" } };

const STEPS = `
agents: { worker: { provider: claude } }
steps:
  - { id: a, agent: worker, prompt: A., outputs: [x] }
  - { id: b, agent: worker, prompt: B., outputs: [x] }
  - { id: c, agent: worker, prompt: C., outputs: [x] }
`;

/** `step/attempt` of each call of a client, in order. */
function calls(project: Project): string[] {
  return project.lines("calls.ndjson").map((line) => {
    const { step, attempt } = JSON.parse(line);
    return `${step}/${attempt}`;
  });
}

async function status(project: Project) {
  const { stdout } = await project.wf(["status", "r", "--json"]);
  return JSON.parse(stdout);
}

for (const [limit, tooLow, enough, message] of [
  ["max_tokens: 200", "max_tokens=240", "max_tokens=241", "240 tokens were used, and max_tokens is 200"],
  [
    "max_cost_usd: 0.015",
    "max_cost_usd=0.02",
    "max_cost_usd=1.5",
    "0.0200 USD were spent, and max_cost_usd is 0.015",
  ],
] as const) {
  test(`a run that crosses ${limit} waits, and goes on with a higher one alone`, async (t) => {
    const project = projectFor(t);
    project.write("w.yaml", `id: w\nlimits: { ${limit} }${STEPS}`);
    const plans = { "*": DONE };
    const { code, stdout } = await withStandIns(project, ["run", "w.yaml", "--run-id", "r"], plans);
    assert.equal(code, 3, stdout);
    const run = project.onlyRun();
    const { status: state, reason, volatile } = readRun(run);
    assert.deepEqual([state, reason.code, reason.message], ["waiting", "BUDGET", message]);
    assert.deepEqual(volatile.usage, { tokens: 240, costUsd: 0.02, unknown: 0, unknownCost: 0 });
    const before = readJournal(run);

    for (const more of [[], ["--limit", tooLow]]) {
      const refused = await withStandIns(project, ["resume", "r", ...more], plans);
      assert.deepEqual([refused.code, refused.stdout], [2, ""]);
      assert.match(refused.stderr, /\[LIMIT_SPENT\]\n.*wf resume.*--limit/);
    }
    assert.deepEqual(readJournal(run), before);
    assert.deepEqual(calls(project), ["a/1", "b/1"]);

    const raised = await withStandIns(project, ["resume", "r", "--limit", enough], plans);
    assert.equal(raised.code, 0, raised.stderr);
    assert.deepEqual(calls(project), ["a/1", "b/1", "c/1"]);
    assert.deepEqual((await status(project)).usage, {
      tokens: 360,
      costUsd: 0.03,
      unknown: 0,
      unknownCost: 0,
    });
  });
}

for (const [limit, raised, message] of [
  ["max_tokens: 200", "a.max_tokens=500", "a: 240 tokens were used, and max_tokens is 200"],
  ["max_cost_usd: 0.02", "a.max_cost_usd=0.05", "a: 0.0200 USD were spent, and max_cost_usd is 0.02"],
] as const) {
  test(`a step that crosses its ${limit} is not started again before that is raised`, async (t) => {
    const project = projectFor(t);
    const steps = STEPS.replace("A., outputs: [x]", `A., outputs: [x], limits: { ${limit} }`);
    project.write("w.yaml", `id: w${steps}`);
    // A retry is what it would be started for.
    const plans = { a: [{}, {}, DONE], b: DONE, c: DONE };
    const { code } = await withStandIns(project, ["run", "w.yaml", "--run-id", "r"], plans);
    assert.equal(code, 3);
    const { reason } = readRun(project.onlyRun());
    assert.deepEqual([reason.code, reason.message, reason.step, reason.attempt], ["BUDGET", message, "a", 2]);
    const refused = await withStandIns(project, ["resume", "r"], plans);
    assert.deepEqual([refused.code, refused.stderr.includes("[LIMIT_SPENT]")], [2, true]);
    assert.deepEqual(calls(project), ["a/1", "a/2"]);
    const more = await withStandIns(project, ["resume", "r", "--limit", raised], plans);
    assert.equal(more.code, 0, more.stderr);
    assert.deepEqual(calls(project), ["a/1", "a/2", "a/3", "b/1", "c/1"]);
  });
}

test("a limit that the last step crosses stops nothing: there is nothing more to spend", async (t) => {
  const project = projectFor(t);
  project.write("w.yaml", `id: w\nlimits: { max_tokens: 360 }${STEPS}`);
  const { code } = await withStandIns(project, ["run", "w.yaml"], { "*": DONE });
  assert.equal(code, 0);
});

test("what a client does not say is unknown: it counts for no limit, and status says so", async (t) => {
  const project = projectFor(t);
  project.write("w.yaml", `id: w\nlimits: { max_tokens: 200 }${STEPS}`);
  const silent = { ...DONE, usage: null };
  const plans = { a: silent, b: silent, c: DONE };
  assert.equal((await withStandIns(project, ["run", "w.yaml", "--run-id", "r"], plans)).code, 0);
  const { stdout } = await project.wf(["status", "r"]);
  assert.match(stdout, /^used {6}120 tokens, 0\.01 USD, 2 attempts unknown$/m);
  assert.deepEqual((await status(project)).usage, { tokens: 120, costUsd: 0.01, unknown: 2, unknownCost: 2 });
  const record = JSON.parse(fs.readFileSync(join(project.onlyRun(), "steps/a/attempt-1/agent.json"), "utf8"));
  assert.deepEqual(record.volatile.usage, {
    tokens: null,
    costUsd: null,
    counted: { tokens: null, costUsd: null },
    raw: { total_cost_usd: null, usage: null, modelUsage: null },
  });
  const ended = readJournal(project.onlyRun()).filter(({ event }) => event === "attempt_ended");
  assert.deepEqual(
    ended.map(({ volatile }) => volatile.usage),
    [
      { tokens: null, costUsd: null },
      { tokens: null, costUsd: null },
      { tokens: 120, costUsd: 0.01 },
    ],
  );
});

const THE_LIMIT = "2100-01-01T00:00:00.000Z";
const LONG_AGO = "2000-01-01T00:00:00.000Z";
const limitedUntil = (time: string) => ({
  error: { status: 429, message: "limit", resetAt: Date.parse(time) / 1000 },
});

test("a run whose client has reached its limit is parked until that ends; --due goes on then, not before", async (t) => {
  const project = projectFor(t);
  project.write("w.yaml", `id: w${STEPS}`);
  const plans = { a: DONE, b: [limitedUntil(THE_LIMIT), DONE], c: DONE };
  const { code, stdout } = await withStandIns(project, ["run", "w.yaml", "--run-id", "r"], plans);
  assert.equal(code, 3, stdout);
  const run = project.onlyRun();
  const { status: state, reason, volatile } = readRun(run);
  assert.deepEqual(
    [state, reason.code, reason.step, volatile.waitingUntil],
    ["waiting", "RATE_LIMIT", "b", THE_LIMIT],
  );
  const [, attempt] = readJournal(run).filter(({ event }) => event === "attempt_ended");
  assert.deepEqual(
    [attempt?.record.error.code, attempt?.record.error.message],
    ["AGENT_RATE_LIMITED", "claude has reached its rate or usage limit"],
  );

  const before = readJournal(run);
  const early = await withStandIns(project, ["resume", "--due"], plans);
  assert.deepEqual(
    [early.code, early.stdout],
    [0, "no run is due; the next is due at 2100-01-01 00:00:00\n"],
  );
  assert.deepEqual(readJournal(run), before);

  // Of the same length, so that the journal stays what its snapshot says.
  for (const name of ["run.json", "progress.ndjson"]) {
    const text = fs.readFileSync(join(run, name), "utf8");
    fs.writeFileSync(join(run, name), text.replaceAll(THE_LIMIT, LONG_AGO));
  }
  const late = await withStandIns(project, ["resume", "--due"], plans);
  assert.equal(late.code, 0, late.stdout + late.stderr);
  assert.deepEqual(calls(project), ["a/1", "b/1", "b/2", "c/1"]);
  assert.equal(readRun(run).status, "succeeded");
  assert.equal((await withStandIns(project, ["resume", "--due"], plans)).stdout, "no run is due\n");
});

test("a limit that has ended already, or of which nobody knows when it ends, is retried at once", async (t) => {
  const project = projectFor(t);
  project.write("w.yaml", `id: w${STEPS}`);
  const plans = {
    a: [limitedUntil(LONG_AGO), DONE],
    b: [{ error: { status: 429, message: "limit" } }, DONE],
    c: DONE,
  };
  assert.equal((await withStandIns(project, ["run", "w.yaml"], plans)).code, 0);
  assert.deepEqual(calls(project), ["a/1", "a/2", "b/1", "b/2", "c/1"]);
});

test("of a client that says how long it takes, the time counts from its end", async (t) => {
  const project = projectFor(t);
  project.write("w.yaml", `id: w${STEPS.replace("provider: claude", "provider: codex")}`);
  const error = { status: 429, message: "You've hit your usage limit. Try again in 2 hours 5 minutes." };
  const { code } = await withStandIns(project, ["run", "w.yaml"], { a: { error } });
  assert.equal(code, 3);
  const run = project.onlyRun();
  const ended = readJournal(run).find(({ event }) => event === "attempt_ended");
  const wait = Date.parse(readRun(run).volatile.waitingUntil) - Date.parse(ended?.volatile.endedAt);
  assert.ok(Math.abs(wait - 125 * 60_000) < 60_000, String(wait));
});

test("a client that prints nothing for its idle_timeout is stopped, and the retry knows", async (t) => {
  const project = projectFor(t);
  const steps = STEPS.replace("A., outputs", "A., idle_timeout: 2s, outputs");
  project.write("w.yaml", `id: w${steps}`);
  const hanging = { hang: true, child: true, session: "s" };
  const plans = { a: [hanging, DONE], b: DONE, c: DONE };
  const { code, stdout } = await withStandIns(project, ["run", "w.yaml"], plans);
  assert.equal(code, 0, stdout);
  const run = project.onlyRun();
  const [first, second] = [1, 2].map((attempt) => attemptFolder(project, run, "a", attempt));
  const { status: state, error } = JSON.parse(first?.["attempt.json"] ?? "");
  assert.deepEqual(
    [state, error.code, error.message],
    ["timed_out", "IDLE_TIMEOUT", "it printed nothing for 2s, its idle_timeout"],
  );
  assert.equal(JSON.parse(first?.["agent.json"] ?? "").failure, "timeout");
  assert.equal(
    second?.["prompt.md"],
    "A.\n\n# What was wrong with the attempt before this one\n\nit printed nothing for 2s, its idle_timeout [IDLE_TIMEOUT]\n",
  );
  // Neither the client nor what it started in a session of its own.
  await project.quiet();
});

test("a client that takes longer than its idle_timeout and keeps printing is left alone", async (t) => {
  const project = projectFor(t);
  project.write(
    "w.yaml",
    `id: w
providers:
  slow: { command: [sh, -c, 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo thinking; sleep 0.25; done'] }
agents: { worker: { provider: slow } }
steps:
  - { id: a, agent: worker, prompt: A., idle_timeout: 2s, outputs: ['x?'] }
`,
  );
  const { code, stdout } = await withStandIns(project, ["run", "w.yaml"]);
  assert.equal(code, 0, stdout);
});

test("permissions reach each client as its own flags, and the agent's args come behind them", async (t) => {
  const project = projectFor(t);
  const agents = ["claude", "codex", "gemini"].flatMap((provider) =>
    ["read", "write", "full"].map((permissions) => ({
      name: `${provider}_${permissions}`,
      provider,
      permissions,
    })),
  );
  const document = {
    id: "w",
    agents: Object.fromEntries(
      agents.map(({ name, ...agent }) => [name, { ...agent, model: "m", args: ["--own", "arg"] }]),
    ),
    steps: agents.map(({ name }) => ({ id: name, agent: name, prompt: "Go.", outputs: ["x?"] })),
  };
  project.write("w.yaml", JSON.stringify(document));
  const { code, stderr } = await withStandIns(project, ["run", "w.yaml", "--run-id", "r"]);
  assert.equal(code, 0, stderr);
  const run = project.onlyRun();

  const found = project.lines("calls.ndjson").map((line) => {
    const { step, args } = JSON.parse(line);
    const { volatile } = JSON.parse(fs.readFileSync(join(run, `steps/${step}/attempt-1/agent.json`), "utf8"));
    assert.deepEqual(volatile.argv.slice(1), args, step);
    return [step, args.map((arg: string) => arg.replaceAll(join(run, "steps", step), "<step>"))];
  });
  const where =
    "$WF_ATTEMPT_DIR is the folder <step>/attempt-1, and $WF_OUTPUTS is <step>/attempt-1/outputs.";
  const claude = (...flags: string[]) => [
    ...["-p", "--output-format", "stream-json", "--verbose", "--model", "m"],
    ...["--append-system-prompt", where, ...flags, "--own", "arg"],
  ];
  const codex = (...flags: string[]) => [
    ...["exec", "--json", "--skip-git-repo-check", "-C", project.dir, "-m", "m"],
    ...["-c", `developer_instructions="${where}"`, ...flags, "--own", "arg", "-"],
  ];
  const gemini = (...flags: string[]) => [
    ...["-o", "stream-json", "-m", "m", ...flags, "--include-directories", "<step>/attempt-1"],
    ...["--own", "arg", "-p", where],
  ];
  const reading = ["--allowedTools", "Read(/<step>/attempt-1/**)"];
  const outputs = "<step>/attempt-1/outputs";
  const args = Object.fromEntries(found);
  const isRule = (arg: string) => arg.startsWith("Edit(");
  const denied = args.claude_write.filter(isRule);
  for (const path of ["run.json", "progress.ndjson*", "control/**", "steps/*/attempt-*/attempt.json"]) {
    assert.ok(denied.includes(`Edit(/${project.runsDir}/*/${path})`), path);
  }
  args.claude_write = args.claude_write.filter((arg: string) => !isRule(arg));
  assert.deepEqual(args, {
    claude_read: claude("--permission-mode", "default", ...reading, "--disallowedTools", "Edit(//**)"),
    claude_write: claude(
      ...["--permission-mode", "acceptEdits", ...reading, "--add-dir", outputs, "--disallowedTools"],
    ),
    claude_full: claude("--dangerously-skip-permissions"),
    codex_read: codex("-s", "read-only"),
    codex_write: codex("-s", "workspace-write", "--add-dir", outputs),
    codex_full: codex("--dangerously-bypass-approvals-and-sandbox"),
    gemini_read: gemini("--approval-mode", "default"),
    gemini_write: gemini("--approval-mode", "auto_edit"),
    gemini_full: gemini("--yolo"),
  });
});

const SECRET = "hunter2-hunter2";
const WITH_SECRET = `id: w
inputs: { token: { secret: true } }
providers:
  own: { command: [sh, -c, 'test -n "$TOKEN" && printf "%s" "[workflow_result]{\\"x\\":\\"$TOKEN\\"}[/workflow_result]"'] }
agents:
  keeper: { provider: own, env: { TOKEN: '{{inputs.token}}' } }
  worker: { provider: claude }
steps:
  - { id: leak, run: 'echo "found=$WF_INPUT_TOKEN" >> "$WF_OUTPUT"', outputs: [found] }
  - { id: keep, agent: keeper, prompt: Keep., outputs: [x] }
  - id: work
    agent: worker
    prompt: 'Found {{steps.leak.outputs.found}}, kept {{state.keep_x}}.'
    outputs: [x]
`;

test("a secret reaches the client's environment, and no prompt: not by what a step printed, nor by a failure", async (t) => {
  const project = projectFor(t);
  project.write("w.yaml", WITH_SECRET);
  const failing = { result: { status: "failed", summary: `${SECRET} is refused` } };
  const plans = { work: [failing, { result: { x: "1" } }] };
  const env = { WF_SECRET_TOKEN: SECRET };
  const { code, stdout, stderr } = await withStandIns(project, ["run", "w.yaml"], plans, { env });
  assert.equal(code, 0, stdout + stderr);
  const run = project.onlyRun();
  assert.equal(
    fs.readFileSync(join(run, "steps/work/attempt-2/prompt.md"), "utf8"),
    "Found ***, kept ***.\n\n# What was wrong with the attempt before this one\n\nthe agent says that it failed: *** is refused [AGENT_FAILED]\n",
  );
  const context = JSON.parse(fs.readFileSync(join(run, "steps/work/attempt-1/context.json"), "utf8"));
  assert.deepEqual(context.inputs, { token: { $secret: "token" } });
  assert.equal((stdout + stderr).includes(SECRET), false);
  for (const path of fs.readdirSync(run, { recursive: true, encoding: "utf8" })) {
    if (!fs.statSync(join(run, path)).isFile()) continue;
    assert.equal(fs.readFileSync(join(run, path), "utf8").includes(SECRET), false, path);
  }
});

test("a prompt that names a secret is refused before anything starts", async (t) => {
  const project = projectFor(t);
  for (const prompt of ["{{inputs.token}}", "Use {{ inputs.token }} for it."]) {
    project.write("w.yaml", WITH_SECRET.replace("prompt: Keep.", `prompt: '${prompt}'`));
    const env = { WF_SECRET_TOKEN: SECRET };
    const { code, stderr } = await withStandIns(project, ["run", "w.yaml"], {}, { env });
    assert.deepEqual([code, stderr.includes("[UNSAFE_REFERENCE]")], [2, true], stderr);
  }
  assert.deepEqual(project.runDirs(), []);
});
