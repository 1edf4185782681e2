import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { JournalLine } from "../../src/core/event.ts";
import { loadWorkflow } from "../../src/language/load.ts";
import { ordered, orderOf, scanNeeds } from "../../src/review/canon-order.ts";

const line = (event: object) => ({ seq: 1, at: "", epoch: 1, run: "r", ...event }) as unknown as JournalLine;
const started = (step: string) => line({ event: "attempt_started", step, attempt: 1, cause: "first" });
const ended = (step: string) =>
  line({ event: "attempt_ended", record: { step, attempt: 1, status: "succeeded" } });
const named = ({ event, ...rest }: JournalLine) =>
  `${event} ${(rest as { step?: string; record?: { step: string } }).step ?? (rest as { record?: { step: string } }).record?.step ?? ""}`.trim();

/** A graph whose steps stand in the file in any order. */
const graph = fc.integer({ min: 1, max: 9 }).chain((size) =>
  fc.record({
    needs: fc.tuple(...Array.from({ length: size }, (_, index) => fc.subarray([...Array(index).keys()]))),
    place: fc.shuffledSubarray([...Array(size).keys()], { minLength: size }),
    races: fc.tuple(fc.infiniteStream(fc.nat()), fc.infiniteStream(fc.nat())),
  }),
);

test("however steps that run at the same time come and go, the order is one, and no step comes before what it needs", () => {
  fc.assert(
    fc.property(graph, ({ needs, place, races }) => {
      const steps = place.map((node) => ({
        id: `s${node}`,
        needs: (needs[node] ?? []).map((need) => place.indexOf(need)),
      }));
      const order = orderOf("graph", steps);
      const [a, b] = races.map((race) => ordered(journalOf(steps, race), order).map(named));
      assert.deepEqual(a, b);
      for (const { id, needs: indexes } of steps) {
        for (const need of indexes) {
          const before = a?.indexOf(`attempt_ended ${steps[need]?.id}`) ?? -1;
          assert.ok(before >= 0 && before < (a?.indexOf(`attempt_started ${id}`) ?? -1));
        }
      }
    }),
  );
});

/** A journal of an engine that starts and ends what it can in an order that `race` draws. */
function journalOf(steps: readonly { id: string; needs: readonly number[] }[], race: Stream): JournalLine[] {
  const lines = [line({ event: "run_created" }), line({ event: "engine_started" })];
  const done = new Set<number>();
  const running = new Set<number>();
  while (done.size < steps.length) {
    const due = steps.flatMap(({ needs }, index) =>
      !done.has(index) && !running.has(index) && needs.every((need) => done.has(need)) ? [index] : [],
    );
    const choices = [
      ...due.map((index) => ({ index, start: true })),
      ...[...running].map((index) => ({ index, start: false })),
    ];
    const { index, start } = choices[(race.next().value as number) % choices.length] as {
      index: number;
      start: boolean;
    };
    const id = steps[index]?.id ?? "";
    lines.push(start ? started(id) : ended(id));
    if (start) running.add(index);
    else if (running.delete(index)) done.add(index);
  }
  return [...lines, line({ event: "run_ended" })];
}

type Stream = Iterator<number>;

test("what concerns the whole run stays where it is, and a decision comes right before the end of its gate", () => {
  const order = orderOf("graph", [
    { id: "a", needs: [] },
    { id: "gate", needs: [] },
  ]);
  const lines = [
    line({ event: "run_created" }),
    line({ event: "engine_started" }),
    started("gate"),
    started("a"),
    line({ event: "run_waiting" }),
    line({ event: "engine_started" }),
    line({ event: "request_refused", file: "control/strange" }),
    line({ event: "request_taken", file: "control/decide-gate-1-2.json" }),
    line({ event: "decision", step: "gate" }),
    ended("gate"),
    ended("a"),
    line({ event: "run_ended" }),
  ];
  assert.deepEqual(ordered(lines, order).map(named), [
    "run_created",
    "engine_started",
    "attempt_started a",
    "attempt_started gate",
    "run_waiting",
    "engine_started",
    "attempt_ended a",
    "request_taken",
    "decision gate",
    "attempt_ended gate",
    "request_refused",
    "run_ended",
  ]);
});

test("a sequence has an order already", () => {
  const lines = [started("b"), ended("b"), started("a"), ended("a")];
  assert.deepEqual(ordered(lines, { shape: "sequence", rank: new Map() }), lines);
});

const ofItem = (step: string, item: number, event: string, attempt = 1) =>
  event === "attempt_ended"
    ? line({ event, record: { step, item, attempt, status: "succeeded" } })
    : line({ event, step, item, attempt });
const whole = ({ event, ...rest }: JournalLine) => {
  const { step, item, file } = { ...rest, ...("record" in rest ? rest.record : {}) } as Record<
    string,
    unknown
  >;
  return [event, step ?? file, item].filter((part) => part !== undefined).join(" ");
};

/** For each item of a step, some events. */
const fans = fc.record({
  lengths: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 5 }),
  races: fc.tuple(fc.infiniteStream(fc.nat()), fc.infiniteStream(fc.nat())),
});
const EVENTS = ["attempt_started", "attempt_ended", "retry_scheduled"];

