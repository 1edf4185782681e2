import assert from "node:assert/strict";
import { test } from "node:test";
import { foldAll } from "../../src/core/fold.ts";
import { toRecord } from "../../src/core/record.ts";
import { chain, Story, workflow } from "./story.ts";

test("an interrupted attempt is made again, under the next number", () => {
  const story = new Story(chain("a", "b"))
    .ran("a")
    .settle()
    .started("b")
    .engine("resume")
    .ended("b", "interrupted");
  assert.deepEqual(story.next(), ["start b (interrupted)"]);
  assert.equal(story.started("b").record.pointer[0]?.attempt, 2);
});

test("on_interrupt: fail makes an interrupted attempt a failure that is not retried", () => {
  const retry = { max: 3, delayMs: 0, backoff: 1, maxDelayMs: 0 };
  const story = new Story(workflow("sequence", [{ id: "a", onInterrupt: "fail", retry }]));
  story.started("a").engine("resume").ended("a", "interrupted", "INTERRUPTED");
  assert.deepEqual(story.next(), ["end failed: INTERRUPTED"]);
});

test("an attempt whose command never began changes nothing but the number", () => {
  const story = new Story(chain("a")).started("a").engine("resume").ended("a", "not_run");
  assert.deepEqual(story.next(), ["start a (first)"]);
});

test("resume makes new attempts of what failed, and of nothing else", () => {
  const parts = workflow("graph", [
    { id: "a" },
    { id: "b", allowFailure: true },
    { id: "c" },
    { id: "d", needs: ["c"] },
  ]);
  const story = new Story(parts).ran("a").ran("b", "failed").ran("c", "failed").settle();
  assert.equal(story.state.status, "failed");
  assert.deepEqual(story.record.pointer, [{ step: "c", attempt: 2, state: "due" }]);
  story.engine("resume");
  assert.deepEqual(story.next(), ["start c (resume)"]);
  story.ran("c").ran("d").settle();
  assert.equal(story.state.status, "succeeded");
});

test("a crash between a final failure and the end of the run is no reason to run the step again", () => {
  const story = new Story(chain("a")).ran("a", "failed").engine("resume");
  assert.deepEqual(story.next(), ["end failed: EXIT_STATUS"]);
});

test("a signal cancels what runs; resume runs it again", () => {
  const story = new Story(chain("a")).started("a");
  assert.deepEqual(story.next({ signal: "SIGINT" }), ["stop a: SIGNAL"]);
  story.ended("a", "canceled", "CANCELED").settle({ signal: "SIGINT" });
  assert.equal(story.state.status, "waiting");
  assert.equal(story.state.reason?.code, "SIGNAL");
  assert.equal(story.record.pointer[0]?.step, "a");
  assert.deepEqual(story.engine("resume").next(), ["start a (resume)"]);
});

test("a cancel request stops what runs and ends the run as canceled, which resume can take back", () => {
  const story = new Story(chain("a", "b")).started("a");
  story.say({
    event: "request_taken",
    file: "control/cancel-1.json",
    request: "cancel",
    because: "canceled: enough",
  });
  assert.deepEqual(story.next(), ["stop a: CANCELED"]);
  story.ended("a", "canceled", "CANCELED").settle();
  assert.equal(story.state.status, "canceled");
  assert.equal(story.state.reason?.message, "canceled: enough");
  assert.deepEqual(story.engine("resume").next(), ["start a (resume)"]);
});

test("--from sends back the step and all after it in the file", () => {
  const story = new Story(chain("a", "b", "c"))
    .ran("a")
    .settle()
    .ran("b")
    .settle()
    .ran("c", "failed")
    .settle();
  story.engine("resume", { from: "b" });
  assert.deepEqual(story.next(), ["start b (redo)"]);
  assert.equal(story.record.steps.a?.status, "succeeded");
  story.ran("b").settle();
  assert.deepEqual(story.next(), ["start c (rework)"]);
});

test("--from in a graph sends back what descends from the step", () => {
  const parts = workflow("graph", [
    { id: "a" },
    { id: "b", needs: ["a"] },
    { id: "c" },
    { id: "d", needs: ["b", "c"] },
  ]);
  const story = new Story(parts).ran("a").ran("b").ran("c").ran("d", "failed").settle();
  story.engine("resume", { from: "b" });
  assert.deepEqual(story.next(), ["start b (redo)"]);
  story.ran("b");
  assert.deepEqual(story.next(), ["start d (redo)"]);
});

test("a clock that was set back makes a retry wait no longer than its delay", () => {
  const retry = { max: 1, delayMs: 1000, backoff: 1, maxDelayMs: 1000 };
  const story = new Story(workflow("sequence", [{ id: "a", retry }]));
  story.time = 3_600_000;
  story.ran("a", "failed").settle();
  story.time = 0;
  story.engine("resume");
  story.time = 999;
  assert.deepEqual(story.next(), []);
  story.time = 1000;
  assert.deepEqual(story.next(), ["start a (retry)"]);
});

test("an adopted step's timeout still counts from its start", () => {
  const story = new Story(workflow("sequence", [{ id: "a", timeoutMs: 100 }])).started("a");
  story.time = 90;
  story.engine("resume").say({ event: "attempt_adopted", step: "a", attempt: 1 });
  story.time = 100;
  assert.deepEqual(story.next(), ["stop a: TIMEOUT"]);
});

test("a raised limit lets a loop go on", () => {
  const loop = workflow("sequence", [{ id: "a", next: "a" }]);
  const story = new Story(loop, { max_total_iterations: 1 }).ran("a").settle();
  assert.equal(story.state.reason?.code, "ITERATION_LIMIT");
  story.engine("resume", { limits: { max_total_iterations: 2 } });
  assert.deepEqual(story.next(), ["start a (rework)"]);
});

test("a succeeded run never runs again, and an end without a start is refused", () => {
  const story = new Story(chain("a")).ran("a").settle();
  assert.throws(() => story.engine("resume").state, /succeeded to running/);
  assert.throws(() => new Story(chain("a")).ended("a", "succeeded").state, /without having started/);
});

test("folding in two parts is folding in one, and every prefix has a snapshot", () => {
  const story = new Story(chain("a", "b"))
    .ran("a")
    .settle()
    .ran("b", "failed")
    .settle()
    .engine("resume")
    .ran("b")
    .settle();
  for (let end = 1; end <= story.lines.length; end++) {
    const state = foldAll(story.workflow, story.lines.slice(0, end));
    const record = toRecord(state, 0);
    assert.equal(record.volatile.seq, end);
    const ending = record.status === "succeeded" || record.nextExpectedAction === "end the run";
    assert.equal(record.pointer.length === 0, ending, `pointer after line ${end}`);
    assert.notEqual(record.nextExpectedAction, "");
  }
});

test("an attempt that an earlier engine was stopping by a signal runs again; nothing waits for ever", () => {
  const story = new Story(chain("a")).started("a");
  story.say({ event: "attempt_stopping", step: "a", attempt: 1, because: "SIGNAL" }).engine("resume");
  assert.deepEqual(story.next(), []);
  story.ended("a", "canceled", "CANCELED");
  assert.deepEqual(story.next(), ["start a (resume)"]);
});
