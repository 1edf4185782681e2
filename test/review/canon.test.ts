import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { canonicalForm } from "../../src/review/canon.ts";
import { formatForm, parseForm } from "../../src/review/canon-form.ts";
import { HELD_WORKFLOW, killEngine, letGo, needsLinux, startHeld } from "../rig/held.ts";
import { kill } from "../rig/processes.ts";
import { type Project, projectFor } from "../rig/project.ts";
import { digestOf } from "../rig/tree.ts";
import { until } from "../rig/wait.ts";
import { assertGolden } from "./golden.ts";
import { HERE, NOISY, runNoisy, THERE } from "./scenario.ts";

const text = async (path: string) => [...formatForm(await canonicalForm(path))].join("");

test("two runs that mean the same have the same bytes, whatever the circumstances", async (t) => {
  const [a, b] = [projectFor(t), projectFor(t)];
  const here = await runNoisy(a, HERE);
  const there = await runNoisy(b, THERE);
  const form = await text(here);
  assert.equal(await text(there), form);
  assertGolden("noisy.txt", form);

  const equal = await a.wf(["diff", here, there]);
  assert.deepEqual(equal, { code: 0, signal: null, stdout: "the same: both succeeded\n", stderr: "" });

  // From another folder, moved, read-only and without empty folders, as git would keep it.
  const copy = a.path("kept");
  fs.cpSync(there, copy, { recursive: true });
  for (const folder of ["lock", "control"]) fs.rmSync(join(copy, folder), { recursive: true });
  assert.equal(await text(copy), form);
  const before = digestOf(copy);
  assert.equal((await a.wf(["canon", copy])).stdout, form);
  assert.equal(digestOf(copy), before);
});

test("the canonical form of a canonical form is itself: of the folder, and of the text", async (t) => {
  const project = projectFor(t);
  const run = await runNoisy(project, HERE);
  const form = await text(run);
  const out = project.path("out");
  const written = await project.wf(["canon", run, "--out", out]);
  assert.equal(written.stdout, `${parseForm(form)?.length} files written to out\n`);
  assert.equal(await text(out), form);
  fs.writeFileSync(project.path("form.txt"), form);
  assert.equal(await text(project.path("form.txt")), form);
  assert.equal((await project.wf(["canon", "form.txt"])).stdout, form);
  // A page for people beside it is no part of it.
  fs.writeFileSync(join(out, "README.md"), "# A run\n");
  assert.equal(await text(out), form);

  const refused = await project.wf(["canon", run, "--out", out]);
  assert.equal(refused.code, 2);
  assert.equal(
    refused.stderr,
    `wf: ${out} is there and not empty   [USAGE]\n    name a folder that does not exist, or an empty one\n`,
  );
});

test("an empty log and an exit status, which its record has, count for nothing in an attempt, and elsewhere do", async (t) => {
  const project = projectFor(t);
  const file = project.write("w.yaml", SILENT);
  assert.equal((await project.wf(["run", file])).code, 0);
  const run = project.onlyRun();
  const form = await canonicalForm(run);
  const attempt = "steps/make/attempt-1";
  const inAttempt = form.flatMap(({ path }) => (path.startsWith(`${attempt}/`) ? path : []));
  const names = ["attempt.json", "script.sh", "stderr.log", "more/exit", "more/stdout.log"];
  assert.deepEqual(
    inAttempt,
    names.map((name) => `${attempt}/${name}`),
  );

  const out = project.path("out");
  await project.wf(["canon", run, "--out", out]);
  fs.writeFileSync(join(out, attempt, "stdout.log"), "");
  fs.writeFileSync(join(out, attempt, "exit"), "0\n");
  assert.deepEqual(await canonicalForm(out), form);
});

const SILENT = `id: silent
steps:
  - id: make
    run: cd "$WF_ATTEMPT_DIR" && mkdir more && touch more/stdout.log more/exit && echo no >&2
`;

test("what recovery and engines leave beside a run is no part of it", async (t) => {
  const project = projectFor(t);
  const run = await runNoisy(project, HERE);
  const form = await text(run);
  fs.writeFileSync(join(run, "progress.ndjson.torn-1"), '{"seq":');
  fs.writeFileSync(join(run, ".run.json.tmp-abc-1"), "{");
  fs.mkdirSync(join(run, "steps/late/attempt-9"));
  fs.writeFileSync(join(run, "steps/late/attempt-9/script.sh"), "never\n");
  fs.rmSync(join(run, "steps/early/attempt-1/attempt.json"));
  fs.rmSync(join(run, "run.json"));
  assert.equal(await text(run), form);
});

test("a real difference stays: each of these is one", async (t) => {
  const project = projectFor(t);
  const form = await text(await runNoisy(project, HERE));
  const changes: readonly (readonly [string, string])[] = [
    ["echo published", "echo Published"],
    ["Look at", "Look into"],
    ["Publish {{", "Really publish {{"],
    ['"1.4.0"', '"1.4.1"'],
    ["a\\0b", "a\\0c"],
    ["i < 900", "i < 901"],
    ["50%%\\rdone", "50%%\\rgone"],
  ];
  for (const [index, [from, to]] of changes.entries()) {
    assert.ok(NOISY.includes(from), from);
    const id = `changed-${index}`;
    const other = await text(await runNoisy(project, { ...THERE, id }, NOISY.replace(from, to)));
    const without = (whole: string) => parseForm(whole)?.filter(({ path }) => !DEFINED.has(path));
    assert.notDeepEqual(without(other), without(form), from);
  }
});