for (const shape of ["sequence", "graph"] as const) {
  test(`however the items of a foreach in a ${shape} come and go, the order is one: item after item, each as it came`, () => {
    fc.assert(
      fc.property(fans, ({ lengths, races }) => {
        const order = orderOf(shape, [
          { id: "fan", needs: [] },
          { id: "next", needs: [0] },
        ]);
        const [a, b] = races.map((race) => ordered(fanOf(lengths, race), order).map(whole));
        assert.deepEqual(a, b);
        const items = lengths.flatMap((length, item) =>
          EVENTS.slice(0, length).map((event) => `${event} fan ${item}`),
        );
        assert.deepEqual(
          a?.filter((each) => !each.startsWith("request")),
          ["engine_started", "foreach_started fan", ...items, "attempt_started next", "run_ended"],
        );
      }),
    );
  });
}

/** A journal in which the items' events, and a request, come in an order that `race` draws. */
function fanOf(lengths: readonly number[], race: Stream): JournalLine[] {
  const lines = [
    line({ event: "engine_started" }),
    line({ event: "foreach_started", step: "fan", items: [] }),
  ];
  const left = lengths.map((length, item) =>
    EVENTS.slice(0, length).map((event) => ofItem("fan", item, event)),
  );
  left.push([line({ event: "request_refused", file: "control/strange" })]);
  // It is never the first: what is due when the list is frozen starts in the same turn.
  lines.push(left[0]?.shift() as JournalLine);
  for (let open = left.filter((queue) => queue.length > 0); open.length > 0; ) {
    lines.push(open[(race.next().value as number) % open.length]?.shift() as JournalLine);
    open = left.filter((queue) => queue.length > 0);
  }
  return [...lines, started("next"), line({ event: "run_ended" })];
}

test("what fails the step as a whole comes before its items, and an engine stands between what two engines did", () => {
  const order = orderOf("graph", [{ id: "fan", needs: [] }]);
  const lines = [
    ofItem("fan", 1, "attempt_started"),
    ofItem("fan", 0, "attempt_started"),
    started("fan"),
    line({ event: "engine_started" }),
    ofItem("fan", 1, "attempt_ended"),
    ofItem("fan", 0, "attempt_ended"),
  ];
  assert.deepEqual(ordered(lines, order).map(whole), [
    "attempt_started fan",
    "attempt_started fan 0",
    "attempt_started fan 1",
    "engine_started",
    "attempt_ended fan 0",
    "attempt_ended fan 1",
  ]);
});

const PLAIN = `id: plain
steps:
  - id: b
    needs: [a]
    run: |
      cat <<'E'
          needs: [c]
      E
  - id: a
    needs: []
    run: "true"
  - id: c
    needs: [a, b]
    run: "true"
`;

const BRACES = `id: braces
steps:
  - { id: b, needs: [a], run: 'echo "needs: [c]"' }
  - {id: a, needs: []}
  - id: d
    needs: b
    run: "true"
  - { id: c, needs: a, env: { X: "{ id: c, needs: [b] }" },
      run: "true" }
`;

test("needs that can be seen at a glance are those of a full reading; where in doubt there are none", () => {
  for (const [text, ids] of [
    [PLAIN, ["b", "a", "c"]],
    [BRACES.replace("needs: []}", "needs: [], run: 'true'}"), ["b", "a", "d", "c"]],
  ] as const) {
    const loaded = loadWorkflow({ path: "plain.yaml", bytes: Buffer.from(text) });
    assert.ok(loaded.ok);
    const full = loaded.workflow.steps.map(({ id, needs }) => ({ id, needs }));
    assert.deepEqual(scanNeeds(text, ids), full);
    assert.equal(scanNeeds(text, [...ids].sort()), null);
  }
  const doubtful = [
    PLAIN.replace("          needs: [c]", "        - id: a"),
    PLAIN.replace("needs: [a]", "needs:\n      - a"),
    PLAIN.replace("needs: [a]", "needs: [ a, # first\n      ]"),
    PLAIN.replace("  - id: b\n", "  - { id: b }\n"),
    PLAIN.replace("- id: b", "- id: 'b'"),
    PLAIN.replace("    needs: []\n", "    needs: []\n    needs: []\n"),
    PLAIN.replace("needs: []", "needs: [d]"),
  ];
  for (const text of doubtful) assert.equal(scanNeeds(text, ["b", "a", "c"]), null, text);
  const odd = [
    BRACES.replace("{ id: b, needs: [a],", "{ needs: [a], id: b,"),
    BRACES.replace("needs: [a],", "needs: [a, 'd'],"),
    BRACES.replace("needs: [a],", 'needs: "a",'),
    BRACES.replace("{id: a, needs: []}", "{id: a}"),
    BRACES.replace("needs: b\n", "needs: b # d\n"),
    BRACES.replace("needs: a,", "needs: a\n     ,"),
  ];
  for (const text of odd) assert.equal(scanNeeds(text, ["b", "a", "d", "c"]), null, text);
});
