import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Journal } from "../../src/store/journal.ts";
import { readRun, readSnapshotIfCurrent } from "../../src/store/open-run.ts";
import { readJournal } from "../../src/store/read-journal.ts";
import { formatRecord } from "../../src/store/record-text.ts";
import { writeSnapshot } from "../../src/store/snapshot.ts";
import { AT, ended, hasCode, line, makeRun, RUN, record, started, tempDir } from "./helpers.ts";

test("a run is read while its engine writes: half a line at the end is none yet", (t) => {
  const { runDir } = makeRun(tempDir(t));
  const path = join(runDir, "progress.ndjson");
  fs.appendFileSync(path, line(2, started("fetch")) + line(3, ended("fetch")).slice(0, 30));
  const before = fs.readFileSync(path);
  const run = readRun(runDir);
  assert.equal(run.kind, "current");
  assert.equal(run.lines.length, 2);
  assert.equal(run.snapshot?.volatile.seq, 1);
  assert.equal(Buffer.from(run.definition).toString(), "id: nightly\n");
  assert.deepEqual(fs.readFileSync(path), before);
});

test("who drives it, and whether they live", (t) => {
  const { runDir, claim } = makeRun(tempDir(t));
  const liveness = () => {
    const run = readRun(runDir);
    return run.kind === "current" && run.liveness;
  };
  assert.deepEqual(liveness(), { driver: claim.owner, alive: "alive", since: claim.owner.since });
  const path = join(runDir, "lock", "owner-1.json");
  fs.writeFileSync(path, JSON.stringify({ ...claim.owner, startTime: "1" }));
  assert.equal((liveness() as { alive: string }).alive, "dead");
  fs.writeFileSync(path, JSON.stringify({ ...claim.owner, pidNamespace: "pid:[1]" }));
  assert.equal((liveness() as { alive: string }).alive, "unknown");
  claim.release();
  assert.deepEqual(liveness(), { driver: null });
});

test("the snapshot alone answers when it holds all of the journal", (t) => {
  const { runDir, seq, length } = makeRun(tempDir(t));
  assert.equal(readSnapshotIfCurrent(runDir)?.runId, RUN);
  const journal = Journal.open(runDir, { seq, epoch: 1, run: RUN, length, durability: "process" });
  journal.append(started("fetch"), AT);
  journal.commit();
  assert.equal(readSnapshotIfCurrent(runDir), null);
  writeSnapshot(runDir, formatRecord(record(readJournal(runDir).lines, journal.length)), { sync: false });
  assert.equal(readSnapshotIfCurrent(runDir)?.volatile.seq, 2);
});

test("a run.json that is missing costs nothing but time", (t) => {
  const { runDir } = makeRun(tempDir(t));
  fs.rmSync(join(runDir, "run.json"));
  const run = readRun(runDir);
  assert.equal(run.kind === "current" && run.lines.length, 1);
});

test("folders of a run that git drops when empty may be missing", (t) => {
  const { runDir } = makeRun(tempDir(t));
  for (const name of ["lock", "control", "steps"]) fs.rmSync(join(runDir, name), { recursive: true });
  const run = readRun(runDir);
  assert.deepEqual(run.kind === "current" && run.liveness, { driver: null });
});

test("what is no run", (t) => {
  const folder = tempDir(t);
  assert.throws(() => readRun(folder), hasCode("RUN_NOT_FOUND", /is not a run/));
  assert.throws(() => readRun(join(folder, "none")), hasCode("RUN_NOT_FOUND", /there is no run/));
  fs.writeFileSync(join(folder, "file"), "");
  assert.throws(() => readRun(join(folder, "file")), hasCode("RUN_NOT_FOUND"));
});
