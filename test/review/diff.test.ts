import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import type { CanonForm } from "../../src/review/canon-form.ts";
import { diffForms } from "../../src/review/diff.ts";
import { diffTexts } from "../../src/review/diff-text.ts";
import { checkOutput } from "../cli/schemas.ts";
import { type Project, projectFor } from "../rig/project.ts";
import { assertGolden } from "./golden.ts";

const FLOW = `id: flow
inputs:
  word: { type: string, default: one }
  mode: { type: string, default: good }
steps:
  - id: make
    retry: { max: 1, delay: 1ms }
    run: |
      echo "making {{inputs.word}}"
      test "{{inputs.mode}}" = good || test "$WF_ATTEMPT" = 2
      printf 'title\\n\\nfirst\\nsecond: %s\\nthird\\nfourth\\nfifth\\n' "{{inputs.word}}" > "$WF_OUTPUTS/page.md"
      printf '%s\\0' "{{inputs.word}}" > "$WF_OUTPUTS/image.bin"
      echo "word={{inputs.word}}" >> "$WF_OUTPUT"
    output_files: { page: page.md, image: image.bin }
    outputs: [word]
  - id: extra
    when: inputs.mode == "good"
    run: echo extra
  - id: check
    run: test "{{steps.make.outputs.word}}" != two
  - id: last
    run: echo last
`;

async function runFlow(project: Project, id: string, inputs: readonly string[], text = FLOW): Promise<void> {
  const file = project.write("flow.yaml", text);
  const options = inputs.flatMap((input) => ["--input", input]);
  const run = await project.wf(["run", file, "--run-id", id, ...options]);
  assert.ok(run.code === 0 || run.code === 1, run.stderr);
}

test("two runs that mean the same: one line, exit code 0", async (t) => {
  const project = projectFor(t);
  await runFlow(project, "r-1", []);
  await runFlow(project, "r-2", []);
  for (const args of [
    ["r-1", "r-2"],
    ["r-1", "r-1"],
    ["r-1", "latest"],
    ["r-1", "r-2", "--stat"],
  ]) {
    const diff = await project.wf(["diff", ...args]);
    assert.deepEqual(diff, { code: 0, signal: null, stdout: "the same: both succeeded\n", stderr: "" });
  }
  const json = await project.wf(["diff", "r-1", "r-2", "--json"]);
  assert.equal(json.code, 0);
  const said = JSON.parse(json.stdout);
  checkOutput("diff", said);
  assert.deepEqual(said.changes, []);
});

test("two runs that differ in everything: a verdict, then only what differs, by what it is", async (t) => {
  const project = projectFor(t);
  await runFlow(project, "r-1", []);
  await runFlow(project, "r-2", ["word=two", "mode=bad"], FLOW.replace("echo last", "echo the last"));
  const diff = await project.wf(["diff", "r-1", "r-2"]);
  assert.equal(diff.code, 1);
  assertGolden("diff.txt", diff.stdout);
  const stat = await project.wf(["diff", "r-1", "r-2", "--stat"]);
  assert.equal(stat.code, 1);
  assertGolden("diff-stat.txt", stat.stdout);
  const colored = await project.wf(["diff", "r-1", "r-2"], { env: { NO_COLOR: "", FORCE_COLOR: "1" } });
  assert.ok(colored.stdout.includes('\u001b[31m"one"\u001b[39m → \u001b[32m"two"\u001b[39m\n'));

  for (const options of [["--json"], ["--json", "--stat"]]) {
    const json = await project.wf(["diff", "r-1", "r-2", ...options]);
    assert.equal(json.code, 1);
    const said = JSON.parse(json.stdout);
    checkOutput("diff", said);
    assert.equal(said.verdict, diff.stdout.split("\n")[0]);
    assert.equal("hunks" in said.changes[0], options.length === 1);
  }

  // A canonical folder says the same as the run it was made of.
  assert.equal((await project.wf(["canon", "r-1", "--out", "kept"])).code, 0);
  const kept = await project.wf(["diff", "./kept", "r-2"]);
  assert.equal(kept.stdout.replaceAll("./kept", "r-1"), diff.stdout);
});

test("an edited step shows itself, and not that the definition has another digest", async (t) => {
  const project = projectFor(t);
  await runFlow(project, "r-1", []);
  await runFlow(project, "r-2", [], FLOW.replace("run: echo last", "run: echo 'last'"));
  const { code, stdout } = await project.wf(["diff", "r-1", "r-2", "--stat"]);
  assert.equal(code, 1);
  assert.equal(
    stdout,
    `different: definition, scripts and prompts; both succeeded

definition
  workflow.yaml  +1 -1

scripts and prompts
  steps/last/attempt-1/script.sh  +1 -1
`,
  );
});

test("items are called by their names, and of a list of artifacts the places are shown", async (t) => {
  const project = projectFor(t);
  const text = `id: each
inputs: { bad: { type: integer, default: 9 } }
steps:
  - id: make
    foreach: [x, y]
    run: 'echo {{item}} > "$WF_OUTPUT_FILE"; test {{item_index}} != {{inputs.bad}}'
    output_files: { file: file.txt }
`;
  await runFlow(project, "r-1", [], text);
  await runFlow(project, "r-2", ["bad=1"], text);
  const { stdout } = await project.wf(["diff", "r-1", "r-2"]);
  assert.match(stdout, /-make\/item-1\/1 succeeded\n/);
  assert.match(stdout, /make file \(gone\)\n.*\n.*"steps\/make\/item-0\/attempt-1\/outputs\/file.txt",\n/);
  assert.match(stdout, /\n {2}make\/item-1\/1\n/);
  assert.doesNotMatch(stdout, /undefined/);
});

