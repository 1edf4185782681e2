import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_NESTING } from "../../src/core/limits.ts";
import type { NestedStep, Step, Workflow } from "../../src/core/workflow.ts";
import { formatProblems } from "../../src/language/format-problem.ts";
import { type FileUse, loadWorkflow, type Selection } from "../../src/language/load.ts";
import { positionsOf } from "../../src/language/positions.ts";
import { load, oneStep, problems, workflow } from "./rig.ts";

function nested(step: Step | undefined): NestedStep {
  assert.ok(step?.type === "workflow");
  return step;
}
const inner = (found: Workflow, index = 0) => nested(found.steps[index]).definition;

test("a workflow in a step: id, inputs, what it is given", () => {
  const found = workflow(
    oneStep(
      "workflow: { inputs: { v: { type: array }, w: { default: 1 } }, steps: [{ id: b, run: x }], outputs: { o: '{{steps.b.status}}' } }",
      "with: { v: [1, '{{inputs.x}}'] }",
      "env: { A: '{{inputs.y}}' }",
      "retry: { max: 2 }",
      "timeout: 1m",
    ),
  );
  const step = nested(found.steps[0]);
  assert.deepEqual(
    [step.definition.shown, step.definition.id, step.definition.step, step.definition.file],
    ["inline", "a", "a", undefined],
  );
  assert.deepEqual([step.retry.max, step.timeoutMs, Object.keys(step.env)], [2, 60_000, ["A"]]);
  assert.deepEqual(Object.keys(step.with), ["v"]);
  const { id, inputs, outputs, steps } = step.definition.workflow;
  assert.deepEqual([id, inputs.map(({ name }) => name), Object.keys(outputs)], ["a", ["v", "w"], ["o"]]);
  assert.deepEqual(
    steps.map((each) => each.id),
    ["b"],
  );
  assert.equal(inner(workflow(oneStep("workflow: { id: own, steps: [{ id: b, run: x }] }"))).id, "own");
});

test("a workflow in a step shares the agents, providers and shell around it, unless it has its own", () => {
  const file = (more: string) => `id: w
shell: bash
agents: { a: { provider: mine, model: one }, b: { provider: mine } }
providers: { mine: { command: [x] } }
env: { A: '{{inputs.gone}}' }
inputs: [gone]
steps:
  - id: n
    workflow:
      ${more}
      steps:
        - { id: s, run: x }
        - { id: p, agent: a, prompt: x }
        - { id: m, workflow: { steps: [{ id: q, agent: b, prompt: x }, { id: r, run: x }] } }
`;
  const shells = (found: Workflow) => {
    const outer = inner(found).workflow;
    const [s, p] = outer.steps;
    const [q, r] = inner(outer, 2).workflow.steps;
    assert.ok(s?.type === "command" && r?.type === "command" && p?.type === "agent_task");
    assert.ok(q?.type === "agent_task");
    return [s.shell[0], r.shell[0], p.agent.model, q.agent.provider.kind];
  };
  assert.deepEqual(shells(workflow(file("description: x"))), ["bash", "bash", "one", "custom"]);
  const own = "{ shell: sh, agents: { a: { provider: mine, model: two } } }";
  assert.deepEqual(shells(workflow(file(own.slice(2, -2).replace(", agents", "\n      agents")))), [
    "sh",
    "sh",
    "two",
    "custom",
  ]);
});

test("a workflow in a step shares the limits of the workbook, and a workbook's `env` is not its own", () => {
  const found = workflow(`
workflow_orchestration: { max_step_timeout_seconds: 60 }
env: { A: '{{inputs.only}}' }
workflows:
  - id: w
    inputs: [only]
    limits: { step_timeout: 5s }
    steps: [{ id: n, workflow: { steps: [{ id: s, run: x, timeout: 2h }, { id: t, run: x }] } }]
`);
  const { steps, env } = inner(found).workflow;
  assert.deepEqual(
    steps.map(({ timeoutMs }) => timeoutMs),
    [60_000, 60_000],
  );
  assert.deepEqual(env, {});
});

test("a workflow can run itself, and workflows of a workbook one another", () => {
  const self = workflow("id: w\nsteps: [{ id: a, workflow: w, when: 'false' }]");
  assert.equal(inner(self).workflow, self);
  assert.equal(inner(self).file, undefined);
  const ping = workflow(
    "workflows:\n  - { id: ping, steps: [{ id: a, workflow: pong }] }\n  - { id: pong, steps: [{ id: a, workflow: ping }, { id: b, workflow: { steps: [{ id: c, workflow: pong }] } }] }",
    "ping",
  );
  const pong = inner(ping).workflow;
  assert.equal(inner(pong).workflow, ping);
  assert.equal(inner(inner(pong, 1).workflow).workflow, pong);
  assert.equal(inner(pong, 1).step, "pong/b");
});

