import assert from "node:assert/strict";
import { test } from "node:test";
import type { Workflow } from "../../src/core/workflow.ts";
import { loadWorkflow } from "../../src/language/load.ts";
import { asCommand, load, oneStep, problems, workflow } from "./rig.ts";

const first = (text: string, id?: string) => {
  const [step] = workflow(text, id).steps;
  assert.ok(step);
  return step;
};

test("what a small file leaves out has its default", () => {
  const { steps, ...rest } = workflow("id: w\nsteps: [{ id: a, run: make }]");
  const expected: Omit<Workflow, "steps"> = {
    id: "w",
    tags: [],
    shape: "sequence",
    inputs: [],
    env: {},
    limits: { maxTotalIterations: 100, budget: {} },
    onFailure: "stop",
    redact: [],
    pools: {},
    mainSteps: 1,
    outputs: {},
  };
  assert.deepEqual(rest, expected);
  assert.deepEqual(steps, [
    {
      id: "a",
      index: 0,
      needs: [],
      pools: {},
      env: {},
      workspaceMode: "project",
      retry: { max: 0, delayMs: 0, backoff: 1, maxDelayMs: 3_600_000 },
      outputs: [],
      onInterrupt: "rerun",
      allowFailure: false,
      type: "command",
      shell: ["sh", "-e"],
      script: { text: "make", variables: [] },
      cache: false,
    },
  ]);
});

test("a byte order mark, JSON, and line ends of Windows are accepted", () => {
  const yaml = "id: w\r\nsteps:\r\n  - id: a\r\n    run: |\r\n      one\r\n      two\r\n";
  assert.equal(asCommand(first(`\ufeff${yaml}`)).script.text, "one\ntwo\n");
  assert.equal(
    workflow('{"id":"w","steps":[{"id":"a","run":"x","timeout":"1m"}]}').steps[0]?.timeoutMs,
    60_000,
  );
  assert.deepEqual(problems("\ufeffid: 7\r\nsteps: 8\r\n"), ["WRONG_TYPE 1:5", "WRONG_TYPE 2:8"]);
});

test("needs make a graph, as text or as a list", () => {
  const found = workflow(
    "id: w\nsteps:\n  - { id: a, run: x, needs: [] }\n  - { id: b, run: x, needs: a }\n  - { id: c, run: x, needs: [b, a] }",
  );
  assert.equal(found.shape, "graph");
  assert.deepEqual(
    found.steps.map((step) => step.needs),
    [[], [0], [1, 0]],
  );
});

test("`next` names a step, done or fail; a step of that id goes before", () => {
  const text = (ids: string) =>
    `id: w\nsteps:\n  - { id: a, run: x, next: fail }\n  - { id: b, run: x, next: a }\n  - { id: ${ids}, run: x, next: done }`;
  assert.deepEqual(
    workflow(text("c")).steps.map((step) => step.next),
    [{ to: "fail" }, { to: "step", index: 0 }, { to: "done" }],
  );
  assert.deepEqual(first(text("fail")).next, { to: "step", index: 2 });
});

test("limits in both spellings", () => {
  const limits = (inner: string) => workflow(`id: w\nlimits: { ${inner} }\nsteps: [{ id: a, run: x }]`);
  assert.deepEqual(limits("run_timeout: 1h, max_parallel: 3, max_total_iterations: 7").limits, {
    maxTotalIterations: 7,
    runTimeoutMs: 3_600_000,
    maxParallel: 3,
    budget: {},
  });
  assert.equal(limits("run_timeout_seconds: 90").limits.runTimeoutMs, 90_000);
  const [step] = limits("step_timeout_seconds: 5, max_retries: 4").steps;
  assert.equal(step?.timeoutMs, 5000);
  assert.equal(step?.retry.max, 4);
  const many = `id: w\nsteps:\n${Array.from({ length: 30 }, (_, i) => `  - { id: s${i}, run: x }\n`).join("")}`;
  assert.equal(workflow(many).limits.maxTotalIterations, 300);
});

