import assert from "node:assert/strict";
import { test } from "node:test";
import { globFault, hasWildcard } from "../../src/core/glob.ts";

const good = [
  "package.json",
  ".npmrc",
  "src/**",
  "src/**/*.ts",
  "**/*.test.ts",
  "**",
  "src/[a-z]?.ts",
  "src/[]a].ts",
  "src/[!a]*.ts",
  "src/{a,b/{c,d}}.ts",
  "a b/ü.txt",
  "...",
  "..a/b..",
  "(a)/b",
];
for (const glob of good) test(`"${glob}" is a glob`, () => assert.equal(globFault(glob), null));

const bad = ["", "/a", "C:/a", "~/a", "..", "a/../b", "a/..", ".", "a/./b", "a//b", "a/", "a\\b", "a\0b"];
const odd = [
  "a**",
  "**a/b",
  "***",
  "[",
  "[]",
  "[a/b]",
  "a]",
  "{",
  "}",
  "}{",
  "{a,{b}",
  "!(a)",
  "a+(b)",
  "@(a|b)",
];
for (const glob of [...bad, ...odd]) {
  test(`${JSON.stringify(glob)} is no glob`, () => assert.notEqual(globFault(glob), null));
}

test("a path without a wildcard stands for itself", () => {
  assert.deepEqual(["a/b.c", "a b", "*", "a?", "[a]", "{a}"].map(hasWildcard), [
    false,
    false,
    true,
    true,
    true,
    true,
  ]);
});
