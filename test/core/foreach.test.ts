import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { placeName } from "../../src/core/ids.ts";
import { nodeAt, placeOf } from "../../src/core/state.ts";
import { type Short, Story, workflow } from "./story.ts";

const EACH = { foreach: { literal: [] } };
const fan = (more: Partial<Short> = {}) =>
  workflow("graph", [
    { id: "fan", needs: [], ...EACH, ...more },
    { id: "after", needs: ["fan"] },
  ]);
const outputs = (value: number) => ({ outputs: { n: { value } } });
const summary = (story: Story) => {
  const { status, items } = story.record.steps.fan ?? {};
  return { status, items };
};

test("the list is frozen first; then items start in their order, as far as there are places", () => {
  const story = new Story(fan());
  assert.deepEqual(story.next(), ["foreach fan (first)"]);
  story.listed("fan", [7, 8, 9]);
  assert.deepEqual(story.next({ slots: 2 }), ["start fan/item-0 (first)", "start fan/item-1 (first)"]);
  story.started("fan/item-0");
  assert.deepEqual(story.next({ slots: 0 }), []);
  assert.deepEqual(story.next({ slots: 1 }), ["start fan/item-1 (first)"]);
});

test("the step has succeeded with its last item, and gives lists in the order of the items", () => {
  const story = new Story(fan()).listed("fan", ["a", "b", "c"]).started("fan/item-0").started("fan/item-2");
  story.ended("fan/item-2", "succeeded", "", outputs(3)).ended("fan/item-0", "succeeded", "", outputs(1));
  assert.equal(summary(story).status, "pending");
  story.say({ event: "step_skipped", step: "fan", item: 1, because: "so" });
  assert.deepEqual(summary(story), { status: "succeeded", items: { total: 3, succeeded: 2, skipped: 1 } });
  assert.deepEqual(story.record.steps.fan?.outputs, { n: { value: [1, null, 3] } });
  assert.deepEqual(story.next(), ["start after (first)"]);
});

test("files among the values make a list of outputs", () => {
  const file = { file: "steps/fan/item-0/attempt-1/outputs/f", bytes: 1, sha256: "0" };
  const story = new Story(fan()).listed("fan", [1, 2]).started("fan/item-0").started("fan/item-1");
  story.ended("fan/item-0", "succeeded", "", { outputs: { f: file } }).ended("fan/item-1", "succeeded");
  assert.deepEqual(story.record.steps.fan?.outputs, { f: { list: [file, null] } });
});

test("an empty list succeeds at once, with an empty list for each declared output", () => {
  const declared = { outputs: [{ key: "n", required: true, parsed: false }] };
  const story = new Story(fan(declared)).listed("fan", []);
  assert.equal(summary(story).status, "succeeded");
  assert.deepEqual(story.record.steps.fan?.outputs, { n: { value: [] } });
  assert.deepEqual(story.next(), ["start after (first)"]);
});

test("one failed item fails the step; what runs comes to its end, nothing more starts", () => {
  const story = new Story(fan()).listed("fan", [1, 2, 3]).started("fan/item-0").started("fan/item-1");
  story.ended("fan/item-0", "failed");
  assert.deepEqual(story.next(), []);
  story.ended("fan/item-1", "succeeded");
  assert.equal(summary(story).status, "failed");
  assert.deepEqual(story.next(), ["end failed: EXIT_STATUS"]);
  story.settle();
  assert.deepEqual(
    { step: story.record.reason?.step, item: story.record.reason?.item },
    { step: "fan", item: 0 },
  );
  assert.deepEqual(story.record.pointer, [
    { step: "fan", item: 0, attempt: 2, state: "due" },
    { step: "fan", item: 2, attempt: 1, state: "due" },
  ]);
});

test("resume makes new attempts of the items that failed or never ran, and keeps the others", () => {
  const story = new Story(fan()).listed("fan", [1, 2, 3]).started("fan/item-0").started("fan/item-1");
  story
    .ended("fan/item-0", "failed")
    .ended("fan/item-1", "succeeded", "", outputs(2))
    .settle()
    .engine("resume");
  assert.deepEqual(story.next(), ["start fan/item-0 (resume)", "start fan/item-2 (first)"]);
  story.started("fan/item-0").started("fan/item-2");
  story.ended("fan/item-0", "succeeded", "", outputs(1)).ended("fan/item-2", "succeeded", "", outputs(3));
  assert.deepEqual(story.record.steps.fan?.outputs, { n: { value: [1, 2, 3] } });
  assert.equal(story.record.steps.fan?.attempts, 4);
});

test("allow_failure: all items are tried, and those that failed give null", () => {
  const story = new Story(fan({ allowFailure: true })).listed("fan", [1, 2]).started("fan/item-0");
  story.ended("fan/item-0", "failed");
  assert.deepEqual(story.next(), ["start fan/item-1 (first)"]);
  story.started("fan/item-1").ended("fan/item-1", "succeeded", "", outputs(2));
  const { status, allowed, outputs: lists } = story.record.steps.fan ?? {};
  assert.deepEqual(
    { status, allowed, lists },
    { status: "failed", allowed: true, lists: { n: { value: [null, 2] } } },
  );
  assert.deepEqual(story.next(), ["start after (first)"]);
});

