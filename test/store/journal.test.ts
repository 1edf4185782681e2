import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Journal, type JournalCalls } from "../../src/store/journal.ts";
import { readJournal } from "../../src/store/read-journal.ts";
import { AT, ended, hasCode, makeRun, RUN, started, tempDir } from "./helpers.ts";

function openNew(
  runsDir: string,
  calls: Partial<JournalCalls> = {},
  durability: "power" | "process" = "power",
) {
  const { runDir, seq, length } = makeRun(runsDir);
  const journal = Journal.open(runDir, { seq, epoch: 1, run: RUN, length, durability }, calls);
  const path = join(runDir, "progress.ndjson");
  return { runDir, journal, path, length };
}

test("lines are on disk after commit and not before, head first and volatile last", (t) => {
  const { runDir, journal, path, length } = openNew(tempDir(t));
  journal.append(started("fetch"), AT);
  const line = journal.append(ended("fetch"), AT);
  assert.equal(journal.seq, 3);
  assert.equal(fs.statSync(path).size, length);
  journal.commit();
  assert.equal(fs.statSync(path).size, journal.length);
  assert.deepEqual(Object.keys(line), ["seq", "at", "epoch", "run", "event", "record", "volatile"]);
  assert.deepEqual(
    readJournal(runDir).lines.map(({ seq, event }) => [seq, event]),
    [
      [1, "run_created"],
      [2, "attempt_started"],
      [3, "attempt_ended"],
    ],
  );
});

test("a commit is one write and one sync whatever the number of lines, and no sync without power durability", (t) => {
  for (const [durability, syncs] of [
    ["power", 1],
    ["process", 0],
  ] as const) {
    const calls: string[] = [];
    const { journal } = openNew(
      tempDir(t),
      {
        write: (fd, bytes, offset, length) => {
          calls.push("write");
          return fs.writeSync(fd, bytes, offset, length);
        },
        sync: () => calls.push("sync"),
      },
      durability,
    );
    for (let n = 1; n <= 100; n += 1) journal.append(started("fetch", n), AT);
    journal.commit();
    journal.commit();
    assert.deepEqual(calls, ["write", ...(syncs ? ["sync"] : [])]);
  }
});

test("short writes are continued and interrupted ones repeated", (t) => {
  let call = 0;
  const { runDir, journal } = openNew(tempDir(t), {
    write: (fd, bytes, offset, length) => {
      call += 1;
      if (call % 2 === 0) throw Object.assign(new Error("interrupted"), { code: "EINTR" });
      return fs.writeSync(fd, bytes, offset, Math.min(7, length));
    },
  });
  journal.append(ended("fetch"), AT);
  journal.commit();
  assert.equal(readJournal(runDir).torn, null);
  assert.equal(readJournal(runDir).validBytes, journal.length);
});

for (const broken of ["write", "sync"] as const) {
  test(`after a failed ${broken} nothing is written any more`, (t) => {
    let failing = true;
    let writes = 0;
    const fail = () => {
      throw Object.assign(new Error("no space"), { code: "ENOSPC" });
    };
    const { journal, length } = openNew(tempDir(t), {
      write: (fd, bytes, offset, n) => {
        writes += 1;
        return broken === "write" && failing ? fail() : fs.writeSync(fd, bytes, offset, n);
      },
      sync: () => broken === "sync" && failing && fail(),
    });
    journal.append(started("fetch"), AT);
    assert.throws(() => journal.commit(), hasCode("IO_ERROR", /ENOSPC/));
    failing = false;
    assert.throws(() => journal.commit(), hasCode("IO_ERROR", /ENOSPC/));
    assert.throws(() => journal.append(ended("fetch"), AT), hasCode("IO_ERROR", /ENOSPC/));
    assert.equal(writes, 1);
    assert.equal(journal.length, length);
  });
}

test("an engine that was succeeded writes nothing", (t) => {
  const { runDir, journal, path, length } = openNew(tempDir(t));
  journal.append(started("fetch"), AT);
  fs.writeFileSync(join(runDir, "lock", "owner-2.json"), "{}");
  assert.throws(() => journal.commit(), hasCode("LOCK_LOST", /owner-2\.json/));
  assert.equal(fs.statSync(path).size, length);
});

test("a successor that claims during the write makes the commit fail, so that nobody acts on its lines", (t) => {
  const { runDir, journal } = openNew(tempDir(t), {
    sync: () => fs.writeFileSync(join(runDir, "lock", "owner-2.json"), "{}"),
  });
  journal.append(started("fetch"), AT);
  assert.throws(() => journal.commit(), hasCode("LOCK_LOST"));
});

test("a journal that another writer appended to, replaced or removed is not written to", (t) => {
  const meddle: Record<string, (path: string) => void> = {
    appended: (path) => fs.appendFileSync(path, "x"),
    replaced: (path) => {
      fs.copyFileSync(path, `${path}.copy`);
      fs.renameSync(`${path}.copy`, path);
    },
    removed: (path) => fs.rmSync(path),
  };
  for (const [what, change] of Object.entries(meddle)) {
    const { journal, path } = openNew(tempDir(t));
    journal.append(started("fetch"), AT);
    change(path);
    assert.throws(() => journal.commit(), hasCode(what === "removed" ? "IO_ERROR" : "LOCK_LOST"), what);
  }
});

test("a closed journal takes nothing", (t) => {
  const { journal } = openNew(tempDir(t));
  journal.close();
  assert.throws(() => journal.append(started("fetch"), AT), hasCode("INTERNAL"));
});
