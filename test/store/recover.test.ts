import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { WfError } from "../../src/core/problem.ts";
import { Journal } from "../../src/store/journal.ts";
import { readJournal } from "../../src/store/read-journal.ts";
import { formatRecord } from "../../src/store/record-text.ts";
import { readTrusted, recoverJournal } from "../../src/store/recover.ts";
import { readSnapshot, writeSnapshot } from "../../src/store/snapshot.ts";
import { AT, created, ended, hasCode, line, makeRun, RUN, record, started, tempDir } from "./helpers.ts";

const POWER = { durability: "power" } as const;

/** A run whose first `durable` lines are in the snapshot, and more lines that are not. */
function runWith(runsDir: string, durable: number, more: number) {
  const events = [created, ...Array.from({ length: durable - 1 }, (_, n) => started("fetch", n + 1))];
  const { runDir, length } = makeRun(runsDir, { events });
  const path = join(runDir, "progress.ndjson");
  for (let n = 1; n <= more; n += 1) fs.appendFileSync(path, line(durable + n, ended("fetch", n)));
  return { runDir, path, durableBytes: length };
}

test("a whole journal is left as it is", (t) => {
  const { runDir, path } = runWith(tempDir(t), 2, 3);
  const before = fs.readFileSync(path);
  const { seq, length, cut, snapshot } = recoverJournal(runDir, POWER);
  assert.deepEqual([seq, length, cut, snapshot?.volatile.seq], [5, before.length, null, 2]);
  assert.deepEqual(fs.readFileSync(path), before);
});

test("a torn end is cut off and kept, and the journal goes on from there", (t) => {
  const { runDir, path } = runWith(tempDir(t), 2, 1);
  const whole = fs.readFileSync(path);
  fs.appendFileSync(path, '{"seq":4,"at":');
  const { seq, length, cut } = recoverJournal(runDir, POWER);
  assert.deepEqual(cut, { file: "progress.ndjson.torn-1", bytes: 14, what: "its end is missing" });
  assert.equal(fs.readFileSync(join(runDir, "progress.ndjson.torn-1"), "utf8"), '{"seq":4,"at":');
  assert.deepEqual(fs.readFileSync(path), whole);

  const journal = Journal.open(runDir, { seq, epoch: 1, run: RUN, length, durability: "process" });
  journal.append(started("build"), AT);
  journal.commit();
  assert.equal(recoverJournal(runDir, POWER).seq, 4);

  fs.appendFileSync(path, "another");
  assert.equal(recoverJournal(runDir, POWER).cut?.file, "progress.ndjson.torn-2");
});

test("a recovery that was cut off after it kept the torn end keeps it once", (t) => {
  const { runDir, path } = runWith(tempDir(t), 2, 0);
  fs.appendFileSync(path, "torn");
  fs.writeFileSync(join(runDir, "progress.ndjson.torn-1"), "torn");
  assert.equal(recoverJournal(runDir, POWER).cut?.file, "progress.ndjson.torn-1");
  assert.equal(fs.existsSync(join(runDir, "progress.ndjson.torn-2")), false);
});

test("what a crash left between a write and its rename is cleared away", (t) => {
  const { runDir } = runWith(tempDir(t), 2, 0);
  const left = [".run.json.tmp-0a-1", "lock/.owner-2.json.tmp-0a-1", "control/.cancel-1.json.tmp-0a-1"];
  for (const name of left) fs.writeFileSync(join(runDir, name), "");
  recoverJournal(runDir, POWER);
  for (const name of left) assert.equal(fs.existsSync(join(runDir, name)), false, name);
});

test("a missing or unreadable run.json alone is no damage", (t) => {
  for (const text of ["", "{", '{"format":"wf.run/1"}', undefined]) {
    const { runDir } = runWith(tempDir(t), 2, 1);
    const path = join(runDir, "run.json");
    if (text === undefined) fs.rmSync(path);
    else fs.writeFileSync(path, text);
    const { seq, snapshot } = recoverJournal(runDir, POWER);
    assert.deepEqual([seq, snapshot], [3, null]);
  }
});

test("a run.json ahead of the journal, of another run, or a journal without a first line is damage", (t) => {
  const cases: [change: (runDir: string, path: string) => void, pattern: RegExp][] = [
    [(_, path) => fs.truncateSync(path, Buffer.byteLength(line(1, created))), /run\.json is ahead/],
    [(_, path) => fs.truncateSync(path, 0), /it is empty/],
    [(_, path) => fs.writeFileSync(path, `${line(1, created, 1, "other")}`), /is of run other/],
    [
      (_, path) => fs.writeFileSync(path, line(1, created) + line(2, started("fetch"), 9)),
      /nobody ever claimed/,
    ],
    [(_, path) => fs.rmSync(path), /does not exist/],
    [
      (runDir) => {
        const { lines, validBytes } = readJournal(runDir);
        const ahead = record(lines, validBytes);
        writeSnapshot(runDir, formatRecord({ ...ahead, volatile: { ...ahead.volatile, seq: 7 } }), {
          sync: false,
        });
      },
      /knows 7 lines/,
    ],
  ];
  for (const [change, pattern] of cases) {
    const { runDir, path } = runWith(tempDir(t), 2, 0);
    change(runDir, path);
    assert.throws(() => recoverJournal(runDir, POWER), hasCode("RUN_DAMAGED", pattern));
  }
});

