import assert from "node:assert/strict";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { AttemptRecord, OutputValue } from "../../src/core/event.ts";
import { nodeOf } from "../../src/core/state.ts";
import type { AgentStep } from "../../src/core/workflow.ts";
import { FAILURE_CODES } from "../../src/providers/provider.ts";
import { Secrets } from "../../src/secrets/secrets.ts";
import { type AgentEnd, finishAgent, prepareAgent } from "../../src/steps/agent.ts";
import type { Collected } from "../../src/steps/outputs.ts";
import { type AttemptContext, PreparationError, type Prepared } from "../../src/steps/prepare.ts";
import { attemptDir } from "../../src/store/layout.ts";
import { Story } from "../core/story.ts";
import { workflow } from "../language/rig.ts";
import { STAND_INS } from "./rig.ts";

const LOOP = `
agents:
  writer: { provider: claude, env: { A: agent, B: agent, C: agent } }
  reader: { provider: codex, permissions: read }
env: { A: workflow, B: workflow, D: workflow }
steps:
  - id: plan
    agent: writer
    env: { A: step }
    prompt: Plan.
    output_files: { plan: plan.md }
  - id: review
    type: agent_review
    agent: reader
    prompt: 'Review {{steps.plan.outputs.plan}} ({{state.build_result}})'
    on_reject: plan
  - id: build
    agent: writer
    prompt: Build.
    outputs: [result]
`;

/** A run in a folder, told line by line; what a step would be given now, and what it is taken to have left. */
class Rig {
  readonly dir = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "wf-agent-")));
  readonly runDir = join(this.dir, ".wf/runs/r");
  readonly story: Story;
  secrets = new Secrets(new Map());
  path: string = STAND_INS;

  constructor(t: TestContext, text: string) {
    this.story = new Story(workflow(`id: w${text}`));
    t.after(() => fs.rmSync(this.dir, { recursive: true }));
  }

  context(step: string): AttemptContext<AgentStep> {
    const { state } = this.story;
    const node = nodeOf(state, step);
    const attempt = node.state.status === "running" ? node.state.attempt : node.attempts + 1;
    return {
      state,
      places: { runDir: this.runDir, project: this.dir, secrets: this.secrets, depth: 0 },
      node,
      step: node.step as AgentStep,
      attempt,
      dir: attemptDir(this.runDir, { step, attempt }),
      base: { PATH: this.path },
      cookie: "c",
    };
  }

  prepare(step: string): Prepared {
    const prepared = prepareAgent(this.context(step));
    const { dir } = this.context(step);
    fs.mkdirSync(dir, { recursive: true });
    for (const folder of prepared.folders) fs.mkdirSync(folder, { recursive: true });
    for (const [name, text] of prepared.files) fs.writeFileSync(join(dir, name), text);
    return prepared;
  }

  prompt(step: string): string {
    return this.prepare(step).files.get("prompt.md") ?? "";
  }

  /** The attempt as it is recorded, in the journal and beside its files. */
  ended(step: string, record: Partial<AttemptRecord>): this {
    const { state } = nodeOf(this.story.state, step);
    assert.ok(state.status === "running");
    const { attempt, cause } = state;
    const whole: AttemptRecord = { step, attempt, cause, status: "succeeded", outputs: {}, ...record };
    const dir = attemptDir(this.runDir, { step, attempt });
    fs.mkdirSync(dir, { recursive: true });
    fs.writeFileSync(join(dir, "attempt.json"), JSON.stringify(whole));
    const volatile = { startedAt: "", endedAt: "", stdoutBytes: 0, stderrBytes: 0 };
    this.story.say({ event: "attempt_ended", record: whole, volatile });
    return this;
  }

  ran(step: string, record: Partial<AttemptRecord> = {}): this {
    this.story.settle().started(step);
    return this.ended(step, record);
  }

  file(step: string, attempt: number, name: string, text: string): OutputValue {
    const file = `steps/${step}/attempt-${attempt}/outputs/${name}`;
    fs.mkdirSync(join(this.runDir, file, ".."), { recursive: true });
    fs.writeFileSync(join(this.runDir, file), text);
    return { file, bytes: text.length, sha256: "0" };
  }

  /** Lets the attempt begin, and end with this on its standard output. */
  async finish(step: string, stdout: readonly object[], end: Partial<AgentEnd> = {}): Promise<Collected> {
    this.prepare(step);
    this.story.started(step);
    return this.finishAgain(step, stdout, end);
  }

  finishAgain(step: string, stdout: readonly object[], end: Partial<AgentEnd> = {}): Promise<Collected> {
    const context = this.context(step);
    const text = stdout.map((each) => `${JSON.stringify(each)}\n`).join("");
    fs.writeFileSync(join(context.dir, "stdout.log"), text);
    return finishAgent(context, { exitCode: 0, stopped: null, ...end }, true);
  }

  record(
    step: string,
    attempt: number,
  ): { failure: unknown; denied: unknown; volatile: Record<string, unknown> } {
    return JSON.parse(
      fs.readFileSync(join(attemptDir(this.runDir, { step, attempt }), "agent.json"), "utf8"),
    );
  }
}