test("a person's other word is a decision, and what it was on is shown", async (t) => {
  const project = projectFor(t);
  const file = project.write("gate.yaml", GATE);
  for (const [id, ...decision] of [
    ["r-1", "approve", "--comment", "fine"],
    ["r-2", "reject", "--comment", "not yet"],
  ] as const) {
    assert.equal((await project.wf(["run", file, "--run-id", id])).code, 3);
    const [verb, ...options] = decision;
    const decided = await project.wf([verb, id, ...options, "--resume"]);
    assert.ok(decided.code === 0 || decided.code === 1, decided.stderr);
  }
  assertGolden("diff-decision.txt", (await project.wf(["diff", "r-1", "r-2"])).stdout);
});

const GATE = `id: gate
steps:
  - id: sign_off
    type: approval
    message: Publish?
  - id: publish
    run: echo published
`;

test("what a log holds can not play tricks on a terminal", async (t) => {
  const project = projectFor(t);
  for (const [id, text] of [
    ["r-1", "a"],
    ["r-2", "\u202eb"],
  ] as const) {
    const file = project.write(
      "w.yaml",
      `id: w\ninputs: [text]\nsteps:\n  - id: say\n    run: echo "{{inputs.text}}"\n`,
    );
    await project.wf(["run", file, "--run-id", id, "--input", `text=${text}`]);
  }
  const { stdout } = await project.wf(["diff", "r-1", "r-2"]);
  assert.match(stdout, /\+<U\+202E>b/);
  assert.ok(!stdout.includes("\u202e"));
});

const FORM: CanonForm = [
  {
    path: "run.json",
    text: '{"status":"succeeded","inputs":{"a":1},"steps":{"s":{"status":"succeeded"}}}\n',
  },
  {
    path: "progress.ndjson",
    text: '{"event":"run_created","limits":{}}\n{"event":"run_ended","status":"succeeded"}\n',
  },
  { path: "workflow.yaml", text: "id: w\n" },
  {
    path: "steps/s/attempt-1/attempt.json",
    text: '{"step":"s","attempt":1,"status":"succeeded","outputs":{"o":{"value":1}}}\n',
  },
  { path: "steps/s/attempt-1/script.sh", text: "true\n" },
  { path: "steps/s/attempt-1/output", text: "o=1\n" },
  { path: "notes.txt", text: "by hand\n" },
];

test("a difference of a byte anywhere is a difference, and there is none without one", () => {
  const place = fc.nat({ max: FORM.length - 1 }).chain((index) =>
    fc.record({
      index: fc.constant(index),
      at: fc.nat({ max: FORM[index]?.text.length ?? 0 }),
      put: fc.string({ minLength: 1, maxLength: 3 }),
    }),
  );
  fc.assert(
    fc.property(place, ({ index, at, put }) => {
      const changed = FORM.map((file, which) =>
        which === index ? { ...file, text: file.text.slice(0, at) + put + file.text.slice(at) } : file,
      );
      assert.equal(diffForms(FORM, FORM).changes.length, 0);
      assert.ok(diffForms(FORM, changed).changes.length > 0);
      assert.ok(diffForms(changed, FORM).changes.length > 0);
    }),
    { numRuns: 1000 },
  );
});

test("a file that one of them lacks is a difference", () => {
  for (const { path } of FORM) {
    const without = FORM.filter((file) => file.path !== path);
    assert.ok(diffForms(FORM, without).changes.length > 0, path);
    assert.ok(diffForms(without, FORM).changes.length > 0, path);
  }
  const withoutAttempt = FORM.filter(({ path }) => !path.includes("/attempt-1/"));
  assert.equal(diffForms(FORM, withoutAttempt).changes.length, 3);
});

test("an attempt whose outputs were given up later is compared too, beside another difference", () => {
  const changed = FORM.map(({ path, text }) => ({
    path,
    text: path.endsWith("attempt.json")
      ? text.replace('"value":1', '"value":2')
      : path === "workflow.yaml"
        ? "id: v\n"
        : text,
  }));
  const found = diffForms(FORM, changed).changes.map(({ what }) => what);
  assert.deepEqual(found, ["workflow.yaml", "steps/s/attempt-1/attempt.json"]);
});

test("texts that differ in many places are compared line by line", () => {
  const lines = Array.from({ length: 2000 }, (_, index) => `line ${index}`);
  const other = lines.map((line, index) => (index % 20 === 0 ? `${line}!` : line));
  const { added, removed, hunks } = diffTexts(lines.join("\n"), other.join("\n"));
  assert.deepEqual([added, removed, hunks.length], [100, 100, 100]);
});

test("texts without a line in common are counted, however long", () => {
  const lines = (word: string) => Array.from({ length: 50_000 }, (_, index) => `${word} ${index}\n`).join("");
  assert.deepEqual(diffTexts(lines("a"), lines("b")), { added: 50_000, removed: 50_000, hunks: [] });
});

test("a run that is damaged or unknown has nothing to be compared", async (t) => {
  const project = projectFor(t);
  await runFlow(project, "r-1", []);
  const journal = project.path(".wf/runs/r-1/progress.ndjson");
  fs.writeFileSync(journal, fs.readFileSync(journal, "utf8").slice(20));
  assert.equal((await project.wf(["diff", "r-1", "r-1"])).code, 5);
  assert.equal((await project.wf(["diff", "r-1", "r-9"])).code, 2);
  assert.equal((await project.wf(["diff", "r-1"])).code, 2);
});
