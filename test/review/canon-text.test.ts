import assert from "node:assert/strict";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { cutFile, MAX_TEXT_BYTES } from "../../src/review/canon-cut.ts";
import { formatForm, parseForm } from "../../src/review/canon-form.ts";
import { canonicalFile } from "../../src/review/canon-one.ts";
import { Places } from "../../src/review/canon-places.ts";
import { redactor } from "../../src/review/canon-redact.ts";
import { settled } from "../../src/review/canon-text.ts";

const LOGS: readonly (readonly [what: string, log: string, shown: string])[] = [
  ["plain", "a\n\tb\n", "a\n\tb\n"],
  ["lines of Windows", "a\r\nb\r\n", "a\nb\n"],
  ["colours", "\u001b[1;32mok\u001b[0m \u009b31mno\u001b[m\n", "ok no\n"],
  ["a title and a link", "\u001b]0;title\u0007\u001b]8;;http://x\u001b\\here\u001b]8;;\u001b\\\n", "here\n"],
  ["overprinted", " 10%\r 50%\r100%\ndone\n", "100%\ndone\n"],
  ["overprinted by less", "working…\rok\n", "okrking…\n"],
  ["erased and written", "working…\r\u001b[Kok\n", "ok\n"],
  ["the whole line erased", "working…\u001b[2K\rok\n", "ok\n"],
  ["backspaces", "10%\b\b\b20%\n", "20%\n"],
  ["lines gone back over", "a: 1\nb: 1\n\u001b[2Aa: 2\nb: 3\n", "a: 2\nb: 3\n"],
  ["erased to the end", "a\nb\nc\n\u001b[3A\u001b[Jx\n", "x\n"],
  ["moved right", "a\u001b[3Cb\n", "a   b\n"],
  ["a bell, a NUL", "a\u0007\u0000b\n", "ab\n"],
  ["an escape that is cut off", "a\u001b[", "a"],
  ["a title that never ends", "a\u001b]0;b\nc\n", "a\nc\n"],
];
for (const [what, log, shown] of LOGS) {
  test(`a log as a terminal shows it in the end: ${what}`, () => assert.equal(settled(log), shown));
}

const terminal = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "\r",
        "\b",
        "\n",
        "\r\n",
        "\u001b[2K",
        "\u001b[A",
        "\u001b[2B",
        "\u001b[5G",
        "\u001b[J",
        "\u001b",
        "\u009b",
      ),
      fc.string({ unit: "grapheme", maxLength: 6 }),
      fc.string({ unit: "binary", maxLength: 4 }),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(""));

