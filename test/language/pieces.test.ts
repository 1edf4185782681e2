import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { stringify } from "yaml";
import type { Node } from "../../src/language/node.ts";
import { parseYaml } from "../../src/language/parse.ts";
import { parseInPieces } from "../../src/language/pieces.ts";
import { Problems } from "../../src/language/report.ts";
import { SourceText } from "../../src/language/source.ts";
import { load, workflow } from "./rig.ts";

const FIXTURES = fileURLToPath(new URL("../../fixtures/workflows/", import.meta.url));
const texts = readdirSync(FIXTURES, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => readFileSync(join(FIXTURES, name), "utf8"));

/** As a small file is read, which is as a whole; null if anything about it is wrong. */
function whole(text: string): Node | null {
  assert.ok(text.length < 32 * 1024);
  const problems = new Problems(new SourceText("w.yaml", text));
  const root = parseYaml(problems);
  return problems.none ? root : null;
}

const inPieces = (text: string, items: number) => parseInPieces(new SourceText("w.yaml", text), items);

test("a good file is the same tree, with every position, however it is read", () => {
  let found = 0;
  for (const text of texts) {
    const expected = whole(text);
    if (expected === null) continue;
    for (const items of [1, 2, 5]) {
      const tree = inPieces(text, items);
      // Files with anchors are not read so, and few have any.
      if (tree === null) assert.match(text, /[&*]/);
      else assert.deepEqual(tree, expected, text);
      if (tree !== null) found += 1;
    }
  }
  assert.ok(found > texts.length);
});

test("so is a file of any shape", () => {
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constantFrom(
        null,
        true,
        12,
        "text",
        "a: b",
        "- x",
        "two\nlines\n",
        "",
        "# no comment",
        "'",
        "{{inputs.a}}",
      ),
      fc.array(tie("tree"), { maxLength: 9 }),
      fc.dictionary(fc.constantFrom("a", "b", "c d", "1", "true"), tie("tree"), { maxKeys: 4 }),
    ),
  }));
  const style = fc.record({
    indent: fc.constantFrom(2, 4),
    indentSeq: fc.boolean(),
    collectionStyle: fc.constantFrom("any", "block") as fc.Arbitrary<"any">,
    blockQuote: fc.boolean(),
  });
  let found = 0;
  fc.assert(
    fc.property(tree, style, fc.integer({ min: 1, max: 4 }), (value, options, items) => {
      const text = `# a comment\n${stringify(value, { ...options, aliasDuplicateObjects: false })}`;
      const read = inPieces(text, items);
      // Some shapes, such as a comment where the parser keeps its mind open, are left to be read as a whole.
      if (read === null) return;
      found += 1;
      assert.deepEqual(read, whole(text));
    }),
    { numRuns: 200 },
  );
  assert.ok(found > 150, `${found} of 200`);
});

test("a file that is not good is not read in pieces, so that what is wrong with it is said as ever", () => {
  const character = fc.constantFrom(
    ..." -:#'\"[]{},|>?!%@`\n\tax1~.".split(""),
    "\n  ",
    "\n- ",
    "---\n",
    ": ",
  );
  const spoilt = fc
    .tuple(fc.constantFrom(...texts), fc.nat(), fc.nat({ max: 3 }), character)
    .map(([text, at, cut, put]) => {
      const from = at % (text.length + 1);
      return text.slice(0, from) + put + text.slice(from + cut);
    });
  fc.assert(
    fc.property(spoilt, fc.integer({ min: 1, max: 4 }), (text, items) => {
      const found = inPieces(text, items);
      if (found !== null) assert.deepEqual(found, whole(text));
    }),
    { numRuns: 700 },
  );
});

test("a large file with an anchor is read as well", () => {
  const steps = Array.from({ length: 2000 }, (_, i) => `  - { id: s${i}, run: *script }\n`);
  const text = `id: w\nlimits: { max_total_iterations: 4000 }\nenv: { A: &script "true" }\nsteps:\n${steps.join("")}`;
  assert.equal(workflow(text).steps.length, 2000);
});

test("what is wrong with a large file is said with its place", () => {
  const steps = Array.from({ length: 2000 }, (_, i) => `  - { id: s${i}, run: 'true' }\n`);
  const text = `id: w\nlimits: { max_total_iterations: 4000 }\nsteps:\n${steps.join("")}`;
  assert.equal(workflow(text).steps.length, 2000);
  const loaded = load(`${text}  - { id: a, id: b, run: 1e999 }\n`);
  assert.ok(!loaded.ok);
  assert.deepEqual(
    loaded.problems.map(({ code, position }) => `${code} ${position?.line}:${position?.column}`),
    ["DUPLICATE_KEY 2004:14", "NUMBER_UNSAFE 2004:26"],
  );
});
