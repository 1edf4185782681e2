import assert from "node:assert/strict";
import { test } from "node:test";
import { ExitCode, PROBLEM_CODES } from "../../src/core/problem.ts";
import { code, read, rows, section } from "./markdown.ts";

const page = read("docs/errors.md");
const entries = rows(page).filter(([name = ""]) => /^`[A-Z_]+`$/.test(name));

test("every code has one entry with its exit code, and every entry is a code", () => {
  const documented = entries.map(([name = "", exit]) => [code(name)[0], Number(exit)]);
  assert.equal(documented.length, new Set(documented.map(([name]) => name)).size, "a code has two entries");
  assert.deepEqual(Object.fromEntries(documented), PROBLEM_CODES);
});

test("every entry says what it means and what to do", () => {
  for (const cells of entries) {
    assert.equal(cells.length, 4, cells[0]);
    for (const cell of cells) assert.notEqual(cell, "", cells[0]);
  }
});

test("every exit code is listed, and no other", () => {
  const listed = rows(section(page, "## Exit codes")).flatMap(([exits = ""]) =>
    exits.split(", ").map(Number),
  );
  assert.deepEqual(listed, Object.values(ExitCode));
});

test("the codes in the examples are codes", () => {
  const named = [...page.matchAll(/\[([A-Z_]+)\]/g)].map((found) => found[1] as string);
  for (const name of named) assert.ok(Object.hasOwn(PROBLEM_CODES, name), name);
});
