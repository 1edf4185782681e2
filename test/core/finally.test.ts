import assert from "node:assert/strict";
import { test } from "node:test";
import { Story, workflow } from "./story.ts";

const cleaned = () => workflow("sequence", [{ id: "a" }], { finally: [{ id: "x" }, { id: "y" }] });

test("finally steps run in order before the run ends, whatever its outcome", () => {
  for (const outcome of ["succeeded", "failed"] as const) {
    const story = new Story(cleaned()).ran("a", outcome).settle();
    assert.equal(story.state.status, "running");
    assert.equal(story.state.ending?.status, outcome);
    assert.deepEqual(story.next(), ["start x (first)"]);
    story.ran("x");
    assert.deepEqual(story.next(), ["start y (first)"]);
    story.ran("y").settle();
    assert.equal(story.state.status, outcome);
  }
});

test("a failing finally step stops none of the others, and fails the run", () => {
  const story = new Story(cleaned()).ran("a").settle().ran("x", "failed");
  assert.deepEqual(story.next(), ["start y (first)"]);
  story.ran("y").settle();
  assert.equal(story.state.status, "failed");
  assert.equal(story.state.reason?.step, "x");
});

test("the run's own failure stays the reason", () => {
  const story = new Story(cleaned()).ran("a", "failed").settle().ran("x", "failed").ran("y").settle();
  assert.equal(story.state.reason?.step, "a");
});

test("a canceled run runs them; a signal does not, and resume comes to them", () => {
  const canceled = new Story(cleaned()).started("a");
  canceled.say({ event: "request_taken", file: "f", request: "cancel", because: "enough" });
  canceled.ended("a", "canceled", "CANCELED").settle();
  assert.deepEqual(canceled.next(), ["start x (first)"]);
  canceled.ran("x").ran("y").settle();
  assert.equal(canceled.state.status, "canceled");

  const stopped = new Story(cleaned()).ran("a").settle().started("x");
  assert.deepEqual(stopped.next({ signal: "SIGINT" }), ["stop x: SIGNAL"]);
  stopped.ended("x", "canceled", "CANCELED").settle({ signal: "SIGINT" });
  assert.equal(stopped.state.status, "waiting");
  assert.deepEqual(stopped.engine("resume").next(), ["start x (resume)"]);
});

test("resume of a failed run runs them again at its next end, and they count no iteration", () => {
  const story = new Story(cleaned()).ran("a", "failed").settle().ran("x").ran("y").settle();
  assert.equal(story.state.iterations, 1);
  story.engine("resume");
  assert.deepEqual(story.next(), ["start a (resume)"]);
  story.ran("a").settle();
  assert.deepEqual(story.next(), ["start x (resume)"]);
});

test("a crash between two of them goes on with the next", () => {
  const story = new Story(cleaned()).ran("a").settle().ran("x").engine("resume");
  assert.deepEqual(story.next(), ["start y (first)"]);
});
