import assert from "node:assert/strict";
import { test } from "node:test";
import { Story, workflow } from "./story.ts";

const loop = () =>
  workflow("sequence", [{ id: "plan" }, { id: "review", gate: true, onReject: "plan" }, { id: "build" }]);

test("an approved gate goes on as any step; a rejected one goes back, with the gate that sent it", () => {
  const story = new Story(loop())
    .ran("plan")
    .settle()
    .started("review")
    .decided("review", "reject", "too long");
  assert.deepEqual(story.next(), ["review -> plan: REJECTED"]);
  story.settle();
  assert.deepEqual(story.next(), ["start plan (rework)"]);
  assert.equal(story.state.steps[0]?.sentBackBy, 1);
  assert.deepEqual(story.state.steps[1]?.produced, { feedback: { value: "too long" } });
  story.ran("plan").settle().started("review").decided("review", "approve");
  assert.deepEqual(story.next(), ["review -> build: NEXT_IN_FILE"]);
});

test("on_approve names the way on", () => {
  const story = new Story(workflow("sequence", [{ id: "a", onApprove: "c" }, { id: "b" }, { id: "c" }]));
  story.started("a").decided("a", "approve");
  assert.deepEqual(story.next(), ["a -> c: APPROVED"]);
});

test("a rejection without a target fails the run, and resume asks again", () => {
  const story = new Story(workflow("sequence", [{ id: "a", gate: true }, { id: "b" }]));
  story.started("a").decided("a", "reject", "no").settle();
  assert.equal(story.state.status, "failed");
  assert.equal(story.state.reason?.code, "REJECTED");
  assert.match(story.state.reason?.message ?? "", /no$/);
  assert.deepEqual(story.engine("resume").next(), ["start a (resume)"]);
});

test("a reject loop ends at max_total_iterations", () => {
  const story = new Story(loop(), { max_total_iterations: 4 });
  for (let round = 0; round < 2; round++) {
    story.ran("plan").settle().started("review").decided("review", "reject", "again").settle();
  }
  assert.equal(story.state.reason?.code, "ITERATION_LIMIT");
});

test("on_reject: fail ends the run as rejected; done ends it as succeeded", () => {
  for (const [target, code] of [
    ["fail", "REJECTED"],
    ["done", undefined],
  ] as const) {
    const story = new Story(workflow("sequence", [{ id: "a", onReject: target }, { id: "b" }]));
    story.started("a").decided("a", "reject", "x").settle();
    assert.equal(story.state.status, target === "fail" ? "failed" : "succeeded");
    assert.equal(story.state.reason?.code, code);
  }
});

test("in a graph a gate's target ends the run once what runs has ended", () => {
  const story = new Story(
    workflow("graph", [{ id: "a", onReject: "done" }, { id: "b" }, { id: "c", needs: ["a"] }]),
  );
  story.started("a").started("b").decided("a", "reject", "enough");
  assert.deepEqual(story.next(), []);
  story.ended("b", "succeeded").settle();
  assert.equal(story.state.status, "succeeded");
  assert.equal(story.record.steps.c?.status, "pending");
});

test("an approval waits for a person: the run waits once nothing else runs or is due", () => {
  const story = new Story(
    workflow("graph", [{ id: "ask", message: "ok?" }, { id: "b" }, { id: "c", needs: ["ask"] }]),
  );
  assert.deepEqual(
    story.next({ slots: 1 }),
    ["start ask (first)", "start b (first)"],
    "a gate holds no place",
  );
  story.started("ask").started("b");
  assert.deepEqual(story.next(), []);
  story.ended("b", "succeeded");
  assert.deepEqual(story.next(), ["wait: APPROVAL"]);
  assert.deepEqual(story.next({ stay: true }), []);
  story.settle();
  assert.deepEqual(story.record.pointer, [{ step: "ask", attempt: 1, state: "waiting" }]);
  story.engine("resume");
  assert.deepEqual(story.next(), ["wait: APPROVAL"]);
  story.decided("ask", "approve");
  assert.deepEqual(story.next(), ["start c (first)"]);
  assert.equal(story.record.steps.ask?.decision, "approve");
});

