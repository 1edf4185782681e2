import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentStep, ApprovalStep } from "../../src/core/workflow.ts";
import { loadWorkflow } from "../../src/language/load.ts";
import { load, problems, workflow } from "./rig.ts";

const head = "id: w\nagents: { coder: { provider: claude, model: opus } }\n";

function agentStep(step: string, files?: Readonly<Record<string, string>>): AgentStep {
  const [found] = workflow(`${head}steps: [{ id: a, agent: coder, ${step} }]`, undefined, files).steps;
  assert.ok(found?.type === "agent_task" || found?.type === "agent_review");
  return found;
}

test("a step with an agent and a prompt is an agent_task, retried twice", () => {
  assert.deepEqual(agentStep("prompt: 'Plan {{workflow.run_id}}'"), {
    id: "a",
    index: 0,
    needs: [],
    pools: {},
    env: {},
    workspaceMode: "project",
    retry: { max: 2, delayMs: 0, backoff: 1, maxDelayMs: 3_600_000 },
    outputs: [],
    onInterrupt: "rerun",
    allowFailure: false,
    type: "agent_task",
    agent: {
      name: "coder",
      provider: { kind: "claude" },
      model: "opus",
      args: [],
      env: {},
      permissions: "write",
    },
    prompt: {
      source: "Plan {{workflow.run_id}}",
      parts: ["Plan ", { text: "workflow.run_id", segments: ["workflow", "run_id"] }],
    },
    budget: {},
  });
});

test("retries: the step's own, else the workflow's, else two", () => {
  const max = (more: string, step: string) =>
    workflow(`${head}${more}steps: [{ id: a, agent: coder, prompt: x, ${step} }]`).steps[0]?.retry.max;
  assert.equal(max("limits: { max_retries: 5 }\n", ""), 5);
  assert.equal(max("limits: { max_retries: 5 }\n", "retry: { max: 0 }"), 0);
  assert.equal(max("", "retry: { delay: 1s }"), 2);
  assert.equal(max("", "limits: { max_retries: 1 }"), 1);
});

test("budgets and idle timeouts", () => {
  const step = agentStep(
    "prompt: x, idle_timeout: 5m, limits: { max_tokens: 10, max_cost_usd: 0.5, timeout_seconds: 9 }",
  );
  assert.deepEqual(step.budget, { maxTokens: 10, maxCostUsd: 0.5 });
  assert.equal(step.idleTimeoutMs, 300_000);
  assert.equal(step.timeoutMs, 9000);
  const found = workflow(
    "id: w\nlimits: { max_tokens: 7, max_cost_usd: 2 }\nsteps: [{ id: a, run: x, idle_timeout: 2 }]",
  );
  assert.deepEqual(found.limits.budget, { maxTokens: 7, maxCostUsd: 2 });
  assert.equal(found.steps[0]?.idleTimeoutMs, 2000);
});

test("a provider is one that wf has, by either name, or a declared one", () => {
  const provider = (name: string, more = "") =>
    (
      workflow(`id: w\n${more}agents: { x: { provider: ${name} } }\nsteps: [{ id: a, agent: x, prompt: y }]`)
        .steps[0] as AgentStep
    ).agent.provider;
  for (const [name, kind] of [
    ["claude", "claude"],
    ["anthropic", "claude"],
    ["codex", "codex"],
    ["openai", "codex"],
    ["gemini", "gemini"],
  ] as const)
    assert.deepEqual(provider(name), { kind });
  assert.deepEqual(provider("mine", "providers: { mine: { command: [my-agent, -q] } }\n"), {
    kind: "custom",
    name: "mine",
    command: ["my-agent", "-q"],
    output: "text",
    fields: {},
  });
  const fields = "text: a.b, error: e, tokens: usage.total_tokens, cost_usd: cost, session: id";
  assert.deepEqual(provider("mine", `providers: { mine: { command: [x], output: jsonl, ${fields} } }\n`), {
    kind: "custom",
    name: "mine",
    command: ["x"],
    output: "jsonl",
    fields: { text: "a.b", error: "e", tokens: "usage.total_tokens", cost_usd: "cost", session: "id" },
  });
});

