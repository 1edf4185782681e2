import assert from "node:assert/strict";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { createRun, type RunBuild } from "../../src/store/create-run.ts";
import { removeLeftOvers } from "../../src/store/left-over.ts";
import { readSnapshotIfCurrent } from "../../src/store/open-run.ts";
import { newOwner } from "../../src/store/owner.ts";
import { formatRecord } from "../../src/store/record-text.ts";
import { recoverJournal } from "../../src/store/recover.ts";
import { AT, created, hasCode, makeRun, RUN, record, tempDir, VERSION } from "./helpers.ts";

const build: RunBuild = {
  definition: Buffer.from("id: nightly\n"),
  firstLines: [created],
  snapshot: (lines, bytes) => formatRecord(record(lines, bytes)),
  files: { "prompts/plan.md": Buffer.from("Plan.\n") },
  durability: "power",
  at: AT,
  version: VERSION,
};

const isRoot = process.getuid?.() === 0;

test("a new run is whole, current and claimed", (t) => {
  const runsDir = tempDir(t);
  const { runDir, claim, lines, seq, length } = createRun(runsDir, RUN, build);
  assert.deepEqual((fs.readdirSync(runDir, { recursive: true }) as string[]).sort(), [
    "control",
    "lock",
    "lock/owner-1.json",
    "progress.ndjson",
    "prompts",
    "prompts/plan.md",
    "run.json",
    "steps",
    "workflow.yaml",
  ]);
  assert.deepEqual(fs.readdirSync(runsDir), [RUN]);
  assert.deepEqual([claim.epoch, claim.isLost(), seq, lines.length], [1, false, 1, 1]);
  assert.equal(recoverJournal(runDir, build).length, length);
  assert.equal(readSnapshotIfCurrent(runDir)?.runId, RUN);
});

test("a run never replaces what has its name", (t) => {
  const obstacles: Record<string, (path: string) => void> = {
    "a run": (path) => void createRun(join(path, ".."), RUN, build),
    "an empty folder": (path) => fs.mkdirSync(path),
    "a file": (path) => fs.writeFileSync(path, "mine"),
    "a dangling link": (path) => fs.symlinkSync("nowhere", path),
  };
  for (const [what, put] of Object.entries(obstacles)) {
    const runsDir = tempDir(t);
    put(join(runsDir, RUN));
    const { ino } = fs.lstatSync(join(runsDir, RUN));
    assert.throws(() => createRun(runsDir, RUN, build), hasCode("RUN_EXISTS"), what);
    assert.equal(fs.lstatSync(join(runsDir, RUN)).ino, ino, what);
    assert.deepEqual(fs.readdirSync(runsDir), [RUN], what);
  }
});

test("two that create one run at once: the name decides", (t) => {
  const runsDir = tempDir(t);
  const late: RunBuild = {
    ...build,
    snapshot: (lines, bytes) => {
      makeRun(runsDir);
      return formatRecord(record(lines, bytes));
    },
  };
  // The other is done with the folder both build in, and has the name, before this one begins to build.
  assert.throws(() => createRun(runsDir, RUN, late), hasCode("RUN_EXISTS"));
  assert.deepEqual(fs.readdirSync(runsDir), [RUN]);
});

test("a run that takes the name after the look for it is not replaced either", (t) => {
  const runsDir = tempDir(t);
  makeRun(runsDir);
  t.mock.method(fs, "lstatSync", () => undefined);
  syncBuiltinESMExports();
  try {
    assert.throws(() => createRun(runsDir, RUN, build), hasCode("RUN_EXISTS"));
  } finally {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  }
  assert.deepEqual(fs.readdirSync(runsDir), [RUN]);
});

test("whatever call fails, there is no run or a whole one", (t) => {
  const names = ["mkdirSync", "openSync", "writeSync", "fdatasyncSync", "fsyncSync", "renameSync"] as const;
  const real = Object.fromEntries(names.map((name) => [name, fs[name]])) as Record<
    string,
    (...args: unknown[]) => unknown
  >;
  let left = 0;
  for (const name of names) {
    t.mock.method(fs, name, (...args: unknown[]) => {
      left -= 1;
      if (left === 0) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
      return real[name]?.(...args);
    });
  }
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  const runsDir = tempDir(t);
  let whole = 0;
  for (let at = 1; ; at += 1) {
    left = at;
    let failed = false;
    try {
      createRun(runsDir, `run-${at}`, build);
    } catch (error) {
      assert.ok(hasCode("IO_ERROR", /ENOSPC/)(error));
      failed = true;
    }
    left = 0;
    const made = fs.readdirSync(runsDir);
    assert.deepEqual(
      made.filter((name) => name.startsWith(".")),
      [],
    );
    if (made.includes(`run-${at}`)) {
      assert.equal(recoverJournal(join(runsDir, `run-${at}`), build).seq, 1);
      whole += 1;
    }
    if (!failed) break;
    assert.ok(at < 100);
  }
  // The two calls that make the name durable, and the one that nothing disturbed.
  assert.equal(whole, 3);
});

test("if anything fails nothing is left", (t) => {
  const runsDir = tempDir(t);
  const files = { "prompts/a": Buffer.from(""), "prompts/a/b": Buffer.from("") };
  assert.throws(() => createRun(runsDir, RUN, { ...build, files }), hasCode("IO_ERROR"));
  assert.deepEqual(fs.readdirSync(runsDir), []);
});

test("the default runs folder is kept out of git, a chosen one is not", (t) => {
  const root = tempDir(t);
  makeRun(join(root, ".wf", "runs"));
  makeRun(join(root, "fixtures", "runs"));
  assert.equal(fs.readFileSync(join(root, ".wf", "runs", ".gitignore"), "utf8"), "*\n");
  assert.equal(fs.existsSync(join(root, "fixtures", "runs", ".gitignore")), false);
});

test("a runs folder that can not be made or written to", (t) => {
  const root = tempDir(t);
  fs.writeFileSync(join(root, "file"), "");
  assert.throws(() => makeRun(join(root, "file")), hasCode("IO_ERROR", /not a folder \(ENOTDIR\)/));
  assert.throws(() => makeRun(join(root, "file", "runs")), hasCode("IO_ERROR", /not a folder \(ENOTDIR\)/));
  if (isRoot) return;
  fs.mkdirSync(join(root, "closed"), { mode: 0o500 });
  assert.throws(() => makeRun(join(root, "closed")), hasCode("IO_ERROR", /permission denied \(EACCES\)/));
});

test("what makers that died left behind is cleared away, and nothing else", (t) => {
  const runsDir = tempDir(t);
  const put = (name: string, owner?: object) => {
    fs.mkdirSync(join(runsDir, name, "lock"), { recursive: true });
    if (owner) fs.writeFileSync(join(runsDir, name, "lock", "owner-1.json"), JSON.stringify(owner));
  };
  const own = newOwner(1, VERSION);
  put(".creating-dead-1-1", { ...own, startTime: "1" });
  put(".creating-alive-1-1", own);
  put(".creating-elsewhere-1-1", { ...own, bootId: "another", host: "build-7" });
  put(".creating-unknown-1-1");
  makeRun(runsDir);
  assert.deepEqual(removeLeftOvers(runsDir), [{ name: ".creating-dead-1-1", problem: null }]);
  assert.deepEqual(fs.readdirSync(runsDir).sort(), [
    ".creating-alive-1-1",
    ".creating-elsewhere-1-1",
    ".creating-unknown-1-1",
    RUN,
  ]);
  assert.deepEqual(removeLeftOvers(join(runsDir, "missing")), []);
});