const said = (result: object | string, more: object = {}) => ({
  type: "result",
  subtype: "success",
  is_error: false,
  result:
    typeof result === "string" ? result : `[workflow_result]${JSON.stringify(result)}[/workflow_result]`,
  session_id: "s",
  ...more,
});
const turn = (result: object, more: object = {}) => [
  { type: "thread.started", thread_id: "t" },
  {
    type: "item.completed",
    item: { type: "agent_message", text: `[workflow_result]${JSON.stringify(result)}[/workflow_result]` },
  },
  { type: "turn.completed", ...more },
];

test("the client is an absolute program, its prompt a file, and its environment in order of precedence", (t) => {
  const rig = new Rig(t, LOOP);
  const { argv, stdin, env, cwd, files } = rig.prepare("plan");
  assert.equal(argv[0], join(STAND_INS, "claude"));
  assert.equal(stdin, join(rig.runDir, "steps/plan/attempt-1/stdin.txt"));
  assert.equal(cwd, rig.dir);
  assert.deepEqual([env.A, env.B, env.C], ["step", "agent", "agent"]);
  assert.equal(env.CLAUDECODE, null);
  assert.deepEqual([...files.keys()].sort(), ["agent.json", "context.json", "prompt.md", "stdin.txt"]);
  for (const name of ["stdin.txt", "context.json"]) {
    assert.doesNotMatch(files.get(name) ?? "", /\/wf-agent-|20\d\d-/, name);
  }
  assert.equal(argv.join("\n").includes("Plan."), false);
});

test("a client that is not on PATH is a failure of the attempt", (t) => {
  const rig = new Rig(t, LOOP);
  rig.path = rig.dir;
  assert.throws(
    () => rig.prepare("plan"),
    (error) => error instanceof PreparationError && error.failure.code === "AGENT_NOT_FOUND",
  );
});

test("what a prompt names of files is their text, of outputs that are not there nothing", (t) => {
  const rig = new Rig(t, LOOP);
  rig.ran("plan", { outputs: { plan: rig.file("plan", 1, "plan.md", "# Plan\n{{inputs.x}}\n") } });
  rig.story.settle();
  assert.equal(rig.prompt("review"), "Review # Plan\n{{inputs.x}}\n ()\n");
});

test("a step that a gate sends back to is told why, unless its prompt shows that itself", (t) => {
  const rejection = { decision: "reject" as const, outputs: { feedback: { value: "Too short.\n" } } };
  const sentBack = (text: string) => {
    const rig = new Rig(t, text);
    rig.ran("plan").ran("review", rejection).story.settle();
    return rig.prompt("plan");
  };
  assert.equal(
    sentBack(LOOP),
    "Plan.\n\n# Feedback of review\n\nThe result before this was rejected:\n\nToo short.\n",
  );
  assert.equal(
    sentBack(LOOP.replace("prompt: Plan.", "prompt: 'Plan. {{state.review_feedback}}'")),
    "Plan. Too short.\n",
  );
});

test("a retry is told what was wrong, and so is what takes the place of one that was cut off", (t) => {
  const failure = {
    code: "OUTPUT_MISSING",
    message: "it did not pass",
    details: { plan: "was not written" },
  };
  const told =
    "Plan.\n\n# What was wrong with the attempt before this one\n\nit did not pass [OUTPUT_MISSING]\n\n- plan was not written\n";
  const rig = new Rig(t, LOOP);
  rig.ran("plan", { status: "failed", error: failure });
  assert.equal(rig.prompt("plan"), told);
  rig.story.settle();
  rig.story.time += 1000;
  rig.ran("plan", { status: "interrupted" });
  assert.equal(rig.prompt("plan"), told);
  rig.ran("plan", { status: "canceled" }).story.say({
    event: "run_waiting",
    reason: { code: "SIGNAL", message: "stopped" },
  });
  rig.story.engine("resume");
  assert.equal(rig.prompt("plan"), told);
  rig
    .ran("plan")
    .ran("review", { decision: "reject", outputs: { feedback: { value: "No." } } })
    .story.settle();
  assert.doesNotMatch(rig.prompt("plan"), /What was wrong/);
});

