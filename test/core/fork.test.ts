import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decide } from "../../src/core/decide.ts";
import type { JournalLine } from "../../src/core/event.ts";
import { fold, foldAll } from "../../src/core/fold.ts";
import { descendants } from "../../src/core/fold-engine.ts";
import { linesBefore } from "../../src/core/fork.ts";
import { isPassed, nodeOf, type RunState } from "../../src/core/state.ts";
import type { Workflow } from "../../src/core/workflow.ts";
import { chain, type Short, Story, workflow } from "./story.ts";

/** What a fork at the step shares, in short; or why it can not be. */
function before(story: Story, step: string, attempt?: number): string {
  const found = linesBefore(story, step, attempt);
  if ("why" in found) return `no: ${found.why}`;
  return found.lines.map(inShort).join(" ");
}

function inShort(line: JournalLine): string {
  if (line.event === "attempt_ended")
    return `${line.record.step}/${line.record.attempt}:${line.record.status}`;
  if (line.event === "attempt_started") return `${line.step}/${line.attempt}`;
  if (line.event === "transition") return `${line.from}>${line.to}`;
  if (line.event === "engine_started") return line.how;
  if (line.event === "step_skipped") return `${line.step}:skipped`;
  if (line.event === "run_created") return "created";
  return "status" in line ? `${line.event}:${line.status}` : line.event;
}

const loop = () =>
  workflow("sequence", [{ id: "plan" }, { id: "review", gate: true, onReject: "plan" }, { id: "build" }]);

const looped = () =>
  new Story(loop())
    .ran("plan")
    .settle()
    .started("review")
    .decided("review", "reject")
    .settle()
    .ran("plan")
    .settle()
    .started("review")
    .decided("review", "approve")
    .settle()
    .ran("build")
    .settle();

const ROUND_1 = "created start plan/1 plan/1:succeeded plan>review";
const REVIEW_1 = `${ROUND_1} review/1 review/1:succeeded review>plan`;
const ROUND_2 = `${REVIEW_1} plan/2 plan/2:succeeded plan>review`;

test("a sequence is shared up to where it came to the step, the last time", () => {
  const story = looped();
  assert.equal(before(story, "review"), ROUND_2);
  assert.equal(before(story, "plan"), REVIEW_1);
  assert.equal(before(story, "build"), `${ROUND_2} review/2 review/2:succeeded review>build`);
});

test("or up to where an attempt of it began", () => {
  const story = looped();
  assert.equal(before(story, "review", 1), ROUND_1);
  assert.equal(before(story, "plan", 1), "created start");
  assert.equal(before(story, "plan", 3), "no: plan has had 2 attempts, and no attempt 3");
});

test("how the step itself went is not shared: no retry of it, no failure, no resume", () => {
  const retry = { max: 1, delayMs: 0, backoff: 1, maxDelayMs: 0 };
  const story = new Story(workflow("sequence", [{ id: "a" }, { id: "b", retry }]));
  story.ran("a").settle().ran("b", "failed").settle().ran("b", "failed").settle();
  story.engine("resume").ran("b").settle();
  assert.equal(story.state.status, "succeeded");
  assert.equal(before(story, "b"), "created start a/1 a/1:succeeded a>b");
});

test("a step before it that was resumed brings along how the run had ended", () => {
  const story = new Story(chain("a", "b")).ran("a", "failed").settle().engine("resume").ran("a").settle();
  story.ran("b").settle();
  const history = "created start a/1 a/1:failed run_ended:failed resume a/2 a/2:succeeded a>b";
  assert.equal(before(story, "b"), history);
});

test("resume --from is a way to come to a step", () => {
  const story = new Story(chain("a", "b")).ran("a").settle().ran("b", "failed").settle();
  story.engine("resume", { from: "a" }).ran("a").settle().ran("b").settle();
  const first = "created start a/1 a/1:succeeded a>b b/1 b/1:failed run_ended:failed resume";
  assert.equal(before(story, "a"), first);
  assert.equal(before(story, "b"), `${first} a/2 a/2:succeeded a>b`);
});

