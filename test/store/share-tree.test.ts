import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { shareTree, syncTree } from "../../src/store/share-tree.ts";
import { syncFileSystem } from "../../src/system/sync-file-system.ts";
import { hasCode, tempDir } from "./helpers.ts";

const refuse = (code: string) => () => {
  throw Object.assign(new Error(code), { code });
};
/** No file system of the test's choosing has reflinks for certain: a copy that counts as one. */
const clone = (from: string, to: string) => fs.copyFileSync(from, to, fs.constants.COPYFILE_EXCL);
const noClone = refuse("ENOTSUP");

function makeTree(t: TestContext): { from: string; to: string } {
  const root = tempDir(t);
  const from = join(root, "attempt-1");
  fs.mkdirSync(join(from, "outputs", "empty"), { recursive: true });
  fs.writeFileSync(join(from, "stdout.log"), "hello\n");
  fs.writeFileSync(join(from, "outputs", "tool.sh"), "#!/bin/sh\n", { mode: 0o755 });
  fs.writeFileSync(join(from, "outputs", "bytes"), Buffer.from([0, 255, 10, 13]));
  fs.symlinkSync("tool.sh", join(from, "outputs", "latest"));
  fs.symlinkSync("/nowhere/at/all", join(from, "dangling"));
  for (const name of ["stdout.log", "outputs/tool.sh", "outputs/bytes"]) {
    fs.utimesSync(join(from, name), 1_000_000, 1_000_000);
  }
  return { from, to: join(root, "shared") };
}

/** Every entry with its kind, mode, time and content. */
function listing(root: string, folder = ""): string[] {
  return fs
    .readdirSync(join(root, folder), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      const full = join(root, path);
      if (entry.isSymbolicLink()) return [`${path} -> ${fs.readlinkSync(full)}`];
      const { mode, mtimeMs } = fs.statSync(full);
      if (entry.isDirectory()) return [`${path}/ ${mode.toString(8)}`, ...listing(root, path)];
      return [`${path} ${mode.toString(8)} ${mtimeMs} ${fs.readFileSync(full).toString("base64")}`];
    });
}

const inode = (path: string) => fs.statSync(path).ino;

for (const [name, options, count] of [
  ["reflinks", { clone }, { cloned: 3, linked: 0, copied: 0 }],
  ["hard links", { clone: noClone }, { cloned: 0, linked: 3, copied: 0 }],
  ["copies", { clone: noClone, link: refuse("EXDEV") }, { cloned: 0, linked: 0, copied: 3 }],
] as const) {
  for (const sync of [true, false]) {
    test(`a tree is shared whole by ${name}, ${sync ? "with" : "without"} syncs`, (t) => {
      const { from, to } = makeTree(t);
      assert.deepEqual(shareTree(from, to, { ...options, sync }), { ...count, leftOut: [] });
      assert.deepEqual(listing(to), listing(from));
      for (const path of ["stdout.log", "outputs/tool.sh", "outputs/bytes"]) {
        assert.equal(inode(join(to, path)) === inode(join(from, path)), count.linked > 0, path);
      }
      assert.notEqual(inode(join(to, "outputs")), inode(join(from, "outputs")));
    });
  }
}

test("whatever this file system has, the tree is the same", (t) => {
  const { from, to } = makeTree(t);
  const { cloned, linked, copied } = shareTree(from, to, { sync: true });
  assert.equal(cloned + linked + copied, 3);
  assert.deepEqual(listing(to), listing(from));
});

test("a file that may still be written to is never a hard link", (t) => {
  const { from, to } = makeTree(t);
  const copied = (path: string) => path === "outputs/bytes";
  const shared = shareTree(from, to, { sync: false, clone: noClone, copied });
  assert.deepEqual(shared, { cloned: 0, linked: 2, copied: 1, leftOut: [] });
  fs.appendFileSync(join(to, "outputs/bytes"), "more");
  assert.equal(fs.readFileSync(join(from, "outputs/bytes")).length, 4);
});

test("pipes are left out and named; folders that forbid writing are filled, then forbid it", (t) => {
  const { from, to } = makeTree(t);
  execFileSync("mkfifo", [join(from, "outputs", "pipe")]);
  fs.chmodSync(join(from, "outputs"), 0o555);
  assert.deepEqual(shareTree(from, to, { sync: true, clone: noClone }).leftOut, ["outputs/pipe"]);
  assert.equal(fs.statSync(join(to, "outputs")).mode & 0o777, 0o555);
  assert.ok(fs.existsSync(join(to, "outputs", "bytes")));
  for (const root of [from, to]) fs.chmodSync(join(root, "outputs"), 0o755);
});

test("nothing that exists is touched, and what can not be shared is an error that names both", (t) => {
  const { from, to } = makeTree(t);
  fs.mkdirSync(to);
  assert.throws(() => shareTree(from, to, { sync: false }), hasCode("IO_ERROR", /attempt-1 as .*shared/));
  assert.deepEqual(fs.readdirSync(to), []);
  assert.throws(() => shareTree(join(from, "none"), `${to}-2`, { sync: false }), hasCode("IO_ERROR"));
});

test("a tree is made durable file by file where its file system can not be at once", (t) => {
  const { from } = makeTree(t);
  fs.chmodSync(join(from, "outputs"), 0o555);
  const before = listing(from);
  syncTree(from);
  assert.deepEqual(listing(from), before);
  fs.chmodSync(join(from, "outputs"), 0o755);
  assert.equal(syncFileSystem(join(from, "none")), false);
});
