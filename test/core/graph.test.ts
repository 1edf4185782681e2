import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isPassed } from "../../src/core/state.ts";
import { type Short, Story, workflow } from "./story.ts";

const diamond = (
  more: Partial<Record<"a" | "b" | "c" | "d", Partial<Short>>> = {},
  onFailure: "stop" | "continue" = "stop",
) =>
  workflow(
    "graph",
    [
      { id: "a", ...more.a },
      { id: "b", needs: ["a"], ...more.b },
      { id: "c", needs: ["a"], ...more.c },
      { id: "d", needs: ["b", "c"], ...more.d },
    ],
    { onFailure },
  );

test("a step starts when all it needs is met, ready steps in file order", () => {
  const story = new Story(diamond());
  assert.deepEqual(story.next(), ["start a (first)"]);
  story.ran("a");
  assert.deepEqual(story.next(), ["start b (first)", "start c (first)"]);
  assert.deepEqual(story.next({ slots: 1 }), ["start b (first)"]);
  story.ran("c");
  assert.deepEqual(story.next(), ["start b (first)"]);
  story.ran("b");
  assert.deepEqual(story.next(), ["start d (first)"]);
  story.ran("d");
  assert.deepEqual(story.next(), ["end succeeded"]);
});

test("on_failure: stop starts nothing more, lets running steps end, and tells the root cause", () => {
  const story = new Story(diamond()).ran("a").started("b").started("c").ended("b", "failed", "EXIT_STATUS");
  assert.deepEqual(story.next(), []);
  story.ended("c", "failed", "KILLED").settle();
  assert.equal(story.state.status, "failed");
  assert.equal(story.state.reason?.step, "b");
  assert.equal(story.record.steps.d?.status, "pending");
});

test("on_failure: continue runs what does not depend on the failure", () => {
  const parts = workflow(
    "graph",
    [{ id: "a" }, { id: "b" }, { id: "x", needs: ["a"] }, { id: "y", needs: ["b"] }],
    {
      onFailure: "continue",
    },
  );
  const story = new Story(parts).ran("a", "failed");
  assert.deepEqual(story.next(), ["start b (first)"]);
  story.ran("b").ran("y").settle();
  assert.equal(story.state.status, "failed");
  assert.equal(story.record.steps.x?.status, "pending");
});

test("skipped steps and allowed failures meet a need", () => {
  const story = new Story(diamond({ b: { when: "false" }, c: { allowFailure: true } })).ran("a");
  assert.deepEqual(story.next({ when: () => ({ is: false }) }), ["skip b", "start c (first)"]);
  story.say({ event: "step_skipped", step: "b", because: "when" }).ran("c", "failed").ran("d").settle();
  assert.equal(story.state.status, "succeeded");
});

test("a failure elsewhere waits for no retry", () => {
  const retry = { max: 5, delayMs: 1000, backoff: 1, maxDelayMs: 1000 };
  const story = new Story(diamond({ b: { retry } })).ran("a").started("b").started("c");
  story.ended("b", "failed").settle().ended("c", "failed").settle();
  assert.equal(story.state.status, "failed");
  assert.equal(story.state.reason?.step, "c");
});

test("--until runs its step and what leads to it, and nothing else", () => {
  const until = { step: 1, within: new Set([0, 1]) };
  const story = new Story(diamond()).ran("a");
  assert.deepEqual(story.next({ until }), ["start b (first)"]);
  story.ran("b").settle({ until });
  assert.equal(story.state.reason?.code, "PAUSED");
});

test("a run timeout counts what engines drove, and not the time between", () => {
  const story = new Story(diamond(), { run_timeout_ms: 100 });
  story.time = 60;
  story.ran("a").say({ event: "run_waiting", reason: { code: "PAUSED", message: "" } });
  story.time = 10_000;
  story.engine("resume").started("b");
  story.time += 39;
  assert.deepEqual(story.next({ slots: 0 }), []);
  story.time += 1;
  assert.deepEqual(story.next(), ["stop b: RUN_TIMEOUT"]);
  story.ended("b", "canceled", "CANCELED").settle();
  assert.equal(story.state.reason?.code, "RUN_TIMEOUT");
});

const graphs = fc
  .array(fc.tuple(fc.array(fc.nat(30), { maxLength: 4 }), fc.integer({ min: 0, max: 9 })), {
    minLength: 1,
    maxLength: 30,
  })
  .map((rows) =>
    rows.map(([needs, fate], index) => ({
      id: `s${index}`,
      needs: [...new Set(needs.filter((need) => need < index).map((need) => `s${need}`))],
      allowFailure: fate === 1,
      fails: fate < 3,
    })),
  );

test("any graph: nothing starts before its needs, everything ends, and no order of ends changes the result", () => {
  fc.assert(
    fc.property(graphs, fc.array(fc.nat()), fc.boolean(), (shorts, choices, keepGoing) => {
      const fails = new Set(shorts.filter((short) => short.fails).map(({ id }) => id));
      const steps = shorts.map(({ fails: _, ...short }) => short);
      const finish = (order: readonly number[]) => {
        const story = new Story(workflow("graph", steps, { onFailure: keepGoing ? "continue" : "stop" }));
        for (let turn = 0; story.state.status === "running"; turn++) {
          const { state } = story;
          const starts = story
            .decide({ slots: 2 - state.running.size })
            .filter((action) => action.do === "start");
          for (const { index } of starts as { index: number }[]) {
            const { step } = state.steps[index] as (typeof state.steps)[number];
            assert.ok(
              step.needs.every((need) => isPassed((state.steps[need] as (typeof state.steps)[number]).state)),
            );
            story.started(step.id);
          }
          const running = [...story.state.running];
          const chosen =
            running[(order[turn % Math.max(order.length, 1)] ?? 0) % Math.max(running.length, 1)];
          if (chosen === undefined) story.settle();
          else story.ended(`s${chosen}`, fails.has(`s${chosen}`) ? "failed" : "succeeded");
        }
        return story.state;
      };
      const one = finish(choices);
      const other = finish([0]);
      assert.equal(one.status, other.status);
      if (keepGoing)
        assert.deepEqual(
          one.steps.map(({ state }) => state.status),
          other.steps.map(({ state }) => state.status),
        );
    }),
    { numRuns: 200 },
  );
});
