import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Json } from "../../src/core/json.ts";
import {
  parseTemplate,
  renderTemplate,
  TemplateError,
  type TemplateScope,
  textOf,
} from "../../src/core/template.ts";

const scope: TemplateScope = {
  inputs: {
    name: "x",
    flag: true,
    none: null,
    list: [1, { a: "deep" }],
    "with-dash": 7,
    again: "{{inputs.name}}",
  },
  steps: { build: { status: "succeeded", outputs: { bundle: "/tmp/b", size: 3 } } },
  workflow: { run_id: "r1", step_id: "publish", attempt: 2, output_paths: { plan: "/o/plan.md" } },
};

test("a name under `state` that is not there is null, and so is what would be in it", () => {
  const prompt = { ...scope, state: { "plan-a_summary": "short", plan_size: { x: 3 } } };
  const parsed = (source: string) => {
    const found = parseTemplate(source);
    assert.ok(found.ok);
    return found.template;
  };
  const text =
    "{{state.plan-a_summary}}|{{state.plan_size.x}}|{{state.gate_feedback}}|{{state.gate_feedback.x}}|{{state.plan_size.y}}|";
  assert.equal(renderTemplate(parsed(text), prompt), "short|3||||");
  assert.equal(renderTemplate(parsed("{{state.gate_feedback}}"), prompt), null);
  // Elsewhere than in a prompt there is no `state`.
  assert.throws(() => renderTemplate(parsed("{{state.plan_size}}"), scope), TemplateError);
});

function render(source: string): Json {
  const parsed = parseTemplate(source);
  assert.ok(parsed.ok);
  return renderTemplate(parsed.template, scope);
}

const rows: [string, Json][] = [
  ["", ""],
  ["plain", "plain"],
  ["{{inputs.name}}", "x"],
  ["{{ inputs.name }}!", "x!"],
  ["{{inputs.flag}}", true],
  ["{{inputs.flag}} ", "true "],
  ["{{inputs.none}}", null],
  ["[{{inputs.none}}]", "[]"],
  ["{{inputs.list}}", [1, { a: "deep" }]],
  ["l={{inputs.list}}", 'l=[1,{"a":"deep"}]'],
  ["{{inputs.list.1.a}}", "deep"],
  ["{{inputs.with-dash}}", 7],
  ["{{inputs.again}}{{inputs.again}}", "{{inputs.name}}{{inputs.name}}"],
  ["{{.Names}} {{ 7 }} {{}} {{{inputs.name}}}", "{{.Names}} {{ 7 }} {{}} {x}"],
  ["\\{{inputs.name}}", "{{inputs.name}}"],
  ["\\{{.Names}}", "{{.Names}}"],
  [
    "}} {{steps.build.outputs.size}}-{{workflow.attempt}}-{{workflow.output_paths.plan}}",
    "}} 3-2-/o/plan.md",
  ],
];
for (const [source, value] of rows) {
  test(`${source} gives ${JSON.stringify(value)}`, () => assert.deepEqual(render(source), value));
}

const missing: [string, string][] = [
  [
    "{{inputs.nope}}",
    "step publish: {{inputs.nope}} has no value: there is no nope in inputs (known: name, flag, none, list, with-dash, again)",
  ],
  [
    "{{steps.test.status}}",
    "step publish: {{steps.test.status}} has no value: there is no test in steps (known: build)",
  ],
  [
    "{{steps.build.outputs.log}}",
    "step publish: {{steps.build.outputs.log}} has no value: there is no log in steps.build.outputs (known: bundle, size)",
  ],
  [
    "{{inputs.list.2}}",
    "step publish: {{inputs.list.2}} has no value: there is no 2 in inputs.list (it is a list of 2)",
  ],
  [
    "{{inputs.name.length}}",
    "step publish: {{inputs.name.length}} has no value: there is no length in inputs.name (it holds no names)",
  ],
  [
    "{{inputs.constructor}}",
    "step publish: {{inputs.constructor}} has no value: there is no constructor in inputs (known: name, flag, none, list, with-dash, again)",
  ],
  [
    "{{state.x}}",
    "step publish: {{state.x}} has no value: there is no state (known: inputs, steps, workflow)",
  ],
];
for (const [source, message] of missing) {
  test(`${source} has no value`, () =>
    assert.throws(
      () => render(source),
      (error) => error instanceof TemplateError && error.message === message,
    ));
}

for (const [source, offset] of [
  ["{{inputs.x", 0],
  ["a {{ range .Items }}", 2],
  ["{{a..b}}", 0],
  ["{{a b}}", 0],
  ["{{a | upper}}", 0],
  ["{{ a\n", 0],
] as const) {
  test(`${JSON.stringify(source)} is a fault at ${offset}`, () => {
    const parsed = parseTemplate(source);
    assert.ok(!parsed.ok);
    assert.equal(parsed.offset, offset);
  });
}

test("values are never read again, whatever is in them", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("{{", "}}", "inputs.name", "\\", "a") }), (value) => {
      const parsed = parseTemplate("<{{inputs.v}}>");
      assert.ok(parsed.ok);
      assert.equal(renderTemplate(parsed.template, { ...scope, inputs: { v: value } }), `<${value}>`);
    }),
  );
});

test("text without an opening is the template's only part", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      fc.pre(!text.includes("{{"));
      assert.equal(render(text), text);
    }),
  );
});

test("a value's text is itself, empty, or its JSON", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) =>
      assert.equal(
        textOf(value as Json),
        typeof value === "string" ? value : value === null ? "" : JSON.stringify(value),
      ),
    ),
  );
});
