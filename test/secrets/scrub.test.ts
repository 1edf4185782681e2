import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { scrub } from "../../src/secrets/scrub.ts";
import { Secrets } from "../../src/secrets/secrets.ts";

const SECRET = "hunter2/is+no password";
const secrets = new Secrets(new Map([["password", SECRET]]));
const base64 = Buffer.from(SECRET).toString("base64");

function folder(t: { after(clean: () => void): void }): string {
  const dir = fs.mkdtempSync(join(tmpdir(), "wf-test-scrub-"));
  t.after(() => {
    process.seteuid?.(process.getuid?.() ?? 0);
    fs.rmSync(dir, { recursive: true, force: true });
  });
  fs.mkdirSync(join(dir, "outputs/deep"), { recursive: true });
  return dir;
}

/** Root may read everything; for the rest of the test this process is nobody: see `folder`. */
function asNobody(dir: string): void {
  if (process.getuid?.() !== 0) return;
  for (const path of [dir, join(dir, "outputs"), join(dir, "outputs/deep")])
    fs.chownSync(path, NOBODY, NOBODY);
  process.seteuid?.(NOBODY);
}
const NOBODY = 65534;

const scrubbed = (dir: string) => scrub(dir, secrets, { sync: true, leave: new Set(["stdout.log", "work"]) });
const text = (...path: string[]) => fs.readFileSync(join(...path), "utf8");