test("a workflow's agents and providers go before the workbook's", () => {
  const book = `agents: { a: { provider: mine }, b: { provider: gemini } }
providers: { mine: { command: [book] } }
workflows:
  - id: w
    providers: { mine: { command: [own] } }
    agents: { b: { provider: codex, args: [-x], env: { A: '{{workflow.run_id}}' }, permissions: full } }
    steps: [{ id: s, agent: a, prompt: x }, { id: t, agent: b, prompt: x }]
`;
  const [first, second] = workflow(book).steps as AgentStep[];
  assert.deepEqual(first?.agent.provider, {
    kind: "custom",
    name: "mine",
    command: ["own"],
    output: "text",
    fields: {},
  });
  assert.deepEqual(second?.agent.provider, { kind: "codex" });
  assert.deepEqual(
    [second?.agent.args, second?.agent.env.A?.source, second?.agent.permissions],
    [["-x"], "{{workflow.run_id}}", "full"],
  );
});

test("a prompt from a file keeps the file's path, relative to the workflow", () => {
  const step = agentStep("prompt_file: ./prompts//plan.md", {
    "prompts/plan.md": "\ufeffPlan {{workflow.run_id}}\n",
  });
  assert.equal(step.promptFile, "prompts/plan.md");
  assert.equal(step.prompt.source, "Plan {{workflow.run_id}}\n");
});

for (const path of [
  "''",
  "' '",
  ".",
  "./",
  "..",
  "../x.md",
  "a/../../x.md",
  "a/..",
  "/x.md",
  "~/x.md",
  "'a\\..\\x.md'",
  "'C:\\x.md'",
]) {
  test(`prompt_file: ${path} is never read`, () => {
    const asked: string[] = [];
    const text = `${head}steps: [{ id: a, agent: coder, prompt_file: ${path} }]`;
    const loaded = load(
      text,
      undefined,
      new Proxy({}, { getOwnPropertyDescriptor: (_, name) => void asked.push(String(name)) }),
    );
    assert.ok(!loaded.ok);
    assert.deepEqual([loaded.problems.map(({ code }) => code), asked], [["BAD_VALUE"], []]);
  });
}

test("a prompt's file is read once, however many steps name it", () => {
  let reads = 0;
  const text = `${head}steps:\n  - { id: a, agent: coder, prompt_file: p.md }\n  - { id: b, agent: coder, prompt_file: ./p.md }`;
  const readFile = () => Buffer.from(`read ${++reads}`);
  const loaded = loadWorkflow({ path: "w.yaml", bytes: Buffer.from(text), readFile });
  assert.ok(loaded.ok);
  const prompts = loaded.workflow.steps.map((step) => step.type === "agent_task" && step.prompt.source);
  assert.deepEqual(prompts, ["read 1", "read 1"]);
});

test("what is wrong in a prompt's file is said once, after the rest", () => {
  const text = `${head}steps:\n  - { id: a, agent: coder, prompt_file: p.md }\n  - { id: b, agent: coder, prompt_file: p.md }\n  - { id: c, run: 1 }`;
  const loaded = load(text, undefined, { "p.md": "one\n{{inputs.x}}\n" });
  assert.ok(!loaded.ok);
  assert.deepEqual(
    loaded.problems.map(({ code, position }) => [code, position?.file, position?.line, position?.column]),
    [
      ["WRONG_TYPE", "w.yaml", 6, 19],
      ["UNKNOWN_NAME", "p.md", 2, 1],
    ],
  );
});

const declared = (step: AgentStep) => step.outputs.map(({ key, required }) => `${key}${required ? "" : "?"}`);

test("a review declares its decision, unless the file does", () => {
  const review = "type: agent_review, prompt: x";
  assert.deepEqual(declared(agentStep(review)), ["decision", "feedback?"]);
  assert.deepEqual(agentStep(review).gate, {});
  assert.deepEqual(declared(agentStep(`${review}, outputs: [feedback, summary]`)), [
    "feedback",
    "summary",
    "decision",
  ]);
  assert.deepEqual(declared(agentStep("prompt: x, on_reject: fail")), ["decision", "feedback?"]);
  assert.deepEqual(declared(agentStep("prompt: x")), []);
});

