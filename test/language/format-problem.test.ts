import assert from "node:assert/strict";
import { test } from "node:test";
import { formatProblems } from "../../src/language/format-problem.ts";
import { SourceText } from "../../src/language/source.ts";

function show(line: string, marked: string): string[] {
  const source = new SourceText("f.yaml", `first\n${line}\nlast`);
  const start = source.text.indexOf(marked);
  const place = source.place({ start, end: start + marked.length });
  return formatProblems([{ code: "BAD_VALUE", message: "m", ...place }])
    .split("\n")
    .slice(1, 3)
    .map((each) => each.slice(7));
}

for (const [line, marked, shown, caret] of [
  ["a: bad", "bad", "a: bad", "   ^^^"],
  ["\ta:\tbad", "bad", "    a:    bad", "          ^^^"],
  ["値: bad", "bad", "値: bad", "    ^^^"],
  ["🚀: 値段", "値段", "🚀: 値段", "    ^^^^"],
  ["e\u0301: bad", "bad", "e\u0301: bad", "   ^^^"],
  ["a\x1b[31m: bad", "bad", "a␛[31m: bad", "        ^^^"],
  ["a\u202e: bad", "bad", "a\ufffd: bad", "    ^^^"],
] as const) {
  test(`the caret is right in ${JSON.stringify(line)}`, () =>
    assert.deepEqual(show(line, marked), [shown, caret]));
}

test("a long line is cut around the place", () => {
  const [shown = "", caret = ""] = show(`${"x".repeat(500)}bad${"y".repeat(500)}`, "bad");
  assert.equal(shown, `…${"x".repeat(50)}bad${"y".repeat(57)}…`);
  assert.equal(caret, `${" ".repeat(51)}^^^`);
});

test("a place that ends in a later line is underlined to the end of its own", () => {
  const source = new SourceText("f", "run: |\n  two");
  assert.equal(source.place({ start: 5, end: 12 }).excerpt.length, 1);
});

test("columns count characters, not bytes or halves of them", () => {
  const source = new SourceText("f", "a\n🚀é: x");
  assert.deepEqual(source.place({ start: source.text.indexOf("x"), end: source.text.length }).position, {
    file: "f",
    line: 2,
    column: 5,
  });
});

test("without a place there is the message alone; names can not move the cursor", () => {
  const problem = { code: "USAGE", message: "a\u001b[2Jb\nc", hint: "h" } as const;
  assert.equal(formatProblems([problem]), "a␛[2Jb␊c   [USAGE]\n  hint: h\n");
  assert.equal(formatProblems([problem, problem]).split("\n\n").length, 2);
});

test("what gives colours is told what each piece is", () => {
  const place = new SourceText("f", "a: b").place({ start: 3, end: 4 });
  const painted = formatProblems(
    [{ code: "BAD_VALUE", message: "m", hint: "h", ...place }],
    (part, text) => `<${part}>${text}</>`,
  );
  assert.equal(
    painted,
    "<position>f:1:4:</> <message>m</>   <code>[BAD_VALUE]</>\n<gutter>   1 |</> a: b\n<gutter>     |</>    <caret>^</>\n  <hint>hint:</> h\n",
  );
});
