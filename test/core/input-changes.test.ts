import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { artifactMark, changedFiles, changesBetween } from "../../src/core/input-changes.ts";
import {
  canonicalText,
  type InputParts,
  type InputsRecord,
  isInputsRecord,
  partsOf,
} from "../../src/core/input-parts.ts";

const A = "a".repeat(64);
const B = "b".repeat(64);

const PARTS: InputParts = {
  format: "wf.inputs/1",
  type: "command",
  shell: ["sh", "-e"],
  script: A,
  values: { "inputs.version": { value: "1" } },
  env: { MODE: { value: "fast" } },
  workspace: "project",
  outputs: { value: [] },
  files: { "src/a.ts": A },
  absent: [],
};

function changes(now: Partial<InputParts>, before = "", after = ""): string[] {
  return changesBetween(PARTS, { ...PARTS, ...now }, { before, now: after });
}

test("what is the same is no change", () => {
  assert.deepEqual(changes({}), []);
});

for (const [before, now, sentence] of [
  ["a\nb\nc\n", "a\nx\nc\n", "line 2 of the script changed: `b` → `x`"],
  ["a\nb\n", "a\nb\nc\n", "line 3 of the script is new: `c`"],
  ["a\nb\nc\n", "a\nc\n", "line 2 of the script is gone: `b`"],
  ["a\nb\nc\nd\n", "a\nx\ny\nd\n", "lines 2 to 3 of the script changed, the first: `b` → `x`"],
  ["a\n", "x\ny\na\n", "lines 1 to 2 of the script are new: `x`"],
  ["a\na\n", "a\na\na\n", "line 3 of the script is new: `a`"],
  ["  a  \n", "\ta\u001b[31m\n", "line 1 of the script changed: `a` → `a [31m`"],
  ["a", "a\n", "the script changed"],
  [`${"x".repeat(100)}\n`, "y\n", `line 1 of the script changed: \`${"x".repeat(80)}…\` → \`y\``],
] as const) {
  test(sentence.slice(0, 60), () => {
    assert.deepEqual(changes({ script: B }, before, now), [sentence]);
  });
}

test("a script of which the text is gone has changed, and that is all", () => {
  assert.deepEqual(changesBetween(PARTS, { ...PARTS, script: B }, { before: null, now: "a" }), [
    "the script changed",
  ]);
});

test("values: shown where they are short, of an artifact its content", () => {
  const values = {
    "inputs.version": { value: 2 },
    "inputs.big": { bytes: 5000, sha256: A },
    "steps.a.outputs.f": { value: artifactMark("f.txt", A) },
  };
  const later = {
    ...values,
    "inputs.big": { bytes: 5000, sha256: B },
    "steps.a.outputs.f": { value: artifactMark("f.txt", B) },
  };
  assert.deepEqual(changes({ values }), [
    "the value of inputs.version changed: `1` → `2`",
    "it depends on inputs.big now",
    "it depends on steps.a.outputs.f now",
  ]);
  assert.deepEqual(
    changesBetween({ ...PARTS, values }, { ...PARTS, values: later }, { before: null, now: null }),
    ["the value of inputs.big changed", "the content of steps.a.outputs.f changed"],
  );
  // A script that changed names other values, which says nothing more.
  assert.deepEqual(changes({ script: B, values: { new: { value: 1 } } }, "a", "b"), [
    "line 1 of the script changed: `a` → `b`",
  ]);
});

test("variables, files and all the rest, in this order", () => {
  const now: Partial<InputParts> = {
    env: { NEW: { value: "1" } },
    files: { "src/b.ts": A },
    shell: ["bash"],
    workspace: "attempt",
    cwd: { value: "sub" },
    outputs: { value: ["x"] },
    decides: true,
    absent: ["x"],
  };
  assert.deepEqual(changes(now), [
    "the variable MODE is gone",
    "the variable NEW is new",
    "input file `src/a.ts` is gone",
    "input file `src/b.ts` is new",
    "the shell changed: `sh -e` → `bash`",
    "workspace_mode changed: `project` → `attempt`",
    "cwd changed: `` → `sub`",
    "what the step declares as its outputs changed",
    "the step is a gate now",
    "the files that must be absent are other ones",
  ]);
});

test("of many files the first are named, the others counted", () => {
  const files = Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`f${n}`, A]));
  assert.deepEqual(changedFiles({}, files), [
    ...[0, 1, 2, 3, 4].map((n) => `input file \`f${n}\` is new`),
    "3 more input files changed",
  ]);
  assert.deepEqual(changedFiles({ a: A, b: `${A} x`, c: A }, { a: `${A} x`, b: A, c: B }), [
    "input file `a` is executable now",
    "input file `b` is not executable any more",
    "input file `c` changed",
  ]);
});

test("two inputs of which nothing is said to have changed have the same canonical text, and the reverse", () => {
  const name = fc.constantFrom("a", "b", "c");
  const part = fc.oneof(
    fc.record({ value: fc.jsonValue() as fc.Arbitrary<never> }),
    fc.record({ bytes: fc.nat(3), sha256: fc.constantFrom(A, B) }),
  );
  const parts: fc.Arbitrary<InputParts> = fc.record({
    format: fc.constant("wf.inputs/1" as const),
    type: fc.constant("command" as const),
    shell: fc.constantFrom(["sh"], ["bash", "-e"]),
    script: fc.constantFrom(A, B),
    values: fc.dictionary(name, part, { maxKeys: 2 }),
    env: fc.dictionary(name, part, { maxKeys: 2 }),
    workspace: fc.constantFrom("project" as const, "attempt" as const),
    outputs: part,
    files: fc.dictionary(name, fc.constantFrom(A, B, `${A} x`), { maxKeys: 2 }),
    absent: fc.subarray(["x", "y"]),
  });
  fc.assert(
    fc.property(parts, parts, fc.boolean(), (before, other, isSame) => {
      const now = isSame ? (JSON.parse(JSON.stringify(before)) as InputParts) : other;
      const texts = { before: "old", now: before.script === now.script ? "old" : "new" };
      const said = changesBetween(before, now, texts).length + changesBetween(now, before, texts).length;
      return (said === 0) === (canonicalText(before) === canonicalText(now));
    }),
  );
});

test("the canonical text does not depend on the order of members, and leaves out what is not there", () => {
  assert.equal(canonicalText({ b: [1, { d: 1, c: undefined }], a: null }), '{"a":null,"b":[1,{"d":1}]}');
});

test("what is read from a file is believed only as far as it has the shape", () => {
  const record: InputsRecord = { key: A, ...PARTS };
  assert.ok(isInputsRecord(record));
  assert.deepEqual(partsOf({ ...record, volatile: {} }), PARTS);
  for (const bad of [
    null,
    [],
    { ...record, format: "wf.inputs/2" },
    { ...record, key: 1 },
    { ...record, values: { a: 1 } },
    { ...record, files: { a: 1 } },
    { ...record, volatile: 1 },
    { ...record, outputs: undefined },
  ])
    assert.ok(!isInputsRecord(bad), JSON.stringify(bad));
});
