import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { affectedSteps } from "../../src/core/change.ts";
import { foldAll } from "../../src/core/fold.ts";
import type { Workflow } from "../../src/core/workflow.ts";
import { type Short, Story, workflow } from "./story.ts";

const run = (text: string) => ({ script: { text: `${text}\n`, variables: [] } });
const uses = (input: string) => ({
  script: {
    text: "true\n",
    variables: [{ name: "V", path: { text: `inputs.${input}`, segments: ["inputs", input] } }],
  },
});
const graph = (...shorts: Short[]) => workflow("graph", shorts);
const sequence = (...shorts: Short[]) => workflow("sequence", shorts);

const diamond = graph(
  { id: "a", needs: [] },
  { id: "b", needs: ["a"] },
  { id: "c", needs: ["a"] },
  { id: "d", needs: ["b", "c"] },
);

function affected(before: Workflow, after: Workflow, was = {}, is = {}): string[] {
  return affectedSteps(before, after, { before: was, after: is }).map(
    ({ step, because }) => `${step}: ${because}`,
  );
}

test("what is the same is not done again", () => {
  assert.deepEqual(affected(diamond, diamond, { x: 1 }, { x: 1 }), []);
});

test("in a graph a change reaches what descends from the step, and nothing else", () => {
  const changed = graph(
    { id: "a", needs: [] },
    { id: "b", needs: ["a"], ...run("echo a\necho other") },
    { id: "c", needs: ["a"] },
    { id: "d", needs: ["b", "c"] },
  );
  const before = {
    ...diamond,
    steps: diamond.steps.map((step) => (step.id === "b" ? { ...step, ...run("echo a") } : step)),
  };
  assert.deepEqual(affected(before as Workflow, changed), [
    "b: line 2 of its script changed",
    "d: it needs b",
  ]);
});

test("a timeout, a retry policy, a description and the place in the file change no result", () => {
  const retry = { max: 3, delayMs: 1, backoff: 2, maxDelayMs: 9 };
  const other = graph(
    { id: "a", needs: [], timeoutMs: 5, retry, description: "so" },
    { id: "c", needs: ["a"] },
    { id: "b", needs: ["a"] },
    { id: "d", needs: ["c", "b"] },
  );
  assert.deepEqual(affected(diamond, other), []);
});

test("in a sequence all that follows is done again; so is what has another step before it", () => {
  const abc = sequence({ id: "a" }, { id: "b" }, { id: "c" });
  assert.deepEqual(affected(abc, sequence({ id: "a" }, { id: "b", ...run("x") }, { id: "c" })), [
    "b: line 1 of its script changed",
    "c: b comes before it",
  ]);
  assert.deepEqual(affected(abc, sequence({ id: "a" }, { id: "new" }, { id: "b" }, { id: "c" })), [
    "new: it is new",
    "b: new comes before it",
    "c: new comes before it",
  ]);
  assert.deepEqual(affected(abc, sequence({ id: "a" }, { id: "c" })), ["c: another step comes before it"]);
  assert.deepEqual(affected(abc, sequence({ id: "a" }, { id: "b" })), []);
});

test("a changed input reaches the steps that name it: by a template, its variable, an expression, the workflow's env", () => {
  const steps = graph(
    { id: "template", needs: [], ...uses("v") },
    { id: "variable", needs: [], ...run('echo "$WF_INPUT_V"') },
    { id: "when", needs: [], when: "inputs.v == 2" },
    { id: "other", needs: [], ...uses("w") },
    { id: "after", needs: ["template"] },
  );
  assert.deepEqual(affected(steps, steps, { v: 1, w: 1 }, { v: 2, w: 1 }), [
    "template: the input v changed",
    "variable: the input v changed",
    "when: the input v changed",
    "after: it needs template",
  ]);
  const path = { text: "inputs.v", segments: ["inputs", "v"] };
  const env = { ...diamond, env: { A: { source: "{{inputs.v}}", parts: [path] } } };
  assert.equal(affected(env, env, { v: 1 }, { v: 2 }).length, 4);
});

const LIMITS = { max_total_iterations: 100 };

function changed(story: Story, to: Workflow, redo: string[]) {
  story.engine("resume").say({
    event: "definition_changed",
    what: "workflow",
    old: "0",
    new: "1",
    file: "definitions/2/workflow.yaml",
    source: "project:w.yaml",
    limits: LIMITS,
    redo,
  });
  const state = foldAll(story.workflow, story.lines, () => to);
  return {
    statuses: Object.fromEntries(state.steps.map(({ step, state: at }) => [step.id, at.status])),
    due: [...state.due].map((index) => state.steps[index]?.step.id),
    attempts: Object.fromEntries(state.steps.map(({ step, attempts }) => [step.id, attempts])),
    cursor: state.cursor,
    passed: state.passed,
  };
}