test("damage names the line, the byte, what is wrong and what to do, and changes nothing", (t) => {
  const { runDir, path } = runWith(tempDir(t), 3, 1);
  const bytes = fs.readFileSync(path);
  const second = bytes.indexOf(10) + 1;
  bytes[second] = 0;
  fs.writeFileSync(path, bytes);
  assert.throws(
    () => recoverJournal(runDir, POWER),
    (error: WfError) => {
      assert.equal(error.exitCode, 5);
      assert.ok(error.message.startsWith(`${path}: line 2, at byte ${second}, is bad: it is not JSON`));
      assert.match(error.hint ?? "", /restore the run from a copy, or start a new run/);
      return true;
    },
  );
  assert.deepEqual(fs.readFileSync(path), bytes);
});

test("property: whatever happens after the durable length, recovery keeps a prefix that holds all before it", (t) => {
  const { runDir, path, durableBytes } = runWith(tempDir(t), 4, 6);
  const whole = fs.readFileSync(path);
  const span = whole.length - durableBytes;
  const corruption = fc.record({
    at: fc.nat(span),
    bytes: fc.uint8Array({ maxLength: 600 }),
    cut: fc.boolean(),
  });
  fc.assert(
    fc.property(corruption, ({ at, bytes, cut }) => {
      const from = durableBytes + at;
      const tail = cut ? Buffer.alloc(0) : whole.subarray(Math.min(whole.length, from + bytes.length));
      const spoiled = Buffer.concat([whole.subarray(0, from), bytes, tail]);
      fs.writeFileSync(path, spoiled);
      const recovery = recoverOrRefuse(runDir);
      if (recovery === null) return assert.deepEqual(fs.readFileSync(path), spoiled);
      const { seq, length, cut: kept } = recovery;
      assert.ok(seq >= 4);
      assert.ok(length >= durableBytes);
      assert.deepEqual(fs.readFileSync(path), spoiled.subarray(0, length));
      let same = 0;
      while (same < whole.length && whole[same] === spoiled[same]) same += 1;
      const untouchedLines = whole.subarray(0, same).filter((byte) => byte === 10).length;
      assert.ok(seq >= untouchedLines, `${seq} lines are left of ${untouchedLines} that are whole`);
      if (kept) {
        const end = fs.readFileSync(join(runDir, kept.file));
        assert.deepEqual(Buffer.concat([fs.readFileSync(path), end]), spoiled);
      }
      for (const name of fs.readdirSync(runDir)) if (name.includes(".torn-")) fs.rmSync(join(runDir, name));
    }),
    { numRuns: 500 },
  );
});

/** Null for a line that is whole, and that no torn write can have left: of an unknown event or epoch. */
function recoverOrRefuse(runDir: string) {
  try {
    return recoverJournal(runDir, { durability: "process" });
  } catch (error) {
    if (hasCode("FORMAT_UNKNOWN")(error) || hasCode("RUN_DAMAGED", /nobody ever claimed/)(error)) return null;
    throw error;
  }
}

test("property: no change of a byte before the durable length makes a line vanish silently", (t) => {
  const { runDir, path, durableBytes } = runWith(tempDir(t), 6, 0);
  const whole = fs.readFileSync(path);
  let [refused, edited] = [0, 0];
  fc.assert(
    fc.property(fc.nat(durableBytes - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const spoiled = Buffer.from(whole);
      spoiled[at] = (spoiled[at] as number) ^ mask;
      fs.writeFileSync(path, spoiled);
      try {
        const { lines, validBytes } = readTrusted(runDir, snapshotOf(runDir));
        assert.deepEqual(
          lines.map(({ seq }) => seq),
          [1, 2, 3, 4, 5, 6],
        );
        assert.equal(validBytes, whole.length);
        edited += 1;
      } catch (error) {
        if (!(error instanceof WfError)) throw error;
        assert.equal(error.exitCode, 5);
        refused += 1;
      }
    }),
    { numRuns: 1000 },
  );
  assert.ok(refused > 0 && edited > 0);
});

function snapshotOf(runDir: string) {
  const snapshot = readSnapshot(runDir);
  assert.equal(snapshot.kind, "current");
  return snapshot.record;
}