test("a run does not wait for a person while a step is due that only lacks a free process", () => {
  const parts = workflow("graph", [{ id: "ask", message: "ok?" }, { id: "other" }]);
  const story = new Story(parts).started("ask");
  assert.deepEqual(story.next({ slots: 0 }), []);
  assert.deepEqual(story.next(), ["start other (first)"]);
});

test("a gate whose bytes have changed is opened again, as stale", () => {
  const story = new Story(workflow("sequence", [{ id: "ask", message: "ok?" }])).started("ask");
  story.ended("ask", "canceled", "STALE");
  assert.deepEqual(story.next(), ["start ask (stale)"]);
});

test("a run that ends closes its open gates first", () => {
  const story = new Story(workflow("graph", [{ id: "ask", message: "ok?" }, { id: "b" }]))
    .started("ask")
    .ran("b", "failed");
  assert.deepEqual(story.next(), ["stop ask: RUN_ENDED"]);
  story.ended("ask", "canceled", "CANCELED");
  assert.deepEqual(story.next(), ["end failed: EXIT_STATUS"]);
});

test("the time in which only a person is waited for does not count", () => {
  const story = new Story(workflow("sequence", [{ id: "ask", message: "ok?" }, { id: "b" }]), {
    run_timeout_ms: 100,
  });
  story.started("ask");
  story.time = 10_000;
  assert.deepEqual(story.next({ stay: true }), []);
  story.decided("ask", "approve").settle().started("b");
  story.time += 99;
  assert.deepEqual(story.next(), []);
  story.time += 1;
  assert.deepEqual(story.next(), ["stop b: RUN_TIMEOUT"]);
});

test("crossing max_tokens leaves the run waiting, until the limit is raised", () => {
  const spend = workflow("sequence", [{ id: "a" }, { id: "b" }], {
    limits: { maxTotalIterations: 9, budget: {} },
  });
  const story = new Story(spend, { max_tokens: 100 } as object).started("a");
  story.ended("a", "succeeded", "", { usage: { tokens: 120, costUsd: null } }).settle();
  assert.equal(story.state.status, "waiting");
  assert.equal(story.state.reason?.code, "BUDGET");
  assert.deepEqual(story.record.volatile.usage, { tokens: 120, costUsd: 0, unknown: 0, unknownCost: 1 });
  story.engine("resume");
  assert.deepEqual(story.next(), ["wait: BUDGET"]);
  story.engine("resume", { limits: { max_tokens: 200 } });
  assert.deepEqual(story.next(), ["start b (first)"]);
});

test("usage that a client does not tell counts as unknown", () => {
  const story = new Story(workflow("sequence", [{ id: "a" }])).started("a");
  story.ended("a", "succeeded", "", { usage: { tokens: null, costUsd: null } });
  assert.deepEqual(story.record.volatile.usage, { tokens: 0, costUsd: 0, unknown: 1, unknownCost: 1 });
});

test("a client's limit with a known end parks the run until then, and no clock shortens that", () => {
  const retry = { max: 2, delayMs: 10, backoff: 1, maxDelayMs: 10 };
  const story = new Story(workflow("sequence", [{ id: "a", retry }])).started("a");
  story.ended("a", "failed", "AGENT_RATE_LIMITED", { retryAt: 60_000 });
  assert.deepEqual(story.next(), ["retry a at 60000"]);
  story.settle();
  assert.equal(story.state.reason?.code, "RATE_LIMIT");
  assert.equal(story.record.volatile.waitingUntil, "2026-01-01T00:01:00.000Z");
  story.engine("resume");
  assert.deepEqual(story.next(), ["wait: RATE_LIMIT"]);
  story.time = 60_000;
  assert.deepEqual(story.next(), ["start a (retry)"]);
});

test("no output for idle_timeout stops the step", () => {
  const story = new Story(workflow("sequence", [{ id: "a", idleTimeoutMs: 50 }])).started("a");
  story.time = 90;
  const printedAt = (time: number) => ({
    quietSince: () => Date.parse(story.record.volatile.createdAt ?? "") + time,
  });
  assert.deepEqual(story.next(printedAt(41)), []);
  assert.deepEqual(story.next(printedAt(40)), ["stop a: IDLE_TIMEOUT"]);
});
