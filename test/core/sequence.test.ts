import assert from "node:assert/strict";
import { test } from "node:test";
import { chain, Story, workflow } from "./story.ts";

test("a sequence starts its first step, and goes from step to step to its end", () => {
  const story = new Story(chain("a", "b"));
  assert.deepEqual(story.next(), ["start a (first)"]);
  story.ran("a");
  assert.deepEqual(story.next(), ["a -> b: NEXT_IN_FILE"]);
  story.settle();
  assert.deepEqual(story.next(), ["start b (first)"]);
  story.ran("b");
  assert.deepEqual(story.next(), ["b -> done: LAST_STEP"]);
  story.settle();
  assert.equal(story.state.status, "succeeded");
  assert.deepEqual(story.next(), []);
});

test("while a step runs nothing else is decided", () => {
  assert.deepEqual(new Story(chain("a", "b")).started("a").next(), []);
});

test("no free slot, no start", () => {
  assert.deepEqual(new Story(chain("a")).next({ slots: 0 }), []);
});

test("a failed step ends the run with its own code, and names step and attempt", () => {
  const story = new Story(chain("a", "b")).ran("a", "failed");
  assert.deepEqual(story.next(), ["end failed: EXIT_STATUS"]);
  story.settle();
  assert.equal(story.state.reason?.step, "a");
  assert.equal(story.state.reason?.attempt, 1);
});

test("a start failure ends the run as failed, with its code", () => {
  const story = new Story(chain("a")).started("a").ended("a", "failed", "SHELL_NOT_FOUND");
  assert.deepEqual(story.next(), ["end failed: SHELL_NOT_FOUND"]);
});

test("retries wait delay × backoff^(k−1), at most max_delay, and are counted afresh when the step is entered again", () => {
  const retry = { max: 3, delayMs: 100, backoff: 3, maxDelayMs: 500 };
  const story = new Story(
    workflow("sequence", [
      { id: "a", retry },
      { id: "b", next: "a" },
    ]),
  );
  for (const delay of [100, 300, 500]) {
    story.ran("a", "failed");
    assert.deepEqual(story.next(), [`retry a at ${story.time + delay}`]);
    story.settle();
    assert.deepEqual(story.next(), [], "not before its time");
    story.time += delay;
    assert.deepEqual(story.next(), ["start a (retry)"]);
  }
  story.ran("a").settle().ran("b").settle();
  assert.deepEqual(story.next(), ["start a (rework)"]);
  story.ran("a", "failed");
  assert.deepEqual(story.next(), [`retry a at ${story.time + 100}`]);
});

test("a failure that would only repeat itself is not retried", () => {
  const retry = { max: 3, delayMs: 0, backoff: 1, maxDelayMs: 0 };
  const story = new Story(workflow("sequence", [{ id: "a", retry }]))
    .started("a")
    .ended("a", "failed", "SHELL_NOT_FOUND");
  assert.deepEqual(story.next(), ["end failed: SHELL_NOT_FOUND"]);
});

test("a timed-out attempt is retried like a failed one", () => {
  const retry = { max: 1, delayMs: 0, backoff: 1, maxDelayMs: 0 };
  const story = new Story(workflow("sequence", [{ id: "a", timeoutMs: 50, retry }])).started("a");
  story.time = 49;
  assert.deepEqual(story.next(), []);
  story.time = 50;
  assert.deepEqual(story.next(), ["stop a: TIMEOUT"]);
  story.ended("a", "timed_out", "TIMEOUT").settle();
  assert.deepEqual(story.next(), ["start a (retry)"]);
});

test("next jumps, done and fail end the run", () => {
  const jump = workflow("sequence", [
    { id: "a", next: "c" },
    { id: "b" },
    { id: "c", next: "done" },
    { id: "d" },
  ]);
  const story = new Story(jump).ran("a").settle().ran("c");
  assert.deepEqual(story.next(), ["c -> done: NEXT_KEY"]);
  assert.equal(story.settle().state.status, "succeeded");

  const fails = new Story(workflow("sequence", [{ id: "a", next: "fail" }])).ran("a").settle();
  assert.equal(fails.state.status, "failed");
  assert.equal(fails.state.reason?.code, "NEXT_FAIL");
});

test("a step that is named done is a step", () => {
  const story = new Story(workflow("sequence", [{ id: "a", next: "done" }, { id: "b" }, { id: "done" }]))
    .ran("a")
    .settle();
  assert.deepEqual(story.next(), ["start done (first)"]);
});

test("a false when skips the step, which goes on as if it had succeeded", () => {
  const story = new Story(workflow("sequence", [{ id: "a", when: "false" }, { id: "b" }]));
  const no = { when: () => ({ is: false }) };
  assert.deepEqual(story.next(no), ["skip a"]);
  story.say({ event: "step_skipped", step: "a", because: "when" });
  assert.deepEqual(story.next(), ["a -> b: SKIPPED"]);
});

test("an allowed failure goes on, and stays failed", () => {
  const story = new Story(workflow("sequence", [{ id: "a", allowFailure: true }, { id: "b" }])).ran(
    "a",
    "failed",
  );
  assert.deepEqual(story.next(), ["a -> b: ALLOWED_FAILURE"]);
  story.settle().ran("b").settle();
  assert.equal(story.state.status, "succeeded");
  assert.equal(story.record.steps.a?.status, "failed");
});

test("a loop ends at max_total_iterations; interrupted, canceled and not_run attempts count for nothing", () => {
  const loop = workflow("sequence", [{ id: "a" }, { id: "b", next: "a" }]);
  const story = new Story(loop, { max_total_iterations: 3 }).started("a").ended("a", "interrupted");
  story.ran("a").settle().ran("b").settle().ran("a").settle();
  assert.equal(story.state.status, "failed");
  assert.equal(story.state.reason?.code, "ITERATION_LIMIT");
  assert.equal(story.state.iterations, 3);
});

test("--until pauses after its step, and not when that is the last", () => {
  const until = { step: 0, within: new Set([0, 1]) };
  const story = new Story(chain("a", "b")).ran("a");
  assert.deepEqual(story.next({ until }), ["a -> b: NEXT_IN_FILE"]);
  story.settle({ until });
  assert.equal(story.state.status, "waiting");
  assert.equal(story.state.reason?.code, "PAUSED");
  const last = new Story(chain("a")).ran("a").settle({ until: { step: 0, within: new Set([0]) } });
  assert.equal(last.state.status, "succeeded");
});

test("a single step: one attempt, then a pause, or the end", () => {
  const story = new Story(chain("a", "b")).ran("a").settle({ attemptsLeft: 0 });
  assert.equal(story.state.reason?.code, "PAUSED");
  story.engine("next").ran("b").settle({ attemptsLeft: 0 });
  assert.equal(story.state.status, "succeeded");
});