const FILES = {
  "p.md": "outer",
  "sub/build.yaml":
    "id: build\nagents: { a: { provider: claude } }\nsteps: [{ id: p, agent: a, prompt_file: p.md }, { id: d, workflow: deep/book.yaml#two }, { id: again, workflow: ./build.yaml }]",
  "sub/p.md": "inner",
  "sub/deep/book.yaml":
    "default_workflow: one\nworkflows: [{ id: one, steps: [{ id: a, run: x }] }, { id: two, steps: [{ id: a, run: x }, { id: b, workflow: one }] }]",
};

test("a file is read relative to the one that names it, once, and its own files with it", () => {
  const asked: [string, FileUse][] = [];
  const loaded = loadWorkflow({
    path: "there/w.yaml",
    bytes: Buffer.from(
      "id: w\nagents: { a: { provider: claude } }\nsteps: [{ id: p, agent: a, prompt_file: p.md }, { id: b, workflow: ./sub//build.yaml }, { id: c, workflow: sub/deep/book.yaml }, { id: d, workflow: sub/build.yaml#build }]",
    ),
    readFile: (path, use) => {
      asked.push([path, use]);
      return Object.hasOwn(FILES, path) ? Buffer.from(FILES[path as keyof typeof FILES]) : null;
    },
  });
  assert.equal(loaded.ok ? "" : formatProblems(loaded.problems), "");
  assert.ok(loaded.ok);
  assert.deepEqual(asked, [
    ["p.md", "prompt"],
    ["sub/build.yaml", "workflow"],
    ["sub/deep/book.yaml", "workflow"],
    ["sub/p.md", "workflow"],
  ]);
  const build = inner(loaded.workflow, 1);
  assert.deepEqual([build.shown, build.file, build.id], ["./sub//build.yaml", "sub/build.yaml", "build"]);
  const [prompt] = build.workflow.steps;
  assert.ok(prompt?.type === "agent_task");
  assert.deepEqual([prompt.prompt.source, prompt.promptFile], ["inner", "p.md"]);
  const two = inner(build.workflow, 1);
  assert.deepEqual([two.file, two.id, two.workflow.steps.length], ["deep/book.yaml", "two", 2]);
  assert.equal(inner(build.workflow, 2).workflow, build.workflow);
  assert.equal(inner(loaded.workflow, 2).id, "one");
  assert.equal(inner(loaded.workflow, 2).workflow, inner(two.workflow, 1).workflow);
  assert.equal(inner(loaded.workflow, 3).workflow, build.workflow);
});

test("a workflow in a step can be chosen again, wherever it stands, and is the same", () => {
  const step = (depth: number): string =>
    depth === 0
      ? "[{ id: s, run: 'echo {{inputs.v}}' }]"
      : `[{ id: n, workflow: { inputs: [v], steps: ${step(depth - 1)} }, with: { v: ${depth} } }, { id: m, workflow: { id: own, steps: [{ id: s, agent: a, prompt: x }] } }]`;
  const plain = `id: w\nshell: bash\nagents: { a: { provider: claude } }\nsteps: ${step(3)}\nfinally: [{ id: last, workflow: { steps: [{ id: z, run: x }] } }]`;
  const book = `agents: { a: { provider: claude } }\nworkflow_orchestration: { default_step_timeout_seconds: 9 }\nworkflows: [{ id: v, steps: [{ id: n, run: x }] }, { id: w, steps: ${step(2)} }]`;
  for (const file of [plain, book]) {
    let count = 0;
    const visit = (found: Workflow) => {
      for (const each of found.steps) {
        if (each.type !== "workflow") continue;
        count += 1;
        const { id, step, workflow: expected } = each.definition;
        const again = workflowOf(file, { id, step });
        assert.deepEqual(again, expected);
        const { steps } = positionsOf({ path: "w.yaml", bytes: Buffer.from(file) }, { id, step });
        assert.deepEqual(
          [...steps.keys()],
          expected.steps.map((one) => one.id),
        );
        visit(expected);
      }
    };
    visit(workflowOf(file, { id: "w" }));
    assert.equal(count, file === plain ? 7 : 4);
  }
});

function workflowOf(text: string, selection: Selection): Workflow {
  const loaded = loadWorkflow({ path: "w.yaml", bytes: Buffer.from(text) }, selection);
  assert.equal(loaded.ok ? "" : formatProblems(loaded.problems), "");
  assert.ok(loaded.ok);
  return loaded.workflow;
}