test("gates: targets are steps, done or fail", () => {
  const { steps } = workflow(`${head}steps:
  - { id: a, run: x, on_approve: c, on_reject: a }
  - { id: b, message: y, on_reject: fail, next: c }
  - { id: c, type: agent_review, agent: coder, prompt: x, on_approve: done }
  - { id: d, message: y }
  - { id: e, run: x }`);
  assert.deepEqual(
    steps.map((step) => step.gate),
    [
      { onApprove: { to: "step", index: 2 }, onReject: { to: "step", index: 0 } },
      { onReject: { to: "fail" } },
      { onApprove: { to: "done" } },
      {},
      undefined,
    ],
  );
  assert.deepEqual(steps[1]?.next, { to: "step", index: 2 });
});

test("an approval takes no limit of the workflow", () => {
  const [step] = workflow(
    "id: w\nlimits: { step_timeout: 5s, max_retries: 4 }\nsteps: [{ id: a, message: 'Go {{workflow.run_id}}?', when: 'true' }]",
  ).steps as ApprovalStep[];
  assert.equal(step?.type, "approval");
  assert.equal(step?.message.source, "Go {{workflow.run_id}}?");
  assert.deepEqual([step?.timeoutMs, step?.retry.max, step?.outputs, step?.gate], [undefined, 0, [], {}]);
});

test("steps of `finally` come last, and change neither shape nor targets", () => {
  const found = workflow(
    "id: w\nfinally: [{ id: z, run: 'echo {{workflow.status}} {{steps.a.status}}' }]\nsteps: [{ id: a, run: x, needs: [] }, { id: b, run: x, needs: a }]",
  );
  assert.deepEqual(
    [found.shape, found.mainSteps, found.steps.map(({ id, index, needs }) => [id, index, needs])],
    [
      "graph",
      2,
      [
        ["a", 0, []],
        ["b", 1, [0]],
        ["z", 2, []],
      ],
    ],
  );
  assert.equal(workflow("id: w\nsteps: [{ id: a, run: x }]\nfinally: []").mainSteps, 1);
});

const inPrompt = (steps: string, prompt: string) =>
  problems(`${head}steps:\n${steps}  - { id: plan, agent: coder, prompt: '${prompt}' }`);

const states: [string, string, boolean][] = [
  ["a declared output", "state.fetch-all_url", true],
  ["a part of one", "state.fetch-all_url.host", true],
  ["one of an id with _", "state.a_b_c", true],
  ["a command gate's decision", "state.check_decision", true],
  ["a command gate's feedback", "state.check_feedback", true],
  ["an approval's feedback", "state.sign_feedback", true],
  ["an output that a command may write but does not declare", "state.fetch-all_size", false],
  ["a decision of what is no gate", "state.fetch-all_decision", false],
  ["an approval's other outputs", "state.sign_comment", false],
  ["a step alone", "state.sign", false],
  ["- for _", "state.fetch_all_url", false],
];
for (const [what, name, isKnown] of states) {
  test(`a prompt ${isKnown ? "may" : "may not"} name ${what}`, () => {
    const steps =
      '  - { id: fetch-all, run: x, outputs: [url] }\n  - { id: a_b, run: x, outputs: { c: {} } }\n  - { id: check, run: x, on_reject: fail }\n  - { id: sign, message: "?" }\n';
    assert.deepEqual(inPrompt(steps, `{{${name}}}`), isKnown ? [] : ["UNKNOWN_NAME 8:40"]);
  });
}

test("of a step that could not be read, any output may be named", () => {
  assert.deepEqual(inPrompt("  - { id: a, agent: codre, prompt: x, outputs: [y] }\n", "{{state.a_y}}"), [
    "UNKNOWN_NAME 4:21",
  ]);
  assert.deepEqual(inPrompt("  - { id: a, workflow: x.yaml }\n", "{{state.a_y}} {{steps.a.outputs.y}}"), [
    "FILE_NOT_FOUND 4:24",
  ]);
});