describe("scrubbing what an attempt left", () => {
  test("text is rewritten, mode and all else kept", async (t) => {
    const dir = folder(t);
    fs.writeFileSync(join(dir, "output"), `token=${SECRET}\n`);
    fs.writeFileSync(join(dir, "outputs/deep/é.sh"), `# ü ${base64} ${encodeURIComponent(SECRET)}`);
    fs.chmodSync(join(dir, "outputs/deep/é.sh"), 0o751);
    fs.writeFileSync(join(dir, "outputs/clean"), "nothing");
    const before = fs.statSync(join(dir, "outputs/clean")).ino;
    const done = await scrubbed(dir);
    assert.deepEqual(done.masked, ["output", "outputs/deep/é.sh"]);
    assert.deepEqual([...done.removed, ...done.renamed], []);
    assert.equal(text(dir, "output"), "token=***\n");
    assert.equal(text(dir, "outputs/deep/é.sh"), "# ü *** ***");
    assert.equal(fs.statSync(join(dir, "outputs/deep/é.sh")).mode & 0o7777, 0o751);
    assert.equal(fs.statSync(join(dir, "outputs/clean")).ino, before);
    assert.deepEqual(fs.readdirSync(join(dir, "outputs")).sort(), ["clean", "deep"]);
  });

  test("what is no text and holds one is removed, other binaries stay", async (t) => {
    const dir = folder(t);
    fs.writeFileSync(join(dir, "outputs/nul.bin"), `\0${SECRET}`);
    fs.writeFileSync(join(dir, "outputs/latin1.bin"), Buffer.from(`é${SECRET}`, "latin1"));
    fs.writeFileSync(
      join(dir, "outputs/cut.bin"),
      Buffer.concat([Buffer.from(SECRET), Buffer.from([0xe2, 0x82])]),
    );
    fs.writeFileSync(join(dir, "outputs/other.bin"), Buffer.from([0, 1, 2, 255]));
    assert.deepEqual((await scrubbed(dir)).removed, [
      "outputs/cut.bin",
      "outputs/latin1.bin",
      "outputs/nul.bin",
    ]);
    assert.deepEqual(fs.readdirSync(join(dir, "outputs")).sort(), ["deep", "other.bin"]);
  });

  test("large files, with the secret and a character across the borders of what is read at once", async (t) => {
    const dir = folder(t);
    const mib = 1024 * 1024;
    const head = `${"x".repeat(mib - 1)}€`;
    fs.writeFileSync(join(dir, "outputs/a"), head + "y".repeat(mib - 10) + SECRET);
    fs.writeFileSync(
      join(dir, "outputs/b"),
      Buffer.concat([Buffer.from("y".repeat(mib - 3) + SECRET), Buffer.from([0])]),
    );
    const { masked, removed } = await scrubbed(dir);
    assert.deepEqual([masked, removed], [["outputs/a"], ["outputs/b"]]);
    assert.equal(text(dir, "outputs/a"), `${head}${"y".repeat(mib - 10)}***`);
  });

  test("names of files and folders, and a secret that makes folders by its slash", async (t) => {
    const dir = folder(t);
    const flat = Buffer.from(SECRET).toString("base64url");
    fs.mkdirSync(join(dir, `outputs/of ${flat}`));
    fs.writeFileSync(join(dir, `outputs/of ${flat}/${flat}.txt`), "1");
    fs.mkdirSync(join(dir, "outputs/of hunter2"));
    fs.writeFileSync(join(dir, "outputs/of hunter2/is+no password"), "2");
    fs.writeFileSync(join(dir, "outputs/a ***"), "3");
    fs.writeFileSync(join(dir, `outputs/a ${flat}`), "4");
    const { renamed } = await scrubbed(dir);
    assert.deepEqual(
      renamed,
      ["outputs/a ***-2", "outputs/of ***", "outputs/of ***/***.txt", "outputs/of hunter2/***"].sort(),
    );
    const all = fs.readdirSync(dir, { recursive: true, encoding: "utf8" }).join("\n");
    assert.equal(secrets.maskText(all), all);
    assert.equal(text(dir, "outputs/a ***"), "3");
  });

  test("links, pipes, and what may not be read", async (t) => {
    const dir = folder(t);
    asNobody(dir);
    fs.writeFileSync(join(dir, "elsewhere"), "x");
    fs.symlinkSync(`/tmp/${base64}`, join(dir, "outputs/link"));
    fs.symlinkSync("../elsewhere", join(dir, "outputs/harmless"));
    fs.symlinkSync("/", join(dir, "outputs/root"));
    execFileSync("mkfifo", [join(dir, "outputs/fifo")]);
    fs.mkdirSync(join(dir, "outputs/locked"));
    fs.writeFileSync(join(dir, "outputs/locked/file"), SECRET);
    fs.chmodSync(join(dir, "outputs/locked/file"), 0);
    fs.chmodSync(join(dir, "outputs/locked"), 0o500);
    fs.writeFileSync(join(dir, "outputs/hidden"), SECRET);
    fs.chmodSync(join(dir, "outputs/hidden"), 0);
    const { masked, removed } = await scrubbed(dir);
    assert.deepEqual(removed, ["outputs/link"]);
    assert.deepEqual(masked, ["outputs/hidden", "outputs/locked/file"]);
    assert.equal(fs.statSync(join(dir, "outputs/hidden")).mode & 0o7777, 0);
    assert.equal(fs.statSync(join(dir, "outputs/locked")).mode & 0o7777, 0o500);
  });

  test("another user's file, which can not be looked at", {
    skip: process.getuid?.() !== 0 && "only root has files that others may not read",
  }, async (t) => {
    const dir = folder(t);
    fs.writeFileSync(join(dir, "outputs/roots"), SECRET, { mode: 0o600 });
    fs.writeFileSync(join(dir, "outputs/shown"), SECRET, { mode: 0o644 });
    asNobody(dir);
    const { locked, masked } = await scrubbed(dir);
    assert.deepEqual(locked, ["outputs/roots"]);
    assert.deepEqual(masked, ["outputs/shown"]);
  });

  test("what is not the engine's to change, and what an engine that died left of its own", async (t) => {
    const dir = folder(t);
    fs.mkdirSync(join(dir, "work"));
    fs.writeFileSync(join(dir, "work/.npmrc"), SECRET);
    fs.writeFileSync(join(dir, "outputs/.wf-scrub-123"), "half");
    await scrubbed(dir);
    assert.equal(text(dir, "work/.npmrc"), SECRET);
    assert.equal(fs.existsSync(join(dir, "outputs/.wf-scrub-123")), false);
  });

  test("doing it twice changes nothing more", async (t) => {
    const dir = folder(t);
    fs.writeFileSync(join(dir, "output"), `token=${SECRET}\n`);
    await scrubbed(dir);
    assert.deepEqual((await scrubbed(dir)).masked, []);
  });

  test("a folder that was never made", async () => {
    assert.deepEqual((await scrubbed("/nowhere/at/all")).removed, []);
  });
});
