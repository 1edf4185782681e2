import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { describe, test } from "node:test";
import type { AttemptRecord } from "../../src/core/event.ts";
import type { Json } from "../../src/core/json.ts";
import { leftBehind } from "../../src/review/answer-left.ts";
import { AnswerPlaces } from "../../src/review/answer-places.ts";
import { RecordedAttempts } from "../../src/review/answer-record.ts";
import { chain, Story, workflow } from "../core/story.ts";

const RUN = {
  runDir: "/p/.wf/runs/20261125-100000-ship-abcd",
  runId: "20261125-100000-ship-abcd",
  project: "/p",
};

function places(redact: readonly string[] = []): AnswerPlaces {
  return new AnswerPlaces(RUN, { redact, definition: "id: ship" });
}

describe("what a fixture has is put back as this run has it", () => {
  const CASES: readonly (readonly [text: string, back: string | null])[] = [
    ["nothing of it", "nothing of it"],
    ["<run>/steps/a and <run>", `${RUN.runDir}/steps/a and ${RUN.runDir}`],
    ["<project>/src", "/p/src"],
    ["<home>/.cache", `${homedir()}/.cache`],
    ["<run-id> and <run-id>.deploy-1", `${RUN.runId} and ${RUN.runId}.deploy-1`],
    ["<other>", "<other>"],
    ["took <redacted>", null],
  ];
  for (const [text, back] of CASES) {
    test(JSON.stringify(text), () => {
      assert.equal(places().back(text), back);
      assert.deepEqual(
        places().valueBack({ [text]: [text, 1, null] }),
        back === null ? undefined : { [back]: [back, 1, null] },
      );
    });
  }

  test("a text means the same in another folder, and with another of what is redacted", () => {
    const some = places(["took \\d+"]);
    assert.ok(some.isSame("<run>/a <redacted>\n", `${RUN.runDir}/a took 12\n`));
    assert.ok(some.isSame("the same", "the same"));
    assert.ok(!some.isSame("<run>/a", "/elsewhere/a"));
    assert.ok(!some.isSame("<redacted>", "takes 12"));
  });
});

describe("what an attempt left", () => {
  const NAME = { step: "a", attempt: 4 };
  const record = (more: Partial<AttemptRecord>): AttemptRecord => ({
    ...{ step: "a", attempt: 2, cause: "first", status: "succeeded", outputs: {} },
    ...more,
  });
  const file = { file: "steps/a/attempt-2/outputs/x.txt", bytes: 1, sha256: "0" };
  const files = (entries: Readonly<Record<string, string>>) => new Map(Object.entries(entries));

  test("artifacts are of the new attempt, with the size and digest that they have now", () => {
    const left = leftBehind(
      record({ outputs: { x: { list: [null, file] }, n: { value: "<project>" } } }),
      files({ "outputs/x.txt": "<project>\n", "stdout.log": "in <run>\n", "attempt.json": "{}" }),
      NAME,
      places(),
    );
    assert.ok(typeof left !== "string");
    assert.deepEqual(left.outputs, {
      x: {
        list: [
          null,
          {
            file: "steps/a/attempt-4/outputs/x.txt",
            bytes: 3,
            sha256: createHash("sha256").update("/p\n").digest("hex"),
          },
        ],
      },
      n: { value: "/p" },
    });
    assert.deepEqual(Object.fromEntries(left.files), {
      "outputs/x.txt": "/p\n",
      "stdout.log": `in ${RUN.runDir}\n`,
    });
  });

  test("what no canonical form has is there again: its exit status, and a log in which nothing stands", () => {
    const left = leftBehind(record({ exitCode: 3 }), files({ "stderr.log": "no\n" }), NAME, places());
    assert.ok(typeof left !== "string");
    assert.deepEqual(Object.fromEntries(left.files), {
      exit: "3\n",
      "stdout.log": "",
      "stderr.log": "no\n",
    });
  });

  const NOT_KNOWN: readonly (readonly [
    what: string,
    record: Partial<AttemptRecord>,
    text: string,
    why: RegExp,
  ])[] = [
    ["cut", { outputs: { x: file } }, "<cut> 70000 bytes, sha256 0; it begins:\n", /output x is not wholly/],
    ["binary", { outputs: { x: file } }, "<binary> 2 bytes, sha256 0\n", /output x is not wholly/],
    ["a link", { outputs: { x: file } }, "<link> y\n", /output x is not wholly/],
    ["redacted", { outputs: { x: file } }, "at <redacted>\n", /output x was: some of it was redacted/],
    ["a redacted value", { outputs: { n: { value: ["<redacted>"] as Json } } }, "", /output n was: some/],
    [
      "a redacted error",
      { status: "failed", error: { code: "EXIT_STATUS", message: "at <redacted>" } },
      "",
      /its error was: some of it was redacted/,
    ],
  ];
  for (const [what, more, text, why] of NOT_KNOWN) {
    test(`${what}: nobody knows what it was`, () => {
      const left = leftBehind(record(more), files({ "outputs/x.txt": text }), NAME, places());
      assert.match(String(left), why);
    });
  }

  test("of an agent's call it says that there was none", () => {
    const left = leftBehind(record({}), files({ "agent.json": '{"provider": "x"}' }), NAME, places());
    assert.ok(typeof left !== "string");
    assert.equal(left.files.get("agent.json"), '{\n  "provider": "x",\n  "volatile": { "argv": [] }\n}\n');
  });
});

