import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import type { RunEvent } from "../../src/core/event.ts";
import { readJournal } from "../../src/store/read-journal.ts";
import { created, ended, hasCode, line, started, tempDir } from "./helpers.ts";

function journal(runDir: string, bytes: string | Uint8Array): string {
  fs.writeFileSync(join(runDir, "progress.ndjson"), bytes);
  return runDir;
}

const waiting: RunEvent = { event: "run_waiting", reason: { code: "SIGNAL", message: "stopped" } };

test("lines of an engine that was succeeded are dropped", (t) => {
  const text =
    line(1, created) +
    line(2, started("a")) +
    line(3, waiting, 2) +
    line(3, ended("a"), 1) +
    line(4, started("b"), 2);
  const { lines, fenced, torn, validBytes } = readJournal(journal(tempDir(t), text));
  assert.deepEqual(
    lines.map(({ seq, epoch, event }) => `${seq} ${epoch} ${event}`),
    ["1 1 run_created", "2 1 attempt_started", "3 2 run_waiting", "4 2 attempt_started"],
  );
  assert.equal(fenced, 1);
  assert.equal(torn, null);
  assert.equal(validBytes, Buffer.byteLength(text));
});

test("so are lines that such an engine wrote after its successor had read the journal", (t) => {
  const text = line(1, created) + line(2, started("a")) + line(3, ended("a"), 1) + line(2, waiting, 2);
  const { lines, fenced, torn } = readJournal(journal(tempDir(t), text));
  assert.deepEqual(
    lines.map(({ seq, epoch }) => [seq, epoch]),
    [
      [1, 1],
      [2, 2],
    ],
  );
  assert.equal(fenced, 2);
  assert.equal(torn, null);
});

const head = line(1, created) + line(2, started("a"));
const bads: Record<string, [string | Buffer, RegExp]> = {
  "a missing newline": [line(3, ended("a")).slice(0, -1), /its end is missing/],
  "a half line": [line(3, ended("a")).slice(0, 40), /its end is missing/],
  "half a character": [Buffer.from(line(3, created)).subarray(0, 200), /its end is missing/],
  "a half line and then others": [
    `${line(3, ended("a")).slice(0, 40)}\n${line(4, started("b"))}`,
    /not JSON/,
  ],
  NULs: [Buffer.alloc(5000), /its end is missing/],
  "NULs and a newline": [Buffer.concat([Buffer.alloc(50), Buffer.from("\n")]), /not JSON/],
  "bytes that are no UTF-8": [Buffer.from([0x22, 0xe2, 0x98, 0x22, 10]), /not UTF-8/],
  "an empty line": ["\n", /empty/],
  "a missing line": [line(4, ended("a")), /sequence number is 4 where 3 is due/],
  "a line twice": [line(2, started("a")), /sequence number is 2 where 3 is due/],
  "another run's line": [line(3, ended("a"), 1, "other"), /another run/],
  "a line without its record": [line(3, { event: "attempt_ended" } as never), /needs record/],
  "no event": [line(3, {} as never), /names no event/],
  "no object": ["[1]\n", /not a JSON object/],
};
for (const [name, [tail, what]] of Object.entries(bads)) {
  test(`reading stops at ${name}`, (t) => {
    const bytes = Buffer.concat([Buffer.from(head), Buffer.from(tail)]);
    const { lines, validBytes, torn } = readJournal(journal(tempDir(t), bytes));
    assert.equal(lines.length, 2);
    assert.equal(validBytes, Buffer.byteLength(head));
    assert.ok(torn);
    assert.equal(torn.lineNumber, 3);
    assert.equal(torn.offset, validBytes);
    assert.equal(torn.offset + torn.bytes, bytes.length);
    assert.match(torn.what, what);
  });
}

test("what only a newer program can have written is refused, not cut off", (t) => {
  const newEvent = line(3, { event: "step_dreamed", step: "a" } as never);
  assert.throws(() => readJournal(journal(tempDir(t), head + newEvent)), hasCode("FORMAT_UNKNOWN"));
  const newFormat = line(1, { ...created, format: "wf.run/2" } as never);
  assert.throws(
    () => readJournal(journal(tempDir(t), newFormat)),
    (error: { code: string; hint: string }) =>
      error.code === "FORMAT_UNKNOWN" && /wf\.run\/2/.test(error.hint),
  );
});

test("a run without a journal is damaged", (t) => {
  assert.throws(() => readJournal(tempDir(t)), hasCode("RUN_DAMAGED", /does not exist/));
});

test("lines longer than what is read at once", (t) => {
  const long: RunEvent = { ...created, inputs: { text: "☃".repeat(1_000_000) } } as RunEvent;
  const text = line(1, long) + line(2, started("a"));
  const { lines, validBytes } = readJournal(journal(tempDir(t), text));
  assert.equal(lines.length, 2);
  assert.equal(validBytes, Buffer.byteLength(text));
});

test("property: cut at any byte, what is read is the whole lines before the cut", (t) => {
  const runDir = tempDir(t);
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme" }), { maxLength: 8 }), fc.nat(), (steps, at) => {
      const texts = [line(1, created), ...steps.map((step, index) => line(index + 2, started(step)))];
      const whole = Buffer.from(texts.join(""));
      const cut = whole.subarray(0, at % (whole.length + 1));
      const { lines, validBytes, torn } = readJournal(journal(runDir, cut));
      let [count, bytes] = [0, 0];
      while (count < texts.length && bytes + Buffer.byteLength(texts[count] as string) <= cut.length) {
        bytes += Buffer.byteLength(texts[count] as string);
        count += 1;
      }
      assert.equal(lines.length, count);
      assert.equal(validBytes, bytes);
      assert.equal(torn?.bytes ?? 0, cut.length - bytes);
    }),
    { numRuns: 300 },
  );
});
