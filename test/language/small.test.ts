import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { editDistance, listNames, nearest, suggest } from "../../src/language/did-you-mean.ts";
import { patternFault } from "../../src/language/regex.ts";
import { load } from "./rig.ts";

for (const [a, b, distance] of [
  ["", "", 0],
  ["abc", "abc", 0],
  ["abc", "acb", 1],
  ["abc", "ab", 1],
  ["abc", "xbc", 1],
  ["kitten", "sitting", 3],
] as const) {
  test(`from ${a} to ${b} it is ${distance}`, () => assert.equal(editDistance(a, b), distance));
}

test("distance is the same both ways, and at most the longer length", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 8 });
  fc.assert(
    fc.property(word, word, (a, b) => {
      assert.equal(editDistance(a, b), editDistance(b, a));
      assert.ok(editDistance(a, b) <= Math.max(a.length, b.length));
      assert.equal(editDistance(a, b) === 0, a === b);
    }),
  );
});

test("the nearest name is found, a far one is not", () => {
  assert.equal(nearest("tiemout", ["time", "timeout"]), "timeout");
  assert.equal(nearest("VERSION", ["version"]), "version");
  assert.equal(nearest("colour", ["id", "run"]), null);
  assert.equal(suggest("x", [], "known"), "known: none");
  assert.equal(listNames(Array.from({ length: 25 }, (_, i) => `n${i}`)).endsWith("n19 and 5 more"), true);
});

for (const source of [
  "^\\d+\\.\\d+$",
  "^v?\\d+(\\.\\d+)?(-[a-z]+)?$",
  "(foo|bar)+",
  "(?<year>\\d{4})",
  "(?<=a)b",
  "\\p{L}+",
  "^(dev|staging|prod)$",
  "[(]+[)]?",
  "(a(b+)?)?",
  "^[a-z0-9]+(-[a-z0-9]+)*$",
  "^\\w+(?:\\.\\w+)+$",
]) {
  test(`/${source}/ is accepted`, () => assert.equal(patternFault(source), null));
}
for (const source of [
  "(a+)+$",
  "(a|a)*$",
  "(a|ab)*c",
  "(\\d|\\w)+",
  "(.|x)*",
  "((a)?(a)?)*b",
  "([ab]*)*",
  "(x+x+)+y",
  "(-[a-z-]+)*$",
  "(_\\w+)*$",
  "((-[a-z]+)*)*$",
  "(.[a-z.]+)*$",
  "[",
  "a{2,1}",
  "(?<a>x)(?<a>y)",
]) {
  test(`/${source}/ is refused`, () => assert.notEqual(patternFault(source), null));
}

test("the hint for an unknown name is about that name", () => {
  const hint = (value: string) => {
    const loaded = load(`id: w\ninputs: [version]\nenv: { A: '${value}' }\nsteps: [{ id: a, run: x }]`);
    return loaded.ok ? null : loaded.problems[0].hint;
  };
  assert.equal(hint("{{inputs.verson}}"), 'did you mean "version"? known inputs: version');
  assert.equal(
    hint("{{steps.a.status}}"),
    "put what depends on a step in the `env` of the step that needs it",
  );
});
