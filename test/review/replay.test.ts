import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Entry, type Recorded, readNested, readRecorded } from "../../src/review/replay-record.ts";
import { type Drawn, type DrawnWorkflow, fileOf, lineOf, record, replayOf, yamlOf } from "./replay-rig.ts";

const RUNS = { numRuns: 250 };
const FLAGS = 3;

const tape = fc.array(fc.nat(1000), { minLength: 60, maxLength: 60 });
const flags = fc.array(fc.boolean(), { minLength: FLAGS, maxLength: FLAGS });

const sequence: fc.Arbitrary<DrawnWorkflow> = fc
  .array(
    fc.record({
      retry: fc.nat(2),
      allowFailure: fc.boolean(),
      when: fc.nat(8),
      next: fc.nat(12),
      onReject: fc.nat(9),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .chain((shorts) => fc.tuple(fc.constant(shorts), flags))
  .map(([shorts, given]) => ({
    flags: given,
    keepGoing: false,
    steps: shorts.map(({ retry, allowFailure, when, next, onReject }, index): Drawn => {
      const later = shorts.length - index - 1;
      return {
        id: `s${index}`,
        run: `echo ${index}`,
        ...(retry > 0 && { retry }),
        ...(allowFailure && { allowFailure }),
        ...(when < FLAGS && { when: `inputs.f${when}` }),
        // A jump forward; `done` ends the run.
        ...(next <= later && { next: next === 0 ? "done" : `s${index + next}` }),
        ...(onReject <= index && { onReject: `s${onReject}` }),
      };
    }),
  }));

const graph: fc.Arbitrary<DrawnWorkflow> = fc
  .array(
    fc.record({
      retry: fc.nat(2),
      allowFailure: fc.boolean(),
      when: fc.nat(9),
      needs: fc.array(fc.nat(6), { maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 7 },
  )
  .chain((shorts) => fc.tuple(fc.constant(shorts), flags, fc.boolean()))
  .map(([shorts, given, keepGoing]) => ({
    flags: given,
    keepGoing,
    steps: shorts.map(({ retry, allowFailure, when, needs }, index): Drawn => {
      const before = [...new Set(needs.filter((need) => need < index))].map((need) => `s${need}`);
      const [first] = before;
      return {
        id: `s${index}`,
        run: `echo ${index}`,
        needs: before,
        ...(retry > 0 && { retry }),
        ...(allowFailure && { allowFailure }),
        ...(when < FLAGS && { when: `inputs.f${when}` }),
        ...(when > 7 && first && { when: `steps.${first}.status == "succeeded"` }),
      };
    }),
  }));

const plain = fc.oneof(sequence, graph);

/** Some of the steps are done for items, or run another workflow, or both. */
const wide: fc.Arbitrary<DrawnWorkflow> = fc
  .tuple(plain, fc.array(fc.tuple(fc.nat(3), fc.nat(4), fc.nat(2), plain), { minLength: 7, maxLength: 7 }))
  .map(([drawn, draws]) => ({
    ...drawn,
    steps: drawn.steps.map((step, index): Drawn => {
      const [size = 0, kind = 0, ofWhen = 0, inner] = draws[index] ?? [];
      // A gate is neither.
      if (step.onReject !== undefined || inner === undefined) return step;
      const items = kind % 2 === 0 ? { foreach: Array.from({ length: size }, (_, n) => n) } : {};
      const when = kind === 0 && ofWhen === 0 ? { when: "item != 1" } : {};
      return { ...step, ...items, ...when, ...(kind > 1 && { nested: { ...inner, flags: drawn.flags } }) };
    }),
  }));

const any = fc.oneof(plain, wide);

test("a record is replayed on its own definition, whatever came of its steps and was cut off", async () => {
  await fc.assert(
    fc.asyncProperty(any, tape, async (drawn, drawnTape) => {
      const recorded = record(drawn, drawnTape);
      const { differences, counts } = await replayOf(recorded);
      assert.deepEqual(differences, []);
      const entries = entriesOf(recorded).filter(({ kind }) => kind !== "list");
      const skipped = entries.filter(({ kind }) => kind === "skip").length;
      const cutOff = entries.filter(
        (entry) => entry.kind === "attempt" && entry.record?.status === "interrupted",
      ).length;
      assert.deepEqual(
        [counts.skipped, counts.passedOver, counts.attempts],
        [skipped, cutOff, entries.length - skipped - cutOff],
      );
    }),
    RUNS,
  );
});

/** Those of nested runs too. */
function entriesOf(recorded: Recorded): Entry[] {
  const own = recorded.stretches.flatMap((stretch) => [...stretch.entries.values()].flat());
  const nested = [...recorded.nested.keys()].map((folder) => readNested(recorded, folder, "recorded"));
  return [...own, ...nested.flatMap((each) => (each ? entriesOf(each) : []))];
}

const TWO = "id: drawn\nsteps:\n  - { id: a, run: echo a }\n  - { id: b, run: echo b }\n";

/** A record of `TWO`: its first two events, and those given. */
function told(...events: readonly object[]): Recorded {
  const workflow = { id: "drawn", file: "workflow.yaml", sha256: "0", source: "project:drawn.yaml" };
  const created = { format: "wf.run/1", workflow, inputs: {}, limits: {}, options: { durability: "power" } };
  const lines = [{ event: "run_created", ...created }, ENGINE, ...events];
  const script = (attempt: string, text: string) => ({ path: `steps/${attempt}/script.sh`, text });
  return readRecorded(
    [
      { path: "run.json", text: "{}" },
      { path: "progress.ndjson", text: lines.map((line) => `${JSON.stringify(line)}\n`).join("") },
      { path: "workflow.yaml", text: TWO },
      script("a/attempt-1", "echo a\n"),
      script("b/attempt-1", "echo b\n"),
      script("b/attempt-2", "echo b\n"),
    ],
    "recorded",
  );
}

const ENGINE = { event: "engine_started", how: "start", version: "0" };
const NEXT = { code: "NEXT_IN_FILE", message: "next step in the file" };
const LAST = { code: "LAST_STEP", message: "last step in the file" };
const started = (step: string, attempt: number) => ({
  event: "attempt_started",
  step,
  attempt,
  cause: "first",
});
const ended = (step: string, attempt: number, status: string) => ({
  event: "attempt_ended",
  record: { step, attempt, cause: "first", status, outputs: {} },
});
const BEGUN = [
  started("a", 1),
  ended("a", 1, "succeeded"),
  { event: "transition", from: "a", to: "b", because: NEXT },
  started("b", 1),
];
const FINISHED = [
  started("b", 2),
  ended("b", 2, "succeeded"),
  { event: "transition", from: "b", to: "done", because: LAST },
  { event: "run_ended", status: "succeeded", outputs: {} },
];
const CANCELED = { code: "CANCELED", message: "canceled on request" };
const STOPPED = { code: "SIGNAL", message: "stopped by SIGTERM" };
const TAKEN = {
  event: "request_taken",
  file: "control/cancel-1.json",
  request: "cancel",
  because: "canceled on request",
};

const STORIES: Readonly<Record<string, readonly object[]>> = {
  "was stopped by a signal": [
    ended("b", 1, "canceled"),
    { event: "run_waiting", reason: STOPPED },
    ENGINE,
    ...FINISHED,
  ],
  "never began": [ENGINE, ended("b", 1, "not_run"), ...FINISHED],
  "was canceled with its run, which was resumed": [
    TAKEN,
    ended("b", 1, "canceled"),
    { event: "run_ended", status: "canceled", reason: CANCELED, outputs: {} },
    ENGINE,
    ...FINISHED,
  ],
};

for (const [name, events] of Object.entries(STORIES)) {
  test(`an attempt is passed over that ${name}`, async () => {
    const { differences, counts } = await replayOf(told(...BEGUN, ...events));
    assert.deepEqual(differences, []);
    assert.deepEqual(counts, { attempts: 2, skipped: 0, decisions: 0, passedOver: 1 });
  });
}

test("a step that ended as its run was canceled, and was not left any more", async () => {
  const cut = [TAKEN, { event: "run_ended", status: "canceled", reason: CANCELED, outputs: {} }];
  const [begin, end, ...rest] = BEGUN as [object, object, object, object];
  for (const events of [
    [begin, end, ...cut],
    [begin, end, ...cut, ENGINE, ...rest, ended("b", 1, "succeeded"), ...cut],
  ]) {
    assert.deepEqual((await replayOf(told(...events))).differences, []);
  }
});

test("without a request a run is not canceled, and without a time limit it is not late", async () => {
  const late = { code: "RUN_TIMEOUT", message: "the run took longer" };
  for (const [reason, status] of [
    [CANCELED, "canceled"],
    [late, "failed"],
  ] as const) {
    const end = { event: "run_ended", status, reason, outputs: {} };
    const { differences } = await replayOf(told(...BEGUN, ended("b", 1, "canceled"), end));
    assert.deepEqual(
      differences.map(({ message, expected }) => [message, expected]),
      [["the record does not have attempt 1 of b", `the run ends: ${status} (${reason.code})`]],
    );
  }
});

test("an attempt that is open when the record ends is no difference", async () => {
  const { differences, counts, status } = await replayOf(told(...BEGUN));
  assert.deepEqual([differences, counts.attempts, status], [[], 2, "running"]);
});

/** Another definition; the step whose line is to be named, and the key of it; `gone`: it stands in the record only. */
interface Mutation {
  readonly steps: readonly Drawn[];
  readonly step: string;
  readonly key?: string;
  readonly gone?: true;
}

type Mutate = (drawn: DrawnWorkflow, step: Drawn, index: number) => Mutation | null;

const change = (drawn: DrawnWorkflow, step: Drawn, to: Drawn): readonly Drawn[] =>
  drawn.steps.map((each) => (each.id === step.id ? to : each));

const MUTATIONS: Readonly<Record<string, { readonly of: typeof plain; readonly mutate: Mutate }>> = {
  "a dropped step": {
    of: plain,
    mutate: ({ steps }, step) => {
      const named = steps.some(
        ({ id, needs, next, onReject, when }) =>
          id !== step.id &&
          (needs?.includes(step.id) || next === step.id || onReject === step.id || when?.includes(step.id)),
      );
      if (named || steps.length === 1) return null;
      return { steps: steps.filter(({ id }) => id !== step.id), step: step.id, gone: true };
    },
  },
  "a changed script": {
    of: plain,
    mutate: (drawn, step) => ({
      steps: change(drawn, step, { ...step, run: "echo something else" }),
      step: step.id,
      key: "run",
    }),
  },
  "another next": {
    of: sequence,
    mutate: (drawn, step, index) => {
      const last = drawn.steps.at(-1) as Drawn;
      const next = step.next === "done" ? last.id : "done";
      // From the last step it is the end, said otherwise.
      if (next === "done" && index === drawn.steps.length - 1) return null;
      return { steps: change(drawn, step, { ...step, next }), step: step.id, key: "next" };
    },
  },
  "a changed when": {
    of: plain,
    mutate: (drawn, step) => {
      const when = step.when === undefined ? "false" : `!(${step.when})`;
      return { steps: change(drawn, step, { ...step, when }), step: step.id, key: "when" };
    },
  },
  "a changed need": {
    of: graph,
    mutate: (drawn, step, index) => {
      const needs = step.needs ?? [];
      const other = drawn.steps.slice(0, index).find(({ id }) => !needs.includes(id))?.id;
      const changed = needs.length > 0 ? needs.slice(1) : other === undefined ? null : [other];
      if (changed === null || step.when?.startsWith("steps")) return null;
      return { steps: change(drawn, step, { ...step, needs: changed }), step: step.id, key: "needs" };
    },
  },
};

describe("a changed definition fails, and the line that was changed is named", () => {
  for (const [name, { of, mutate }] of Object.entries(MUTATIONS)) {
    test(name, async () => {
      let tried = 0;
      await fc.assert(
        fc.asyncProperty(of, tape, fc.nat(), async (drawn, drawnTape, pick) => {
          const recorded = record(drawn, drawnTape);
          const reached = drawn.steps.filter((step) => wasReached(name, recorded, step));
          const step = reached[pick % Math.max(1, reached.length)];
          const mutation = step ? mutate(drawn, step, drawn.steps.indexOf(step)) : null;
          fc.pre(mutation !== null);
          tried += 1;
          const { steps, step: id, key, gone } = mutation;
          const before = yamlOf(drawn);
          const changed = yamlOf({ ...drawn, steps });
          const { differences } = await replayOf(recorded, { ...drawn, steps });
          const expected = gone
            ? { file: "recorded/workflow.yaml", line: lineOf(before, id) }
            : { file: "changed/workflow.yaml", line: lineOf(changed, id, key) };
          const places = differences.map(({ place }) => place);
          const what = `${JSON.stringify(differences, null, 2)}\n${before}\nchanged:\n${changed}`;
          assert.ok(
            places.some((place) => place?.file === expected.file && place.line === expected.line),
            `${JSON.stringify(expected)} is not in ${what}`,
          );
        }),
        { ...RUNS, maxSkipsPerRun: 1000 },
      );
      assert.ok(tried >= RUNS.numRuns, `only ${tried} were tried`);
    });
  }
});

/** Whether what is going to be changed of a step has had an effect in the record. */
function wasReached(mutation: string, recorded: Recorded, { id }: Drawn): boolean {
  return recorded.stretches.some(({ entries, transitions }) => {
    if (mutation === "another next") {
      const codes = ["NEXT_IN_FILE", "NEXT_KEY", "LAST_STEP"];
      return transitions.some(({ from, because }) => from === id && codes.includes(because.code));
    }
    return (entries.get(id) ?? []).some((entry) => {
      if (entry.kind === "skip") return mutation !== "a changed script";
      return entry.kind === "attempt" && entry.record !== null && entry.record.status !== "interrupted";
    });
  });
}

/** Another definition of a step with items or with a run of its own; the file and the key that are to be named. */
interface WideMutation {
  readonly step: Drawn;
  readonly key: string;
  /** Of the nested workflow. */
  readonly inner?: string;
}

const WIDE: Readonly<Record<string, (step: Drawn, recorded: Recorded) => WideMutation | null>> = {
  "another item": (step, recorded) => {
    const [first, ...rest] = step.foreach ?? [];
    if (first === undefined || !hasEntry(recorded, step.id, "list")) return null;
    return { step: { ...step, foreach: [...rest, 9] }, key: "foreach" };
  },
  "an item more": (step, recorded) => {
    if (!step.foreach || !hasEntry(recorded, step.id, "list")) return null;
    return { step: { ...step, foreach: [...step.foreach, 9] }, key: "foreach" };
  },
  "no list any more": (step, recorded) => {
    if (!hasEntry(recorded, step.id, "list")) return null;
    const { foreach: _, when: __, ...once } = step;
    return { step: once, key: "foreach" };
  },
  "a list where there was none": (step, recorded) => {
    if (step.foreach || step.when || step.onReject || !hasEntry(recorded, step.id, "attempt")) return null;
    return { step: { ...step, foreach: [1] }, key: "foreach" };
  },
  "a changed script of an item": (step, recorded) => {
    if (!step.foreach || step.nested || !hasEntry(recorded, `${step.id}/item-0`, "attempt")) return null;
    return { step: { ...step, run: "echo something else" }, key: "run" };
  },
  "a changed script in a nested run": (step, recorded) => {
    const [folder] = [...recorded.nested.keys()].filter((each) => each.split("/")[1] === step.id);
    const nested = folder === undefined ? null : readNested(recorded, folder, "recorded");
    const inner = step.nested?.steps.find(({ id }) => nested && hasEntry(nested, id, "attempt"));
    if (!step.nested || !inner) return null;
    const steps = change(step.nested, inner, { ...inner, run: "echo something else" });
    return { step: { ...step, nested: { ...step.nested, steps } }, key: "run", inner: inner.id };
  },
};

function hasEntry({ stretches }: Recorded, place: string, kind: Entry["kind"]): boolean {
  return stretches.some(({ entries }) =>
    (entries.get(place) ?? []).some(
      (entry) => entry.kind === kind && (entry.kind !== "attempt" || entry.record?.status !== "interrupted"),
    ),
  );
}

describe("a changed list, item or nested workflow fails, and the line that was changed is named", () => {
  for (const [name, mutate] of Object.entries(WIDE)) {
    test(name, async () => {
      let tried = 0;
      await fc.assert(
        fc.asyncProperty(wide, tape, fc.nat(), async (drawn, drawnTape, pick) => {
          const recorded = record(drawn, drawnTape);
          const possible = drawn.steps.flatMap((step) => mutate(step, recorded) ?? []);
          const mutation = possible[pick % Math.max(1, possible.length)];
          fc.pre(mutation !== undefined);
          tried += 1;
          const { step, key, inner } = mutation;
          const changed = { ...drawn, steps: change(drawn, step, step) };
          const { differences } = await replayOf(recorded, changed);
          const expected =
            inner === undefined || !step.nested
              ? { file: "changed/workflow.yaml", line: lineOf(yamlOf(changed), step.id, key) }
              : {
                  file: `changed/workflows/${fileOf(step.id)}`,
                  line: lineOf(yamlOf(step.nested), inner, key),
                };
          const what = `${JSON.stringify(differences, null, 2)}\n${yamlOf(drawn)}\nchanged:\n${yamlOf(changed)}`;
          assert.ok(
            differences.some(({ place }) => place?.file === expected.file && place.line === expected.line),
            `${JSON.stringify(expected)} is not in ${what}`,
          );
        }),
        { numRuns: 100, maxSkipsPerRun: 1000 },
      );
      assert.ok(tried >= 100, `only ${tried} were tried`);
    });
  }
});
