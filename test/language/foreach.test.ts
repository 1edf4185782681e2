import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Json } from "../../src/core/json.ts";
import { renderValue, type TemplateScope } from "../../src/core/template.ts";
import { asCommand, oneStep, problems, workflow } from "./rig.ts";

const step = (...lines: string[]) => {
  const [found] = workflow(oneStep(...lines)).steps;
  assert.ok(found);
  return found;
};
const scope = (inputs: Record<string, Json>): TemplateScope => ({ inputs, steps: {}, workflow: {} });

test("a list that is written out is a literal as far as it has no template", () => {
  assert.deepEqual(step("run: x", "foreach: [1, a, { b: [null, true] }]").foreach, {
    literal: [1, "a", { b: [null, true] }],
  });
  assert.deepEqual(step("run: x", "foreach: []").foreach, { literal: [] });
  const { foreach } = step("run: x", "foreach: [{ a: '{{inputs.x}}', b: 2 }, 'c-{{inputs.y}}', 'd \\{{ e']");
  assert.ok(foreach && "list" in foreach);
  assert.deepEqual(foreach.list[2], { literal: "d {{ e" });
  assert.deepEqual(renderValue(foreach, scope({ x: [1], y: null })), [{ a: [1], b: 2 }, "c-", "d {{ e"]);
});