test("a graph goes on with another definition: results stay, a step comes in, one goes", () => {
  const story = new Story(diamond).ran("a").ran("b").ran("c", "failed").settle();
  const to = graph(
    { id: "new", needs: [] },
    { id: "a", needs: [] },
    { id: "c", needs: ["a"], ...run("mended") },
    { id: "d", needs: ["c", "new"] },
  );
  assert.deepEqual(changed(story, to, ["c", "d"]), {
    statuses: { new: "pending", a: "succeeded", c: "pending", d: "pending" },
    due: ["new", "c"],
    attempts: { new: 0, a: 1, c: 1, d: 0 },
    cursor: 0,
    passed: 1,
  });
});

test("a step that was taken out and comes back goes on with its numbers", () => {
  const story = new Story(diamond).ran("a").ran("b").ran("c", "failed").settle();
  const without = graph({ id: "a", needs: [] }, { id: "c", needs: ["a"] }, { id: "d", needs: ["c"] });
  changed(story, without, ["d"]);
  story.engine("resume").say({
    event: "definition_changed",
    what: "workflow",
    old: "1",
    new: "2",
    file: "definitions/3/workflow.yaml",
    source: "project:w.yaml",
    limits: LIMITS,
    redo: ["d"],
  });
  const state = foldAll(story.workflow, story.lines, (file) => (file.includes("/2/") ? without : diamond));
  assert.equal(state.steps[1]?.attempts, 1);
  assert.equal(state.steps[1]?.state.status, "pending");
});

test("a sequence goes back to the first step that changed, and stays where it is if it has not come so far", () => {
  const abc = sequence({ id: "a" }, { id: "b" }, { id: "c" });
  const failedAtC = () => new Story(abc).ran("a").settle().ran("b").settle().ran("c", "failed").settle();
  assert.equal(
    changed(failedAtC(), sequence({ id: "a" }, { id: "b", ...run("x") }, { id: "c" }), ["b", "c"]).cursor,
    1,
  );
  const failedAtB = () => new Story(abc).ran("a").settle().ran("b", "failed").settle();
  const more = sequence({ id: "a" }, { id: "b" }, { id: "c", ...run("x") }, { id: "e" });
  const stays = changed(failedAtB(), more, ["c"]);
  assert.equal(stays.cursor, 1);
  assert.deepEqual(stays.due, ["b"]);
  const less = changed(failedAtC(), sequence({ id: "a" }, { id: "b" }), []);
  assert.equal(less.cursor, 1);
  assert.deepEqual(less.statuses, { a: "succeeded", b: "succeeded" });
});

test("whatever changes, the counts agree with the steps", () => {
  const ids = ["a", "b", "c", "d", "e"];
  const anyGraph = fc
    .shuffledSubarray(ids, { minLength: 1 })
    .chain((names) =>
      fc.tuple(
        ...names.map((id, index) => fc.subarray(names.slice(0, index)).map((needs) => ({ id, needs }))),
      ),
    )
    .map((shorts) => graph(...(shorts as Short[])));
  fc.assert(
    fc.property(
      anyGraph,
      anyGraph,
      fc.subarray(ids),
      fc.array(fc.boolean()),
      (before, after, fails, redone) => {
        const story = new Story(before);
        for (const { id } of before.steps) {
          const mayStart = story
            .decide()
            .some((each) => each.do === "start" && each.index === story.state.indexOf.get(id));
          if (mayStart) story.ran(id, fails.includes(id) ? "failed" : "succeeded");
        }
        story.settle();
        if (story.state.status !== "failed") return;
        const both = after.steps.filter(({ id }) => story.state.indexOf.has(id)).map(({ id }) => id);
        changed(
          story,
          after,
          both.filter((_, index) => redone[index]),
        );
        const state = foldAll(before, story.lines, () => after);
        for (const node of state.steps) {
          const unmet = node.step.needs.filter((need) => state.steps[need]?.state.status !== "succeeded");
          assert.equal(node.unmet, unmet.length, node.step.id);
          assert.equal(state.due.has(node.index), node.state.status === "pending" && unmet.length === 0);
        }
        assert.equal(state.passed, state.steps.filter(({ state: at }) => at.status === "succeeded").length);
      },
    ),
  );
});