test("a step that was skipped or is only due can be forked; one that was not come to can not", () => {
  const story = new Story(workflow("sequence", [{ id: "a" }, { id: "b", when: "x" }, { id: "c" }]));
  story.ran("a").settle({ when: () => ({ is: false }) });
  assert.equal(before(story, "b"), "created start a/1 a/1:succeeded a>b");
  assert.equal(before(story, "c"), "created start a/1 a/1:succeeded a>b b:skipped b>c");
  story.say({ event: "run_waiting", reason: { code: "PAUSED", message: "paused" } });
  assert.equal(before(story, "c"), "created start a/1 a/1:succeeded a>b b:skipped b>c");
  const failed = new Story(chain("a", "b")).ran("a", "failed").settle();
  assert.equal(before(failed, "b"), "no: the run has not come to b");
});

test("a finally step is no place to fork at; those of earlier ends belong to the history", () => {
  const told = workflow("sequence", [{ id: "a" }, { id: "b" }], { finally: [{ id: "tidy" }] });
  const story = new Story(told).ran("a", "failed").settle().ran("tidy").settle();
  story.engine("resume").ran("a").settle().ran("b").settle().ran("tidy").settle();
  assert.match(before(story, "tidy"), /^no: tidy is a finally step/);
  assert.match(
    before(story, "b"),
    /finally_started:failed tidy\/1 tidy\/1:succeeded run_ended:failed resume/,
  );
  assert.doesNotMatch(before(story, "b"), /tidy\/2/);
});

const diamond = (more: Short[] = []) =>
  workflow("graph", [
    { id: "a" },
    { id: "left", needs: ["a"] },
    { id: "right", needs: ["a"] },
    { id: "join", needs: ["left", "right"] },
    ...more,
  ]);

test("of a graph all is shared that does not descend from the step, whenever it ran", () => {
  const story = new Story(diamond()).ran("a").started("left").started("right");
  story.ended("left", "succeeded").ended("right", "succeeded").ran("join").settle();
  assert.equal(before(story, "left"), "created start a/1 a/1:succeeded right/1 right/1:succeeded");
  assert.equal(
    before(story, "join"),
    "created start a/1 a/1:succeeded left/1 right/1 left/1:succeeded right/1:succeeded",
  );
  assert.equal(before(story, "a"), "created start");
  assert.match(before(story, "left", 1), /^no: in a graph only a step as a whole/);
});

test("what has failed beside it, or still waits, begins anew", () => {
  const story = new Story(diamond([{ id: "other" }, { id: "ask", message: "ok?" }]), {});
  story.ran("a").started("ask").started("other").ran("left").ended("other", "failed").settle();
  assert.equal(before(story, "left"), "created start a/1 a/1:succeeded");
  assert.equal(before(story, "join"), "no: the run has not come to join: it needs right (pending)");
});

test("a gate that sent a graph to its end would do so again: it is asked anew", () => {
  const told = workflow("graph", [{ id: "gate", onReject: "fail" }, { id: "x" }, { id: "y", needs: ["x"] }]);
  const story = new Story(told).started("gate").ran("x").started("y").decided("gate", "reject");
  story.ended("y", "succeeded").settle();
  assert.equal(story.state.status, "failed");
  assert.equal(before(story, "y"), "created start x/1 x/1:succeeded");
});

test("a decision comes with its request; a cancel and what was refused stay behind", () => {
  const told = workflow("graph", [{ id: "ask", message: "ok?" }, { id: "x" }, { id: "y", needs: ["ask"] }]);
  const story = new Story(told).started("ask").started("x");
  const request = (file: string, what: "decide" | "cancel") =>
    story.say({ event: "request_taken", file, request: what, because: "so" });
  story.say({ event: "request_refused", file: "control/decide-ask-1-1.json", because: "so" });
  request("control/decide-ask-1-2.json", "decide").say({
    ...{ event: "decision", step: "ask", attempt: 1, decision: "approve", comment: "", digest: "0" },
    volatile: { by: "ann" },
  });
  story.decided("ask", "approve");
  request("control/cancel-1.json", "cancel");
  story.ended("x", "succeeded").settle();
  assert.equal(story.state.status, "canceled");
  const shared = "created start ask/1 x/1 request_taken decision ask/1:succeeded x/1:succeeded";
  assert.equal(before(story, "y"), shared);
  assert.equal(before(story, "ask"), "created start x/1 x/1:succeeded");
});

test("changed inputs stay changed", () => {
  for (const told of [chain("a", "b"), workflow("graph", [{ id: "a" }, { id: "b", needs: ["a"] }])]) {
    const story = new Story(told).ran("a").settle();
    story.say({ event: "input_changed", what: "x", old: 1, new: 2 }).ran("b").settle();
    const found = linesBefore(story, "b");
    assert.ok("lines" in found);
    assert.deepEqual(foldAll(told, found.lines).inputs, { x: 2 });
  }
});