test("a step's own timeout and retries go before the workflow's", () => {
  const text = (inner: string) =>
    `id: w\nlimits: { step_timeout: 5s, max_retries: 4 }\nsteps: [{ id: a, run: x, ${inner} }]`;
  assert.equal(first(text("timeout: 1s")).timeoutMs, 1000);
  assert.equal(first(text("limits: { timeout_seconds: 2, max_retries: 1 }")).timeoutMs, 2000);
  assert.equal(first(text("limits: { max_retries: 1 }")).retry.max, 1);
  assert.deepEqual(first(text("retry: { max: 0, delay: 2s, backoff: 1.5, max_delay: 1m }")).retry, {
    max: 0,
    delayMs: 2000,
    backoff: 1.5,
    maxDelayMs: 60_000,
  });
});

const book = (more = "") => `id: book
selector_agent: router
selection_max_retries: 2
agents: { router: { provider: anthropic, can_orchestrate_workflows: true } }
env: { A: book, B: book }
workflow_orchestration: { max_total_iterations: 12, default_run_timeout_seconds: 60, default_step_timeout_seconds: 900, max_step_timeout_seconds: 600 }
${more}workflows:
  - id: one
    env: { B: one }
    steps: [{ id: a, run: x }, { id: b, run: x, timeout: 1h }, { id: c, run: x, timeout: 1m }]
  - id: two
    limits: { max_total_iterations: 3, run_timeout: 5m, step_timeout: 10s }
    steps: [{ id: a, run: x }]
  - id: three
    steps: [{ id: a, agent: rooter, prompt: hello }]
`;

test("of a workbook the named workflow is taken, else the default", () => {
  assert.equal(workflow(book(), "two").id, "two");
  assert.equal(workflow(book("default_workflow: one\n")).id, "one");
  assert.equal(workflow(book("default_workflow: one\n"), "two").id, "two");
  assert.equal(workflow("workflows: [{ id: only, steps: [{ id: a, run: x }] }]").id, "only");
  assert.deepEqual(problems(book()), ["UNKNOWN_WORKFLOW 7:1"]);
  assert.deepEqual(problems(book(), "twoo"), ["UNKNOWN_WORKFLOW 7:1"]);
});

test("only what concerns the chosen workflow is reported", () => {
  assert.deepEqual(problems(book(), "one"), []);
  assert.deepEqual(problems(book(), "three"), ["UNKNOWN_NAME 15:29"]);
});

test("a workbook's limits and env are the workflow's, and timeouts are cut to its maximum", () => {
  const one = workflow(book(), "one");
  assert.deepEqual(one.limits, { maxTotalIterations: 12, runTimeoutMs: 60_000, budget: {} });
  assert.deepEqual(
    Object.entries(one.env).map(([name, value]) => [name, value.source]),
    [
      ["A", "book"],
      ["B", "one"],
    ],
  );
  assert.deepEqual(
    one.steps.map((step) => [step.timeoutMs, step.timeoutClampedFromMs]),
    [
      [600_000, 900_000],
      [600_000, 3_600_000],
      [60_000, undefined],
    ],
  );
  const two = workflow(book(), "two");
  assert.deepEqual(two.limits, { maxTotalIterations: 3, runTimeoutMs: 300_000, budget: {} });
  assert.equal(two.steps[0]?.timeoutMs, 10_000);
});

test("the id of a plain file may be given, another one may not", () => {
  assert.equal(workflow("id: w\nsteps: [{ id: a, run: x }]", "w").id, "w");
  assert.deepEqual(problems("id: w\nsteps: [{ id: a, run: x }]", "v"), ["UNKNOWN_WORKFLOW 1:5"]);
});

test("outputs: a list has type string, a map has schemas, files are joined to them", () => {
  const list = first(
    oneStep(
      "run: x",
      "outputs: [summary, plan?]",
      "output_files: { plan: plan.md, log: 'log-{{workflow.attempt}}.txt' }",
    ),
  );
  assert.deepEqual(
    list.outputs.map(({ file, ...rest }) => ({ ...rest, file: file?.source })),
    [
      { key: "summary", required: true, schema: { type: "string" }, parsed: false, file: undefined },
      { key: "plan", required: false, schema: { type: "string" }, parsed: false, file: "plan.md" },
      { key: "log", required: true, parsed: false, file: "log-{{workflow.attempt}}.txt" },
    ],
  );
  const map = first(oneStep("run: x", "outputs: { size: { type: integer }, any?: }"));
  assert.deepEqual(map.outputs, [
    { key: "size", required: true, schema: { type: "integer" }, parsed: true },
    { key: "any", required: false, schema: {}, parsed: true },
  ]);
});

