import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { loadWorkflow } from "../../src/language/load.ts";
import { problems } from "./rig.ts";

const step = (line: string) => `id: w\nsteps:\n  - id: a\n    run: ${line}\n`;

const rows: [string, string][] = [
  [step("echo {{nope.x}}"), "4:15"],
  [step("'it''s'' {{nope.x}}'"), "4:19"],
  [step('"a\\tb\\u00e9\\"\\n {{nope.x}}"'), "4:26"],
  [step("|\n      one\n      two {{nope.x}}"), "6:11"],
  [step("|2\n        one {{nope.x}}"), "5:13"],
  [step("> # a comment\n      one\n\n      two\n      {{nope.x}}"), "8:7"],
  [step("echo one\n      two\n      {{nope.x}}"), "6:7"],
  [step("'one\n      two {{nope.x}}'"), "5:11"],
  [step('"one \\\n      two {{nope.x}}"'), "5:11"],
];
for (const [text, place] of rows) {
  test(`the place in ${JSON.stringify(text.slice(29))}`, () =>
    assert.deepEqual(problems(text), [`UNKNOWN_NAME ${place}`]));
}

test("whatever the style, the place is where the template stands", () => {
  const word = fc.string({
    unit: fc.constantFrom("a", "'", '"', "\\", " ", "\n", "é", "🚀", "#", ": ", "\t"),
    maxLength: 20,
  });
  const type = fc.constantFrom(
    "PLAIN",
    "QUOTE_SINGLE",
    "QUOTE_DOUBLE",
    "BLOCK_LITERAL",
    "BLOCK_FOLDED",
  ) as fc.Arbitrary<"PLAIN">;
  fc.assert(
    fc.property(word, word, type, (before, after, style) => {
      fc.pre(!before.endsWith("\\"));
      const value = `x${before}{{nope.x}}${after}`;
      const text = stringify(
        { id: "w", steps: [{ id: "a", run: "x", env: { A: value } }] },
        { defaultStringType: style, lineWidth: 30 },
      );
      // Folding may have cut the template itself in two.
      fc.pre(text.includes("{{nope.x}}"));
      const loaded = loadWorkflow({ path: "w", bytes: Buffer.from(text) });
      assert.ok(!loaded.ok);
      const { position } = loaded.problems[0];
      const line = text.split("\n")[(position?.line ?? 0) - 1] ?? "";
      assert.equal(
        [...line]
          .slice((position?.column ?? 0) - 1)
          .join("")
          .slice(0, 10),
        "{{nope.x}}",
      );
    }),
    { numRuns: 400 },
  );
});

test("no bytes make it fail", () => {
  const piece = fc.constantFrom(
    "id: w",
    "steps:",
    "- id: a",
    "run: x",
    "\n",
    "  ",
    "{",
    "}",
    "[",
    "]",
    ":",
    "- ",
    "? ",
    "&a ",
    "*a",
    "!!str ",
    "|",
    ">",
    "'",
    '"',
    "#",
    "---\n",
    "...",
    "%YAML 1.2\n",
    "\t",
    "{{x}}",
    "<<",
    ",",
    "\u0000",
    "\ufeff",
    "1e999",
    "needs: [a]",
    "when: 1",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const loaded = loadWorkflow({ path: "w", bytes: Buffer.from(pieces.join("")) });
      if (!loaded.ok)
        for (const { position } of loaded.problems)
          assert.ok((position?.line ?? 0) >= 1 && (position?.column ?? 0) >= 1);
    }),
    { numRuns: 1500 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void loadWorkflow({ path: "w", bytes })),
    { numRuns: 500 },
  );
});

test("twenty thousand brackets are refused, not a crash", () => {
  const text = `id: ${"[".repeat(20_000)}`;
  assert.equal(loadWorkflow({ path: "w", bytes: Buffer.from(text) }).ok, false);
});