test("any value without templates is itself", () => {
  const literal = fc.jsonValue().filter((value) => !/\{\{|__proto__/.test(JSON.stringify(value)));
  fc.assert(
    fc.property(fc.array(literal, { maxLength: 4 }), (list) => {
      // Numbers that would be rounded are refused.
      const text = JSON.stringify(list, (_, value) =>
        typeof value === "number" ? Math.trunc(value % 1000) : value,
      );
      const file = `{"id":"w","steps":[{"id":"a","run":"x","foreach":${text}}]}`;
      assert.deepEqual(workflow(file).steps[0]?.foreach, { literal: JSON.parse(text) });
    }),
  );
});

test("texts in a list become what they name, and are not read again", () => {
  const value = fc.oneof(fc.constant("{{inputs.y}}"), fc.jsonValue());
  fc.assert(
    fc.property(value, value, (x, y) => {
      const { foreach } = step(
        "run: x",
        "foreach: ['{{inputs.x}}', [{ z: '{{inputs.y}}' }], '<{{inputs.x}}>']",
      );
      const shown = x === null ? "" : typeof x === "string" ? x : JSON.stringify(x);
      const rendered = foreach && renderValue(foreach, scope({ x: x as Json, y: y as Json }));
      assert.deepEqual(rendered, [x, [{ z: y }], `<${shown}>`]);
    }),
  );
});

test("exactly one template gives the list as it is", () => {
  const { foreach } = step("run: x", "foreach: '{{inputs.x}}'");
  assert.deepEqual(foreach && renderValue(foreach, scope({ x: [1, "{{inputs.y}}"] })), [1, "{{inputs.y}}"]);
});

test("an item and its index reach the script as variables", () => {
  const { script } = asCommand(
    step("foreach: [1]", "run: 'echo {{item}} {{item.name.first}} \"{{item_index}}\"'"),
  );
  // biome-ignore lint/suspicious/noTemplateCurlyInString: shell
  assert.equal(script.text, 'echo "${WF_V_ITEM}" "${WF_V_ITEM_NAME_FIRST}" "${WF_V_ITEM_INDEX}"');
  assert.deepEqual(
    script.variables.map(({ path }) => path.text),
    ["item", "item.name.first", "item_index"],
  );
});

const seen: [string, string][] = [
  ["env", "env: { A: '{{item}} {{item_index}}' }"],
  ["cwd", "cwd: '{{item.folder}}'"],
  ["when", "when: item.size > 3 && item_index == 0 && has(item.name)"],
];
for (const [what, line] of seen) {
  test(`an item is seen by \`${what}\`, and only with foreach`, () => {
    assert.deepEqual(problems(oneStep("run: x", "foreach: [1]", line)), []);
    assert.ok(problems(oneStep("run: x", line)).every((problem) => problem.startsWith("UNKNOWN_NAME 6:")));
    assert.notDeepEqual(problems(oneStep("run: x", line)), []);
  });
}

test("an item is seen by a prompt, and by `with`", () => {
  const file = (foreach: string) =>
    `id: w\nagents: { a: { provider: claude } }\nsteps:\n  - { id: p, agent: a, prompt: '{{item.a}}'${foreach} }\n  - { id: n, workflow: { inputs: [v], steps: [{ id: s, run: x }] }, with: { v: ['{{item_index}}'] }${foreach} }`;
  assert.deepEqual(problems(file(", foreach: [1]")), []);
  assert.deepEqual(problems(file("")), ["UNKNOWN_NAME 4:33", "UNKNOWN_NAME 5:82"]);
});

const macros: [string, boolean][] = [
  ["inputs.x.all(item, item > 1)", true],
  ["inputs.x.exists(env, env == 1)", true],
  ["inputs.x.map(item, item.a, item.b) == []", true],
  ["inputs.x.filter(item, inputs.y.all(it, it == item)).size() == 0", true],
  ["cel.bind(item, inputs.x, item > 1)", true],
  ["cel.bind(item, item, true)", false],
  ["inputs.x.all(i, i > item)", false],
  ["inputs.x.all(item, item > 1) && item == 2", false],
  ["item.all(item, item > 1)", false],
];
for (const [when, isGood] of macros) {
  test(`without foreach, \`${when}\` ${isGood ? "has an item of its own" : "names what is not there"}`, () => {
    const found = problems(oneStep("run: x", `when: '${when}'`));
    assert.deepEqual(
      found.map((problem) => problem.split(" ")[0]),
      isGood ? [] : ["UNKNOWN_NAME"],
    );
    assert.deepEqual(problems(oneStep("run: x", "foreach: [1]", `when: '${when}'`)), []);
  });
}

const lists: [string, string, boolean][] = [
  ["an input of any type", "{{inputs.any}}", true],
  ["an input that may be a list", "{{inputs.maybe}}", true],
  ["a part of an input", "{{inputs.map.list}}", true],
  ["text", "{{inputs.text}}", false],
  ["an output that is declared as a list", "{{steps.make.outputs.list}}", true],
  ["one of any type", "{{steps.make.outputs.any}}", true],
  ["one that is declared as text", "{{steps.make.outputs.text}}", false],
  ["one that is not declared", "{{steps.make.outputs.more}}", false],
  ["a part of one", "{{steps.make.outputs.map.list}}", true],
  ["a file, which may hold one", "{{steps.make.outputs.file}}", true],
  ["a file that is declared as a list", "{{steps.make.outputs.json}}", true],
  ["a file that is declared as a map", "{{steps.make.outputs.object}}", false],
  ["an output of a foreach", "{{steps.fan.outputs.more}}", true],
  ["an output of a workflow", "{{steps.in.outputs.any}}", true],
  ["one that the step declares as text", "{{steps.in.outputs.text}}", false],
  ["a decision", "{{steps.gate.outputs.decision}}", false],
  ["a status", "{{steps.gate.status}}", false],
];
for (const [what, template, isGood] of lists) {
  test(`foreach ${isGood ? "takes" : "refuses"} ${what}`, () => {
    const file = `id: w
inputs: { any: {}, maybe: { type: ['null', array] }, map: { type: object }, text: { type: string } }
steps:
  - id: make
    run: x
    outputs: { list: { type: array }, any: {}, text: { type: string }, map: { type: object }, json: { type: array }, object: { type: object } }
    output_files: { file: f, json: j, object: o }
  - { id: fan, foreach: [1], run: x }
  - { id: in, workflow: { steps: [{ id: s, run: x }], outputs: { any: x, text: x } }, outputs: [text] }
  - { id: gate, run: x, on_reject: fail }
  - { id: last, run: x, foreach: '${template}' }
`;
    assert.deepEqual(problems(file), isGood ? [] : ["WRONG_TYPE 11:35"]);
  });
}
