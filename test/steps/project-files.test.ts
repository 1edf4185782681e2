import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { compileGlobs, matchingFiles } from "../../src/steps/project-files.ts";

function folder(t: TestContext, files: readonly string[]): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "wf-globs-")));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  for (const file of files) {
    mkdirSync(dirname(join(dir, file)), { recursive: true });
    writeFileSync(join(dir, file), file);
  }
  return dir;
}

const FILES = [
  "a.ts",
  "b.js",
  ".env",
  ".github/ci.yaml",
  ".git/HEAD",
  ".wf/runs/r/run.json",
  "src/a.ts",
  "src/a.test.ts",
  "src/.hidden.ts",
  "src/deep/down/c.ts",
  "src/deep/.cache/d.ts",
  "src/B.ts",
  "src/ä.ts",
  "sub/.git/config",
  "sub/x.ts",
  "node_modules/m/i.ts",
  "weird (1)/+[a].ts",
  "odd/a+b.txt",
  "odd/aab.txt",
  "odd/!x.txt",
  "odd/p|q$^.txt",
];

for (const [globs, found] of [
  [["*.ts"], ["a.ts"]],
  [["src/*"], ["src/B.ts", "src/a.test.ts", "src/a.ts", "src/ä.ts"]],
  [["src/**"], ["src/B.ts", "src/a.test.ts", "src/a.ts", "src/deep/down/c.ts", "src/ä.ts"]],
  [
    ["src/**/*.ts", "!src/**/*.test.ts"],
    ["src/B.ts", "src/a.ts", "src/deep/down/c.ts", "src/ä.ts"],
  ],
  [
    ["!src/**/*.test.ts", "src/**/*.ts"],
    ["src/B.ts", "src/a.ts", "src/deep/down/c.ts", "src/ä.ts"],
  ],
  [
    ["**/*.ts", "!node_modules/**", "!src/**"],
    ["a.ts", "sub/x.ts", "weird (1)/+[a].ts"],
  ],
  [["**/.hidden.ts"], ["src/.hidden.ts"]],
  [["src/deep/.cache/*"], ["src/deep/.cache/d.ts"]],
  [["src/**/.*", "src/.*", "!**/.hidden.ts"], []],
  [
    [".github/**", ".e*"],
    [".env", ".github/ci.yaml"],
  ],
  [["{a,b}.{ts,js}"], ["a.ts", "b.js"]],
  [["src/{a.ts,deep/down/*}"], ["src/a.ts", "src/deep/down/c.ts"]],
  [["[ab].??"], ["a.ts", "b.js"]],
  [["src/*/c.ts", "nowhere/*", "nowhere/**/x"], []],
  [
    ["src/deep/**", "src/*.ts", "src/deep/down/*"],
    ["src/B.ts", "src/a.test.ts", "src/a.ts", "src/deep/down/c.ts", "src/ä.ts"],
  ],
  [["**/HEAD", ".git/*", "**/run.json", ".wf/**"], []],
  [["weird (1)/*"], ["weird (1)/+[a].ts"]],
  [["odd/[a]+b.*"], ["odd/a+b.txt"]],
  [["odd/a+b.*"], ["odd/a+b.txt"]],
  [["odd/!x.*"], ["odd/!x.txt"]],
  [["odd/p|q$^.*"], ["odd/p|q$^.txt"]],
  [["odd/[!a]*"], ["odd/!x.txt", "odd/p|q$^.txt"]],
  [["odd/[^a]*"], ["odd/!x.txt", "odd/p|q$^.txt"]],
  [["odd/[p-q]|*"], ["odd/p|q$^.txt"]],
] as const) {
  test(`${globs.join(" ")} matches ${found.length === 0 ? "nothing" : found.join(", ")}`, (t) => {
    assert.deepEqual(matchingFiles(folder(t, FILES), compileGlobs(globs)), found);
  });
}

test("entries without a wildcard are named, once each, and are not looked for", () => {
  const { named, roots } = compileGlobs(["b.txt", "a/b.txt", "b.txt", "src/*", "!x"]);
  assert.deepEqual([named, roots], [["a/b.txt", "b.txt"], ["src"]]);
});

test("a link to a file is a file; links to folders, to nowhere and in a circle are not followed", (t) => {
  const dir = folder(t, ["real.ts", "far/away.ts"]);
  symlinkSync("real.ts", join(dir, "link.ts"));
  symlinkSync("far", join(dir, "folder.ts"));
  symlinkSync("nowhere", join(dir, "lost.ts"));
  symlinkSync("loop.ts", join(dir, "loop.ts"));
  symlinkSync(".", join(dir, "self"));
  assert.deepEqual(matchingFiles(dir, compileGlobs(["**/*.ts"])), ["far/away.ts", "link.ts", "real.ts"]);
});