test("shells", () => {
  const shellOf = (text: string) => asCommand(first(text)).shell;
  assert.deepEqual(shellOf(oneStep("run: x", "shell: bash")), ["bash", "-eo", "pipefail"]);
  assert.deepEqual(shellOf(oneStep("run: x", "shell: [bash, -euo, pipefail]")), ["bash", "-euo", "pipefail"]);
  assert.deepEqual(shellOf("id: w\nshell: bash\nsteps: [{ id: a, run: x }]"), ["bash", "-eo", "pipefail"]);
});

test("the older name of the project folder is accepted", () => {
  assert.equal(first(oneStep("run: x", "workspace_mode: orchestrator_workspace")).workspaceMode, "project");
  assert.equal(first(oneStep("run: x", "workspace_mode: attempt")).workspaceMode, "attempt");
});

test("inputs keep their schema apart from what is not a schema", () => {
  const text =
    "id: w\ninputs:\n  a: { type: string, minLength: 1, default: x, optional: true, description: d, secret: false }\n  b: {}\n  c:\nsteps: [{ id: s, run: x }]";
  assert.deepEqual(workflow(text).inputs, [
    {
      name: "a",
      description: "d",
      schema: { type: "string", minLength: 1 },
      default: "x",
      optional: true,
      secret: false,
    },
    { name: "b", optional: false, secret: false },
    { name: "c", optional: false, secret: false },
  ]);
});

test("an anchor may be repeated, and what is wrong in it is said once", () => {
  const text =
    "id: w\nsteps:\n  - { id: a, run: x, retry: &r { max: 1, mx: 2 } }\n  - { id: b, run: x, retry: *r }";
  assert.deepEqual(problems(text), ["UNKNOWN_KEY 3:42"]);
  assert.equal(first(text.replace(", mx: 2", "")).retry.max, 1);
});

test("nothing reaches a prototype", () => {
  const text =
    "id: w\ninputs:\n  a:\n    default: { __proto__: { polluted: true }, constructor: { prototype: { polluted: true } } }\nsteps: [{ id: s, run: x }]";
  assert.deepEqual(problems(text), ["FORBIDDEN_KEY 4:16", "FORBIDDEN_KEY 4:47", "FORBIDDEN_KEY 4:62"]);
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
});

test("problems come in the order of the file", () => {
  const loaded = load(
    "id: A\nlimits: { max_parallel: 0 }\noutputs: { x: '{{inputs.x}}' }\nsteps:\n  - { id: B, run: 1, next: c }\n  - { id: a, run: x, when: '1 +' }\nzzz: 1",
  );
  assert.ok(!loaded.ok);
  const places = loaded.problems.map(
    ({ position }) => (position?.line ?? 0) * 1000 + (position?.column ?? 0),
  );
  assert.equal(places.length, 8);
  assert.deepEqual(
    places,
    [...places].sort((a, b) => a - b),
  );
});

for (const shape of ["sequence", "graph"] as const) {
  test(`a ${shape} of 20,000 steps is loaded`, { timeout: 60_000 }, () => {
    const step = (i: number) =>
      `  - id: s${i}\n${shape === "graph" ? `    needs: [${i > 0 ? `s${i - 1}` : ""}]\n` : ""}    run: echo "{{inputs.x}}" {{steps.s${i >> 1}.status}}\n`;
    const text = `id: big\ninputs: [x]\nsteps:\n  - { id: s, run: x${shape === "graph" ? ", needs: []" : ""} }\n`;
    const steps = Array.from({ length: 20_000 }, (_, i) => step(i))
      .join("")
      .replaceAll("{{steps.s0.status}}", "");
    const loaded = loadWorkflow({ path: "big.yaml", bytes: Buffer.from(text + steps) });
    assert.equal(loaded.ok ? loaded.workflow.steps.length : loaded.problems[0], 20_001);
  });
}