/** A run of a drawn workflow; what happens comes from a tape of numbers. */
function drawnStory(told: Workflow, tape: readonly number[]): Story {
  const story = new Story(told);
  let at = 0;
  const draw = (below: number) => (tape[at++ % tape.length] ?? 0) % below;
  for (let turns = 0; turns < 25; turns += 1) {
    const when = () => ({ is: draw(4) > 0 });
    const { state } = story;
    if (state.status !== "running") {
      if (state.status === "succeeded" || draw(3) === 0) break;
      story.engine("resume");
      continue;
    }
    const running = [...state.running];
    const due = story.decide({ when }).find((action) => action.do === "start");
    if (running.length > 0 && (due === undefined || draw(2) === 0)) {
      const index = running[draw(running.length)] as number;
      const { step } = state.steps[index] ?? {};
      const outcome = draw(6);
      if (outcome === 0) story.engine("resume").ended(step?.id ?? "", "interrupted");
      else if (outcome === 1) story.ended(step?.id ?? "", "failed");
      else if (step?.gate) story.decided(step.id, draw(2) === 0 ? "reject" : "approve");
      else story.ended(step?.id ?? "", "succeeded");
    } else if (due?.do === "start") story.started(state.steps[due.index]?.step.id ?? "");
    story.settle({ when });
  }
  return story;
}

const shorts = fc.array(
  fc.record({
    retry: fc.nat(1),
    allowFailure: fc.boolean(),
    when: fc.boolean(),
    back: fc.nat(9),
    needs: fc.array(fc.nat(5), { maxLength: 2 }),
  }),
  { minLength: 2, maxLength: 5 },
);

const drawn = fc.tuple(shorts, fc.boolean(), fc.boolean()).map(([steps, isGraph, keepsGoing]) =>
  workflow(
    isGraph ? "graph" : "sequence",
    steps.map(
      ({ retry, allowFailure, when, back, needs }, index): Short => ({
        id: `s${index}`,
        retry: { max: retry, delayMs: 0, backoff: 1, maxDelayMs: 0 },
        allowFailure,
        ...(when && { when: "x" }),
        ...(isGraph && {
          needs: [...new Set(needs.filter((need) => need < index))].map((need) => `s${need}`),
        }),
        ...(back <= index && { onReject: isGraph ? "fail" : `s${back}` }),
      }),
    ),
    { onFailure: keepsGoing ? "continue" : "stop", finally: [{ id: "last" }] },
  ),
);

test("whatever a run has gone through: in the fork the step is what comes next, and what is shared is as it was", () => {
  const tape = fc.array(fc.nat(1000), { minLength: 40, maxLength: 40 });
  let forks = 0;
  fc.assert(
    fc.property(drawn, tape, (told, numbers) => {
      const story = drawnStory(told, numbers);
      for (const { id } of told.steps.slice(0, told.mainSteps)) {
        const found = linesBefore(story, id);
        if ("why" in found) continue;
        forks += 1;
        checkFork(story.state, found.lines, id);
      }
    }),
    { numRuns: 60 },
  );
  assert.ok(forks > 60, `only ${forks} forks`);
});

function checkFork(whole: RunState, lines: readonly JournalLine[], step: string): void {
  const state = foldAll(whole.workflow, lines);
  assert.equal(state.status, "running");
  const open = state.steps.filter(({ state: at }) => at.status === "running" || at.status === "waiting");
  assert.deepEqual(open, []);
  const [first] = lines.filter(({ event }) => event === "engine_started");
  fold(state, { ...(first as JournalLine & { event: "engine_started" }), how: "fork", epoch: 99 });
  const { index } = nodeOf(state, step).step;
  const actions = decide(state, { now: 1e15, slots: 99, signal: null, when: () => ({ is: true }) });
  const about = actions.flatMap((action) => ("index" in action ? [action.index] : []));
  assert.ok(about.includes(index), `${step} does not come next: ${JSON.stringify(actions)}`);
  assert.ok(actions.every((action) => action.do === "start"));
  if (whole.workflow.shape === "sequence") return;
  const away = descendants(whole, index);
  for (const node of state.steps) {
    if (away.has(node.step.index)) assert.equal(node.attempts, 0);
    else if (isPassed(node.state)) assert.deepEqual(node.state, whole.steps[node.step.index]?.state);
    else if (node.step.index < whole.workflow.mainSteps) assert.equal(node.attempts, 0);
  }
}