test("a step that is entered again is not told of a failure from before that", (t) => {
  const rig = new Rig(
    t,
    LOOP.replace("    prompt: Plan.", "    prompt: Plan.\n    allow_failure: true\n    retry: { max: 0 }"),
  );
  rig.ran("plan", { status: "failed", error: { code: "AGENT_SERVER", message: "no" } });
  rig.ran("review", { decision: "reject", outputs: { feedback: { value: "No." } } }).story.settle();
  assert.equal(
    rig.prompt("plan"),
    "Plan.\n\n# Feedback of review\n\nThe result before this was rejected:\n\nNo.\n",
  );
});

test("a secret reaches the environment, and neither prompt nor context", (t) => {
  const rig = new Rig(
    t,
    `\ninputs: { token: { secret: true }, topic: { type: string } }${LOOP.replace("env: { A: step }", "env: { TOKEN: '{{inputs.token}}' }")}`,
  );
  rig.secrets = new Secrets(new Map([["token", "hunter2-hunter2"]]));
  rig.story.lines[0] = {
    ...rig.story.lines[0],
    inputs: { token: { $secret: "token" }, topic: "x" },
  } as never;
  const { files, env, argv } = rig.prepare("plan");
  assert.equal(env.TOKEN, "hunter2-hunter2");
  assert.equal(
    [...files.values(), ...argv].some((text) => text.includes("hunter2")),
    false,
  );
  assert.deepEqual(JSON.parse(files.get("context.json") ?? "").inputs, {
    token: { $secret: "token" },
    topic: "x",
  });
});

test("values of the envelope become the files that are missing; where one is, it counts", async (t) => {
  const rig = new Rig(
    t,
    LOOP.replace("{ plan: plan.md }", "{ plan: plan.md, data: a/data.json, kept: kept.md }"),
  );
  rig.prepare("plan");
  rig.file("plan", 1, "kept.md", "written\n");
  const { outputs, failure } = await rig.finish("plan", [
    said({ plan: "# Plan", data: { n: 1 }, kept: "from the envelope", extra: [1] }),
  ]);
  assert.equal(failure, undefined);
  assert.deepEqual(Object.keys(outputs), ["plan", "data", "kept", "extra"]);
  assert.deepEqual(outputs.extra, { value: [1] });
  const text = (name: string) => fs.readFileSync(join(rig.context("plan").dir, "outputs", name), "utf8");
  assert.deepEqual(["plan.md", "a/data.json", "kept.md"].map(text), [
    "# Plan\n",
    '{\n  "n": 1\n}\n',
    "written\n",
  ]);
  // As the next engine would, if this one had died before it could record the end.
  assert.deepEqual(
    (await rig.finishAgain("plan", [said({ plan: "# Plan", data: 2, extra: [1] })])).outputs,
    outputs,
  );
});

test("an envelope that is not needed may be missing or bad", async (t) => {
  for (const text of ["done", "[workflow_result]nonsense"]) {
    const rig = new Rig(t, LOOP);
    rig.file("plan", 1, "plan.md", "# Plan\n");
    const { failure, outputs } = await rig.finish("plan", [said(text)]);
    assert.equal(failure, undefined);
    assert.deepEqual(Object.keys(outputs), ["plan"]);
  }
});

test("a value is not written through a link that the agent has put on the way", async (t) => {
  const rig = new Rig(t, LOOP.replace("plan: plan.md", "plan: deep/plan.md"));
  const { dir } = rig.context("plan");
  rig.prepare("plan");
  const elsewhere = join(rig.dir, "elsewhere");
  fs.mkdirSync(elsewhere);
  fs.rmdirSync(join(dir, "outputs/deep"));
  fs.symlinkSync(elsewhere, join(dir, "outputs/deep"));
  rig.story.started("plan");
  const { failure, security } = await rig.finishAgain("plan", [said({ plan: "# Plan" })]);
  assert.equal(failure?.code, "OUTPUT_UNSAFE");
  assert.deepEqual(security, ["output plan: the folder of deep/plan.md is a link, or no folder"]);
  assert.deepEqual(fs.readdirSync(elsewhere), []);
});

