import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  createExclusive,
  readExclusive,
  replaceFile,
  replaceIfDifferent,
  writeFully,
} from "../../src/store/atomic-file.ts";
import { hasCode, tempDir } from "./helpers.ts";

const refuse = (code: string) => () => {
  throw Object.assign(new Error(code), { code });
};

test("a file is replaced as a whole and leaves nothing beside it", (t) => {
  const folder = tempDir(t);
  const path = join(folder, "run.json");
  for (const sync of [true, false]) {
    replaceFile(path, `{"sync":${sync}}\n`, { sync, syncFolder: sync });
    assert.equal(fs.readFileSync(path, "utf8"), `{"sync":${sync}}\n`);
  }
  assert.deepEqual(fs.readdirSync(folder), ["run.json"]);
});

test("a replacement that fails leaves the old file and nothing beside it", (t) => {
  const folder = tempDir(t);
  const path = join(folder, "taken");
  fs.mkdirSync(join(path, "full"), { recursive: true });
  assert.throws(() => replaceFile(path, "new", { sync: false }), hasCode("IO_ERROR", /EISDIR|ENOTEMPTY/));
  assert.deepEqual(fs.readdirSync(folder), ["taken"]);
  assert.throws(
    () => replaceFile(join(folder, "none", "x"), "", { sync: false }),
    hasCode("IO_ERROR", /ENOENT/),
  );
});

test("a record is written only if it is missing or different, and clears what a crash left", (t) => {
  const folder = tempDir(t);
  const path = join(folder, "attempt.json");
  fs.writeFileSync(join(folder, ".attempt.json.tmp-0a-1"), "half");
  assert.equal(replaceIfDifferent(path, "a\n", { sync: false }), true);
  const { ino } = fs.statSync(path);
  assert.equal(replaceIfDifferent(path, "a\n", { sync: false }), false);
  assert.equal(fs.statSync(path).ino, ino);
  assert.equal(replaceIfDifferent(path, "b\n", { sync: false }), true);
  assert.deepEqual(fs.readdirSync(folder), ["attempt.json"]);
});

for (const [where, link] of [
  ["with hard links", fs.linkSync],
  ["without hard links", refuse("EPERM")],
] as const) {
  test(`one of many creates a file, ${where}`, (t) => {
    const folder = tempDir(t);
    const path = join(folder, "owner-1.json");
    assert.equal(createExclusive(path, "first", { sync: true, link }), true);
    assert.equal(createExclusive(path, "second", { sync: true, link }), false);
    assert.equal(createExclusive(path, "third", { sync: true, link: fs.linkSync }), false);
    assert.equal(createExclusive(path, "fourth", { sync: true, link: refuse("ENOTSUP") }), false);
    assert.equal(readExclusive(path).toString(), "first");
    assert.deepEqual(fs.readdirSync(folder), ["owner-1.json"]);
  });
}

test("a link that succeeded although its reply was lost is a success", (t) => {
  const path = join(tempDir(t), "owner-1.json");
  const link = (from: string, to: string) => {
    fs.linkSync(from, to);
    fs.linkSync(from, to);
  };
  assert.equal(createExclusive(path, "mine", { sync: false, link }), true);
});

test("a temporary file that another process cleared away is written again", (t) => {
  const path = join(tempDir(t), "cancel-1.json");
  let calls = 0;
  const link = (from: string, to: string) => {
    calls += 1;
    if (calls === 1) fs.rmSync(from);
    fs.linkSync(from, to);
  };
  assert.equal(createExclusive(path, "mine", { sync: false, link }), true);
  assert.equal(fs.readFileSync(path, "utf8"), "mine");
});

test("an exclusive creation that fails leaves nothing", (t) => {
  const folder = tempDir(t);
  assert.throws(
    () => createExclusive(join(folder, "x"), "", { sync: false, link: refuse("EIO") }),
    hasCode("IO_ERROR", /EIO/),
  );
  assert.deepEqual(fs.readdirSync(folder), []);
});

test("short and interrupted writes go on where they stopped", () => {
  const taken: number[] = [];
  let call = 0;
  writeFully(0, Buffer.from([1, 2, 3, 4, 5]), (_fd, bytes, offset, length) => {
    call += 1;
    if (call % 2 === 1) return refuse("EINTR")();
    const count = Math.min(2, length);
    taken.push(...bytes.subarray(offset, offset + count));
    return count;
  });
  assert.deepEqual(taken, [1, 2, 3, 4, 5]);
});