describe("the attempts of a fixture", () => {
  const retried = workflow("sequence", [
    { id: "a", retry: { max: 1, delayMs: 0, backoff: 1, maxDelayMs: 0 } },
    { id: "b" },
  ]);

  test("those that count for nothing are passed over", () => {
    const story = new Story(retried);
    story.ran("a", "interrupted").ran("a", "failed").settle().ran("a", "not_run").ran("a").settle().ran("b");
    const attempts = new RecordedAttempts(retried, story.lines);
    const numbers = [0, 1, 2].map((n) => attempts.nth({ step: "a" }, n)?.record.attempt);
    assert.deepEqual(numbers, [2, 4, undefined]);
    assert.equal(attempts.nth({ step: "b" }, 0)?.record.attempt, 1);
    assert.equal(attempts.nth({ step: "b", item: 0 }, 0), undefined);
  });

  test("the run is told as it stood when an attempt began, in whatever order they are asked for", () => {
    const three = chain("a", "b", "c");
    const story = new Story(three);
    for (const step of ["a", "b", "c"]) {
      story
        .started(step)
        .ended(step, "succeeded", "", { outputs: { of: { value: step } } })
        .settle();
    }
    const attempts = new RecordedAttempts(three, story.lines);
    const outputsBefore = (step: string) => {
      const state = attempts.stateAt(attempts.nth({ step }, 0)?.at ?? 0);
      return state.steps.flatMap(({ outputs }) =>
        outputs.of && "value" in outputs.of ? [outputs.of.value] : [],
      );
    };
    assert.deepEqual(["c", "a", "b", "c"].map(outputsBefore), [["a", "b"], [], ["a"], ["a", "b"]]);
  });

  test("an output that a fork replaced is not what the attempt left", () => {
    const story = new Story(chain("a")).ran("a");
    story.say({
      ...{ event: "output_changed", step: "a", attempt: 1, output: "n" },
      ...{ old: { value: 1 }, new: { value: 2 } },
    });
    assert.equal(new RecordedAttempts(chain("a"), story.lines).nth({ step: "a" }, 0)?.isEdited, true);
  });
});

describe("the state of a run with answers", () => {
  const from = { fixture: "project:fx", attempt: "steps/a/attempt-1", sha256: "0" };
  const slow = workflow("sequence", [
    { id: "a", retry: { max: 3, delayMs: 60_000, backoff: 1, maxDelayMs: 60_000 } },
  ]);

  /** An attempt that the fixture said to have failed. */
  function failed(story: Story, attempt: number): Story {
    story.say({
      ...{ event: "attempt_started", step: "a", attempt, cause: "first" },
      volatile: { answeredFrom: from },
    });
    const volatile = { startedAt: "", endedAt: "", stdoutBytes: 0, stderrBytes: 0 };
    const record = {
      step: "a",
      attempt,
      cause: "first",
      status: "failed",
      outputs: {},
      answeredFrom: from,
    } as const;
    return story.say({ event: "attempt_ended", record, volatile });
  }

  test("only attempts that count are counted, whatever their numbers", () => {
    const story = new Story(slow);
    const counted = () => story.state.steps[0]?.counted;
    story.started("a");
    assert.equal(counted(), 1);
    story.ended("a", "interrupted");
    assert.equal(counted(), 0);
    story.ran("a", "not_run").ran("a", "failed");
    assert.deepEqual([counted(), story.state.steps[0]?.attempts], [1, 3]);
    story.settle();
    story.time = 60_000;
    story.ran("a", "canceled");
    assert.equal(counted(), 1);
  });

  test("a failure that was answered is given no time, one that was not is", () => {
    assert.deepEqual(failed(new Story(slow), 1).next(), ["retry a at 0"]);
    assert.deepEqual(new Story(slow).ran("a", "failed").next(), ["retry a at 60000"]);
  });

  test("run.json counts the steps whose newest attempt was answered", () => {
    const story = failed(new Story(slow), 1);
    assert.deepEqual(story.record.volatile.answered, { a: 1 });
    story.settle().started("a");
    assert.equal(story.record.volatile.answered, undefined);
  });
});