for (const [what, result, expected] of [
  ["an approval", { decision: " Approve\n" }, "approve"],
  ["a rejection with feedback", { decision: "REJECT", feedback: "no" }, "reject"],
  ["a rejection without feedback", { decision: "reject" }, "FEEDBACK_MISSING"],
  ["a rejection with empty feedback", { decision: "reject", feedback: "  " }, "FEEDBACK_MISSING"],
  ["neither", { decision: "lgtm" }, "BAD_DECISION"],
  ["no decision", { feedback: "fine" }, "OUTPUT_MISSING"],
] as const) {
  test(`a gate's answer: ${what}`, async (t) => {
    const rig = new Rig(t, LOOP);
    rig.ran("plan", { outputs: { plan: rig.file("plan", 1, "plan.md", "p") } }).story.settle();
    const { outputs, failure } = await rig.finish("review", turn(result));
    if (failure) assert.equal(failure.code, expected);
    else assert.deepEqual(outputs.decision, { value: expected });
  });
}

test("of a session that goes on, an attempt has used what is beyond the one before", async (t) => {
  const rig = new Rig(t, LOOP.replace("{ provider: claude,", "{ provider: claude, args: [--resume, s],"));
  const cost = (total_cost_usd: number, tokens: number) => ({
    total_cost_usd,
    modelUsage: { m: { inputTokens: tokens } },
  });
  const first = await rig.finish("plan", [said("no", cost(0.006, 1000))]);
  assert.deepEqual(first.usage, { tokens: 1000, costUsd: 0.006 });
  rig.ended("plan", { status: "failed", error: { code: "ENVELOPE_MISSING", message: "no" } }).story.settle();
  rig.story.time += 10_000;
  const second = await rig.finish("plan", [said({ plan: "p" }, cost(0.018, 3000))]);
  assert.deepEqual(second.usage, { tokens: 2000, costUsd: 0.012 });
  const { usage } = rig.record("plan", 2).volatile as { usage: { counted: unknown; raw: unknown } };
  assert.deepEqual(usage.counted, { tokens: 3000, costUsd: 0.018 });
});

test("agent.json is written for an attempt that was stopped, too; its usage is unknown", async (t) => {
  for (const [stopped, failure] of [
    ["TIMEOUT", "timeout"],
    ["CANCELED", "canceled"],
  ] as const) {
    const rig = new Rig(t, LOOP);
    const collected = await rig.finish("plan", [], { exitCode: 143, stopped });
    assert.deepEqual(collected, { outputs: {}, security: [], usage: { tokens: null, costUsd: null } });
    const record = rig.record("plan", 1);
    assert.equal(record.failure, failure);
    assert.equal((record.volatile.argv as string[])[0], join(STAND_INS, "claude"));
  }
});

test("agent.json is as its schema says, at the start and at the end, and no class of failure is missing there", async (t) => {
  const file = new URL("../../schemas/agent.schema.json", import.meta.url);
  const schema = JSON.parse(fs.readFileSync(file, "utf8"));
  const isRecord = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(schema);
  assert.deepEqual(schema.properties.failure.enum, [null, ...Object.keys(FAILURE_CODES)]);
  const rig = new Rig(t, LOOP);
  rig.prepare("plan");
  assert.ok(isRecord(rig.record("plan", 1)), JSON.stringify(isRecord.errors));
  for (const stdout of [[], [said({ plan: "p" }, { total_cost_usd: 1 })]]) {
    const other = new Rig(t, LOOP);
    await other.finish("plan", stdout);
    assert.ok(isRecord(other.record("plan", 1)), JSON.stringify(isRecord.errors));
  }
});

test("of an attempt that was killed from outside the engine knows more", async (t) => {
  const rig = new Rig(t, LOOP);
  const { failure } = await rig.finish("plan", [], { exitCode: null });
  assert.equal(failure, undefined);
  assert.equal(rig.record("plan", 1).failure, "no_output");
});

test("a limit with a known end is told when that is", async (t) => {
  const rig = new Rig(t, LOOP);
  const { failure, retryAt } = await rig.finish(
    "plan",
    [said("limit reached|1800000000", { is_error: true, api_error_status: 429 })],
    { exitCode: 1 },
  );
  assert.equal(failure?.code, "AGENT_RATE_LIMITED");
  assert.equal(retryAt, 1_800_000_000_000);
});