/** They hold the definition, or its digest. */
const DEFINED = new Set(["workflow.yaml", "run.json", "progress.ndjson"]);

for (const children of ["lived", "died"] as const) {
  test(`a run whose engine was killed, and whose step ${children}, means the same but for what tells of it`, {
    skip: needsLinux,
  }, async (t) => {
    const [plain, crashed] = [projectFor(t), projectFor(t)];
    const undisturbed = await heldRun(plain);
    const held = await startHeld(crashed);
    await killEngine(held);
    if (children === "died") {
      kill(crashed.processes().map(({ pid }) => pid));
      await until(() => crashed.processes().length === 0, "the step to end");
    }
    letGo(crashed, "held");
    const resumed = await crashed.wf(["resume", held.runDir]);
    assert.equal(resumed.code, 0, resumed.stderr);
    const { code, stdout } = await plain.wf(["diff", undisturbed, held.runDir]);
    assert.equal(code, 1);
    assertGolden(
      `crash-${children}.txt`,
      stdout.replaceAll(undisturbed, "UNDISTURBED").replaceAll(held.runDir, "CRASHED"),
    );
  });
}

async function heldRun(project: Project): Promise<string> {
  letGo(project, "held");
  const run = await project.wf(["run", project.write("held.yaml", HELD_WORKFLOW)]);
  assert.equal(run.code, 0, run.stderr);
  return project.onlyRun();
}

test("home and temporary folder are those that the engine recorded", async (t) => {
  const forms: string[] = [];
  for (const [home, tmp] of [
    ["/srv/ann's home", "/scratch/1"],
    ["/data/people/bob", "/var/scratch/b"],
  ] as const) {
    const project = projectFor(t);
    const run = ["run", project.write("w.yaml", PRINTS), "--input", `home=${home}`, "--input", `tmp=${tmp}`];
    assert.equal((await project.wf(run, { env: { HOME: home, TMPDIR: tmp } })).code, 0);
    forms.push(await text(project.onlyRun()));
  }
  assert.equal(forms[0]?.match(/^in .*$/m)?.[0], "in <home>/.cache, <home> and <tmp>/x");
  assert.equal(forms[1], forms[0]);
});

const PRINTS = `id: prints
inputs: [home, tmp]
steps:
  - id: print
    run: echo "in {{inputs.home}}/.cache, {{inputs.home}} and {{inputs.tmp}}/x"
`;

test("an id that is a word of the workflow is replaced only where it can be nothing else", async (t) => {
  const forms: string[] = [];
  for (const id of ["build", "20261122-071630-words-k3f9"]) {
    const project = projectFor(t);
    const file = project.write("w.yaml", WORDS);
    assert.equal((await project.wf(["run", file, "--run-id", id])).code, 0);
    forms.push(await text(project.onlyRun()));
  }
  assert.equal(forms[0], forms[1]);
});

const WORDS = `id: words
steps:
  - id: build
    run: |
      echo "to build in $WF_RUN_DIR/steps"
      echo "$WF_RUN_ID"
      echo "id=$WF_RUN_ID" >> "$WF_OUTPUT"
`;

test("a journal that somebody made up leads to no file outside of the run", async (t) => {
  const project = projectFor(t);
  await project.wf(["run", project.write("w.yaml", PRINTS), "--input", "home=/h", "--input", "tmp=/t"]);
  const run = project.onlyRun();
  project.write("secret/attempt-1/stdout.log", "secret");
  const [journal, snapshot] = [join(run, "progress.ndjson"), join(run, "run.json")];
  const lines = fs.readFileSync(journal, "utf8").trimEnd().split("\n");
  const made = { ...JSON.parse(lines[2] ?? ""), seq: lines.length + 1, step: "../../../../secret" };
  const whole = `${[...lines, JSON.stringify(made)].join("\n")}\n`;
  fs.writeFileSync(journal, whole);
  const known = fs.readFileSync(snapshot, "utf8");
  fs.writeFileSync(
    snapshot,
    known.replace(/"journalBytes": \d+/, `"journalBytes": ${Buffer.byteLength(whole)}`),
  );
  const form = await canonicalForm(run);
  assert.ok(!form.some(({ path, text }) => path.includes("..") || text === "secret"));
});

test("what is no run has no canonical form", async (t) => {
  const project = projectFor(t);
  fs.mkdirSync(project.path("empty"));
  const none = await project.wf(["canon", "./empty"]);
  assert.equal(none.code, 2);
  assert.match(none.stderr, /is no run directory/);
  assert.equal((await project.wf(["diff", "nope", "./empty"])).code, 2);
  project.write("old/run.json", JSON.stringify({ runId: "old", workflowId: "w", state: "completed" }));
  const old = await project.wf(["canon", "./old"]);
  assert.equal(old.code, 2);
  assert.match(old.stderr, /LEGACY_RUN/);
});