test("what is not in a step of that name can not be chosen", () => {
  const plain = "id: w\nsteps: [{ id: a, run: x }, { id: n, workflow: { steps: [{ id: s, run: x }] } }]";
  const book = `workflows:\n  - ${plain.replace(/\n/g, "\n    ")}`;
  const choose = (text: string, selection: Selection) => {
    const loaded = loadWorkflow({ path: "w.yaml", bytes: Buffer.from(text) }, selection);
    return loaded.ok ? "" : loaded.problems.map(({ message }) => message).join();
  };
  assert.equal(choose(plain, { step: "n" }), "");
  assert.equal(choose(book, { step: "w/n", id: "n" }), "");
  for (const step of ["a", "x", "n/s", "", "w/n"]) {
    assert.equal(choose(plain, { step }), `there is no workflow in a step "${step}" of this file`);
  }
  for (const step of ["n", "w", "w/a", "v/n"]) {
    assert.equal(choose(book, { step }), `there is no workflow in a step "${step}" of this file`);
  }
  assert.equal(choose(plain, { step: "n", id: "w" }), 'there is no workflow "w" in a step "n" of this file');
});

test("a chain of workflows may be as deep as runs may be", () => {
  const files = (count: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, at) => {
        const step = at + 1 < count ? `workflow: f${at + 1}.yaml` : "run: x";
        return [`f${at}.yaml`, `id: f${at}\nsteps: [{ id: a, ${step} }]`];
      }),
    );
  const first = "id: w\nsteps: [{ id: a, workflow: f0.yaml }]";
  assert.ok(load(first, undefined, files(MAX_NESTING)).ok);
  const loaded = load(first, undefined, files(MAX_NESTING + 1));
  assert.deepEqual(
    loaded.ok ? [] : loaded.problems.map(({ code, position }) => [code, position?.file, position?.line]),
    [["BAD_VALUE", `f${MAX_NESTING - 1}.yaml`, 2]],
  );
  // A shorter way to the last one counts.
  const both = "id: w\nsteps: [{ id: a, workflow: f0.yaml }, { id: b, workflow: f9.yaml }]";
  assert.ok(load(both, undefined, files(MAX_NESTING + 1)).ok);
});

test("a file that names itself is read again, and what is wrong with it is said once", () => {
  const text = "id: w\nsteps: [{ id: a, workflow: w.yaml }, { id: b, rnu: x }]";
  const loaded = load(text, undefined, { "w.yaml": text });
  assert.deepEqual(loaded.ok ? [] : loaded.problems.map(({ code }) => code), ["MISSING_KEY", "UNKNOWN_KEY"]);
  const good = "id: w\nsteps: [{ id: a, workflow: w.yaml }]";
  const again = inner(workflow(good, undefined, { "w.yaml": good })).workflow;
  assert.equal(inner(again).workflow, again);
});

test("workflows that are not chosen, and not run, are not judged", () => {
  const book =
    "workflows:\n  - { id: one, steps: [{ id: a, workflow: two }] }\n  - { id: two, steps: [{ id: a, rnu: x }] }\n  - { id: three, steps: [{ id: a, rnu: x }] }";
  assert.deepEqual(problems(book, "one"), ["MISSING_KEY 3:24", "UNKNOWN_KEY 3:33"]);
});

test("a gate takes the decision of the workflow that it runs", () => {
  const gate = (outputs: string) =>
    oneStep(`workflow: { steps: [{ id: s, run: x }], outputs: ${outputs} }`, "on_reject: fail");
  assert.deepEqual(problems(gate("{ decision: approve }")), []);
  assert.deepEqual(problems(gate("{ feedback: x }")), ["MISSING_KEY 6:5"]);
  const { gate: found, outputs } = workflow(gate("{ decision: approve }")).steps[0] as NestedStep;
  assert.deepEqual([found, outputs], [{ onReject: { to: "fail" } }, []]);
});

test("in a graph `with` sees ancestors only", () => {
  const file = (needs: string) =>
    `id: w\nsteps:\n  - { id: a, needs: [], run: x }\n  - { id: b, needs: [${needs}], workflow: { inputs: [v], steps: [{ id: s, run: x }] }, with: { v: '{{steps.a.status}}' } }`;
  assert.deepEqual(problems(file("a")), []);
  assert.deepEqual(problems(file("")), ["UNKNOWN_NAME 4:92"]);
});

test("a step of `finally` may run a workflow, which sees how the run ends by `with`", () => {
  const file =
    "id: w\nsteps: [{ id: a, run: x }]\nfinally:\n  - { id: z, workflow: { inputs: [s], steps: [{ id: q, run: x }] }, with: { s: '{{workflow.status}}' } }";
  assert.deepEqual(problems(file), []);
});
