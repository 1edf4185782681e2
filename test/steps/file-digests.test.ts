import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import defaultFs, * as fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { HASHED_IN_TURN_BYTES } from "../../src/core/limits.ts";
import { FileDigests } from "../../src/steps/file-digests.ts";

function folder(t: TestContext, files: Readonly<Record<string, string>>): string {
  const dir = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "wf-digests-")));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    fs.writeFileSync(join(dir, name), text);
    // Long ago, so that a further write shows.
    fs.utimesSync(join(dir, name), 1_000_000.5, 1_000_000.5);
  }
  return dir;
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** Which files are opened meanwhile. */
async function opened(t: TestContext, action: () => unknown): Promise<string[]> {
  const names: string[] = [];
  const real = fs.openSync;
  const mock = t.mock.method(defaultFs, "openSync", (...args: Parameters<typeof real>) => {
    names.push(String(args[0]).split("/").pop() as string);
    return real(...args);
  });
  syncBuiltinESMExports();
  try {
    await action();
  } finally {
    mock.mock.restore();
    syncBuiltinESMExports();
  }
  return names;
}

test("content, size and whether it is executable; null where there is no plain file", async (t) => {
  const dir = folder(t, { a: "one", b: "" });
  fs.chmodSync(join(dir, "b"), 0o755);
  fs.mkdirSync(join(dir, "d"));
  fs.symlinkSync("a", join(dir, "link"));
  const found = await new FileDigests().of(dir, ["a", "b", "d", "none", "a/b", "link"]);
  const a = { bytes: 3, sha256: sha256("one"), executable: false };
  assert.deepEqual(
    found.map((each) => each && { bytes: each.bytes, sha256: each.sha256, executable: each.executable }),
    [a, { bytes: 0, sha256: sha256(""), executable: true }, null, null, null, a],
  );
});

test("a file is read once, and again when it has changed in any way", async (t) => {
  const dir = folder(t, { a: "one", b: "two" });
  const digests = new FileDigests();
  const look = async () => (await digests.of(dir, ["a", "b"])).map((each) => each?.sha256);
  assert.deepEqual(await opened(t, look), ["a", "b"]);
  assert.deepEqual(await opened(t, look), []);
  fs.writeFileSync(join(dir, "a"), "eno");
  fs.utimesSync(join(dir, "a"), 1_000_000.5, 1_000_000.5);
  assert.deepEqual(await opened(t, look), ["a"]);
  assert.deepEqual(await look(), [sha256("eno"), sha256("two")]);
  // Another file of the same size and time in its place.
  fs.writeFileSync(join(dir, "new"), "owt");
  fs.utimesSync(join(dir, "new"), 1_000_000.5, 1_000_000.5);
  fs.renameSync(join(dir, "new"), join(dir, "b"));
  assert.deepEqual(await look(), [sha256("eno"), sha256("owt")]);
});

test("a file that was written a moment ago is read again: its time may not show the next write", async (t) => {
  const dir = folder(t, { a: "one" });
  const digests = new FileDigests();
  const soon = Date.now() / 1000 + 3600;
  fs.utimesSync(join(dir, "a"), soon, soon);
  await digests.of(dir, ["a"]);
  assert.deepEqual(await opened(t, () => digests.of(dir, ["a"])), ["a"]);
});

test("much to read is read beside the loop, and comes to the same", async (t) => {
  const dir = folder(t, { small: "one" });
  const big = Buffer.alloc(HASHED_IN_TURN_BYTES, "wf");
  fs.writeFileSync(join(dir, "big"), big);
  fs.utimesSync(join(dir, "big"), 1_000_000.5, 1_000_000.5);
  const digests = new FileDigests();
  const found = digests.of(dir, ["small", "big", "none"]);
  assert.ok(found instanceof Promise);
  assert.deepEqual(
    (await found).map((each) => each?.sha256),
    [sha256("one"), createHash("sha256").update(big).digest("hex"), undefined],
  );
  assert.ok(!(digests.of(dir, ["small", "big"]) instanceof Promise), "it is known now");
});