test("a log that is settled holds no control characters, and stays as it is", () => {
  fc.assert(
    fc.property(terminal, (log) => {
      const once = settled(log);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      assert.doesNotMatch(once, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
      assert.equal(settled(once), once);
    }),
    { numRuns: 2000 },
  );
});

const MADE = {
  runId: "20261122-071630-release-k3f9",
  run: ["/home/ann/my demo/.wf/runs/20261122-071630-release-k3f9"],
  project: ["/home/ann/my demo"],
  home: ["/home/ann"],
  tmp: ["/var/folders/zz/x1/T"],
  definition: "",
};

const PLACES: readonly (readonly [text: string, clean: string])[] = [
  ["/home/ann/my demo/.wf/runs/20261122-071630-release-k3f9/steps", "<run>/steps"],
  ["/else/where/20261122-071630-release-k3f9", "<run>"],
  ["of 20261122-071630-release-k3f9.", "of <run-id>."],
  ["x20261122-071630-release-k3f9", "x20261122-071630-release-k3f9"],
  ["report_20261122-071630-release-k3f9.md", "report_<run-id>.md"],
  ["'/home/ann/my demo/src'", "'<project>/src'"],
  ["/home/ann/my demo-2 and /home/ann/my demo.", "<home>/my demo-2 and <project>."],
  ["PATH=/home/ann/bin:/bin", "PATH=<home>/bin:/bin"],
  ["/home/anna/x", "/home/anna/x"],
  ["file:///tmp/x, -I/tmp, /tmp", "file://<tmp>/x, -I/tmp, <tmp>"],
  ["/private/var/folders/zz/x1/T/a", "<tmp>/a"],
  ["/mnt/tmp/x and ./tmp/x", "/mnt/tmp/x and ./tmp/x"],
  ["<run> <run-id> <home>/x", "<run> <run-id> <home>/x"],
];
for (const [text, clean] of PLACES) {
  test(`places in ${text}`, () => assert.equal(new Places(MADE).in(text), clean));
}

test("where no home was recorded, any home is one", () => {
  const places = new Places({ ...MADE, home: [] });
  assert.equal(
    places.in("/home/bob/x, /Users/eve. /root/.npm /rootless"),
    "<home>/x, <home>. <home>/.npm /rootless",
  );
});

const PATTERNS = ["\\d+", "[a-z]+", "^.", "x*", "run", "(?<=a)b", "(a)\\1", "<", "redacted"];

test("places and redaction leave what they have put, whatever the patterns", () => {
  const text = fc.array(
    fc.constantFrom("<run>", "<run-id>", "<redacted>", "a", "b", "12", "/tmp/", "\n", " "),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(text, fc.subarray(PATTERNS), (parts, patterns) => {
      const before = parts.join("");
      const after = redactor(patterns)(new Places(MADE).in(before));
      for (const put of ["<run>", "<run-id>"]) {
        // A pattern may swallow one with what stands around it, and may not cut one open.
        const whole = after.split(put).length - 1;
        const loose = after.replaceAll(/<(?:run|run-id|tmp|redacted)>/g, "").includes(put.slice(1, -1));
        assert.ok(whole <= before.split(put).length - 1);
        if (!patterns.includes("<")) assert.equal(loose, false);
      }
    }),
  );
});

test("one text holds any files, and gives them back", () => {
  const line = fc.oneof(
    fc.constantFrom("=== a", "\\=== a", "\\\\=== ", "===", "", "\r=== x"),
    fc.string({ unit: "grapheme" }),
  );
  const name = fc.oneof(
    fc.constantFrom("a (no newline at the end)", '"a"', "a\nb", "ü", "=== a", "a)"),
    fc.string({ unit: "grapheme", minLength: 1 }),
  );
  const file = fc.record({
    path: name.filter((path) => !path.includes("/") && path !== "." && path !== ".."),
    text: fc.array(line).map((lines) => lines.join("\n")),
  });
  fc.assert(
    fc.property(fc.array(file), (files) => {
      const form = files.map(({ path, text }) => ({ path, text }));
      assert.deepEqual(parseForm([...formatForm(form)].join("")), form);
    }),
    { numRuns: 1000 },
  );
});

test("a text that leads out of the folder it is to be written to is none", () => {
  for (const path of ["../a", "/a", "a//b", "a/../../b", ""])
    assert.equal(parseForm(`=== ${path}\nx\n`), null);
});

test("a file is cut by what it comes to, not by how it is read", (t) => {
  const folder = fs.mkdtempSync(join(tmpdir(), "wf-cut-"));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const path = join(folder, "log");
  const same = (text: string) => text;
  const shown = (bytes: string | Uint8Array, clean = same) => {
    fs.writeFileSync(path, bytes);
    return cutFile(path, clean, true).text;
  };
  assert.equal(shown("x".repeat(MAX_TEXT_BYTES)).length, MAX_TEXT_BYTES);
  assert.match(
    shown("x".repeat(MAX_TEXT_BYTES + 1)),
    /^<cut> 65537 bytes, sha256 [0-9a-f]{64}; it begins:\nx{2048}\n<cut>/,
  );
  // The same text, once with 2 MiB of overprints in it that are gone in the end.
  const lines = Array.from({ length: 9000 }, (_, index) => `line ${index}: done`);
  const noisy = lines.map((line) => `${"working ".repeat(30)}\r\u001b[K${line}`);
  assert.equal(shown(`${noisy.join("\n")}\n`, settled), shown(`${lines.join("\n")}\n`));
  // Small in the end: whole.
  assert.equal(shown(`${"0%\r".repeat(1_000_000)}\u001b[Kdone\n`, settled), "done\n");
});

test("one file alone: what is no file of a run is given back to the byte", () => {
  for (const bytes of [
    Buffer.from([0, 255, 1]),
    Buffer.from("\ufefftext\n"),
    Buffer.from('{"a":1}'),
    Buffer.from('{"a":'),
  ]) {
    assert.equal(Buffer.compare(Buffer.from(canonicalFile(bytes)), bytes), 0);
  }
  fc.assert(fc.property(fc.json(), (json) => assert.equal(String(canonicalFile(Buffer.from(json))), json)));
});