test("on_failure: continue tries all items before the step has failed", () => {
  const told = workflow("graph", [{ id: "fan", needs: [], ...EACH }], { onFailure: "continue" });
  const story = new Story(told).listed("fan", [1, 2]).started("fan/item-0").ended("fan/item-0", "failed");
  assert.deepEqual(story.next(), ["start fan/item-1 (first)"]);
  story.started("fan/item-1").ended("fan/item-1", "succeeded");
  assert.deepEqual(story.next(), ["end failed: EXIT_STATUS"]);
});

test("each item has retries of its own, and only the step counts as an iteration", () => {
  const retry = { max: 1, delayMs: 10, backoff: 1, maxDelayMs: 10 };
  const told = { ...fan({ retry }), limits: { maxTotalIterations: 2, budget: {} } };
  const story = new Story(told).listed("fan", [1, 2, 3]);
  for (const item of [0, 1, 2])
    story.started(`fan/item-${item}`).ended(`fan/item-${item}`, "failed").settle();
  assert.equal(story.state.iterations, 1);
  story.time = 20;
  assert.deepEqual(story.next(), [
    "start fan/item-0 (retry)",
    "start fan/item-1 (retry)",
    "start fan/item-2 (retry)",
  ]);
});

test("entered again in a loop, the step has another list, and attempts go on by number", () => {
  const told = workflow("sequence", [
    { id: "fan", ...EACH },
    { id: "again", next: "fan" },
  ]);
  const story = new Story(told).listed("fan", [1, 2]).started("fan/item-0").started("fan/item-1");
  story.ended("fan/item-0", "succeeded").ended("fan/item-1", "succeeded").settle().ran("again").settle();
  assert.deepEqual(story.next(), ["foreach fan (rework)"]);
  story.listed("fan", [5]);
  assert.deepEqual(story.next(), ["start fan/item-0 (rework)"]);
  story.started("fan/item-0").ended("fan/item-0", "succeeded", "", outputs(5));
  assert.deepEqual(story.record.steps.fan?.items, { total: 1, succeeded: 1 });
  assert.equal(story.state.items.map(({ attempts }) => attempts).join(), "2,1");
});

test("a canceled item makes the step canceled, and resume goes on with it", () => {
  const story = new Story(fan()).listed("fan", [1, 2]).started("fan/item-0");
  story.ended("fan/item-0", "canceled");
  assert.equal(summary(story).status, "canceled");
  story.say({ event: "run_waiting", reason: { code: "SIGNAL", message: "s" } }).engine("resume");
  assert.deepEqual(story.next(), ["start fan/item-0 (resume)", "start fan/item-1 (first)"]);
});

test("pools: a step starts when all its places are free, and one that needs none goes by", () => {
  const told = workflow(
    "graph",
    [
      { id: "a", needs: [], pools: { gpu: 2 } },
      { id: "b", needs: [], pools: { gpu: 2 } },
      { id: "c", needs: [], pools: { gpu: 1 } },
      { id: "d", needs: [] },
    ],
    { pools: { gpu: 3 } },
  );
  const story = new Story(told);
  assert.deepEqual(story.next(), ["start a (first)", "start c (first)", "start d (first)"]);
  story.started("a").started("c");
  assert.deepEqual(story.next(), ["start d (first)"]);
  story.ended("a", "succeeded");
  assert.deepEqual(story.next(), ["start b (first)", "start d (first)"]);
});

test("whatever happens to the items, the counts and sets agree with them", () => {
  const moves = fc.array(
    fc.record({
      item: fc.nat(5),
      does: fc.constantFrom("succeeded", "failed", "interrupted", "canceled", "skip", "resume"),
    }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(fc.nat(6), fc.boolean(), fc.boolean(), moves, (size, allowFailure, keepOn, told) => {
      const base = fan({ allowFailure });
      const story = new Story({ ...base, onFailure: keepOn ? "continue" : "stop" });
      story.listed(
        "fan",
        Array.from({ length: size }, (_, n) => n),
      );
      for (const { item, does } of told) {
        const name = `fan/item-${item}`;
        const { state } = story;
        const node = state.steps[0]?.fan?.nodes[item];
        if (does === "resume") {
          story.settle();
          if (story.state.status === "failed") story.engine("resume");
        } else if (node?.state.status === "running" && does !== "skip") story.ended(name, does);
        else if (story.decide().some((each) => each.do === "start" && each.index === node?.index)) {
          if (does === "skip") story.say({ event: "step_skipped", step: "fan", item, because: "so" });
          else story.started(name);
        }
        const now = story.state;
        const parent = now.steps[0];
        const nodes = parent?.fan?.nodes ?? [];
        const count = (...statuses: string[]) =>
          nodes.filter(({ state: at }) => statuses.includes(at.status)).length;
        assert.deepEqual(
          {
            open: parent?.fan?.open,
            active: parent?.fan?.active,
            failed: parent?.fan?.failed,
            canceled: parent?.fan?.canceled,
          },
          {
            open: count("pending", "running", "retrying"),
            active: count("running"),
            failed: count("failed"),
            canceled: count("canceled"),
          },
        );
        for (const index of now.running) assert.equal(nodeAt(now, index).state.status, "running");
        assert.equal(now.running.size, count("running"));
        if (count("succeeded", "skipped") === size) assert.equal(parent?.state.status, "succeeded");
        const starts = story.decide({ slots: 99 }).filter((each) => each.do === "start");
        for (const start of starts) {
          if (start.do !== "start") continue;
          const due = nodeAt(now, start.index);
          assert.equal(due.state.status, "pending", placeName(placeOf(due)));
        }
      }
    }),
  );
});
