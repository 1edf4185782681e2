import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Parsed, Rig, ROOT } from "./rig.ts";
import { checkOutput } from "./schemas.ts";

test("show tells one attempt whole", async (t) => {
  const rig = new Rig(t);
  rig.write(
    "retry.yaml",
    "id: retry\nsteps:\n  - id: flaky\n    retry: { max: 2, delay: 1ms }\n    run: |\n      echo try $WF_ATTEMPT\n      test $WF_ATTEMPT = 2\n",
  );
  await rig.wf(["run", "retry.yaml", "--run-id", "r"]);
  const { stdout } = await rig.wf(["show", "r", "flaky/1"]);
  assert.equal(
    rig.plain(stdout),
    `step      flaky
attempt   1 of 2
cause     first
status    failed in <took>: exit status 1
started   <date>
ended     <date>
exit      1
then      tried again: retry 1 of 2: exit status 1
folder    .wf/runs/r/steps/flaky/attempt-1

error: exit status 1   [EXIT_STATUS]
  hint: see stderr.log

script.sh:
  echo try $WF_ATTEMPT
  test $WF_ATTEMPT = 2

stdout.log, 6 bytes in all; the end of it:
  try 1
`,
  );
  const newest = (await rig.json(["show", "r", "flaky"])).value;
  checkOutput("show", newest);
  assert.deepEqual(
    [newest.attempt, newest.cause, newest.because],
    [2, "retry", "retry 1 of 2: exit status 1"],
  );
  const status = await rig.wf(["status", "r"]);
  assert.match(status.stdout, /^flaky {2}passed on attempt 2 of 3$/m);
  const missing = await rig.wf(["show", "r", "flaky/3"]);
  assert.deepEqual(
    [missing.code, missing.stderr],
    [2, "wf: flaky has had 2 attempts, there is no attempt 3   [STEP_NOT_FOUND]\n"],
  );
  const unknown = await rig.wf(["show", "r", "flakey"]);
  assert.equal(
    unknown.stderr,
    'wf: the workflow retry has no step "flakey"   [STEP_NOT_FOUND]\n    did you mean "flaky"? steps: flaky\n',
  );
});

test("logs shows what failed, and with --json each line by itself", async (t) => {
  const rig = new Rig(t);
  rig.write(
    "l.yaml",
    "id: l\nsteps:\n  - { id: a, run: echo a }\n  - { id: b, run: 'echo out; printf err >&2; exit 1' }\n",
  );
  await rig.wf(["run", "l.yaml", "--run-id", "r"]);
  assert.equal((await rig.wf(["logs", "r"])).stdout, "out\n\n==> b/1 stderr <==\nerr");
  assert.equal((await rig.wf(["logs", "r", "--stderr"])).stdout, "==> b/1 stderr <==\nerr");
  assert.equal((await rig.wf(["logs", "r", "a"])).stdout, "a\n");
  const lines = (await rig.wf(["logs", "r", "b/1", "--json"])).stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  for (const line of lines) checkOutput("logs", line);
  assert.deepEqual(lines, [
    { step: "b", attempt: 1, stream: "stdout", text: "out" },
    { step: "b", attempt: 1, stream: "stderr", text: "err" },
  ]);
});

test("what init writes is valid and runs, and is never written over", async (t) => {
  for (const template of ["sequence", "graph"]) {
    const rig = new Rig(t);
    const made = await rig.json(["init", "w.yaml", "--template", template]);
    checkOutput("init", made.value);
    assert.equal((await rig.wf(["validate", "w.yaml"])).code, 0);
    assert.equal((await rig.wf(["run", "w.yaml"])).code, 0);
    const before = rig.read("w.yaml");
    const again = await rig.wf(["init", "w.yaml"]);
    assert.deepEqual(
      [again.code, again.stderr],
      [2, "wf: w.yaml exists, and is left as it is   [USAGE]\n    name another file: wf init FILE\n"],
    );
    assert.equal(rig.read("w.yaml"), before);
  }
});

test("validate tells the problems of all files, and of all workflows of a workbook", async (t) => {
  const rig = new Rig(t);
  rig.write("good.yaml", "id: good\nsteps: [{ id: a, run: 'true' }]\n");
  rig.write(
    "book.yaml",
    "workflows:\n  - id: one\n    steps: [{ id: a, run: 'true' }]\n  - id: two\n    steps: [{ id: a, rnu: 'true' }]\n",
  );
  const good = await rig.wf(["validate", "good.yaml"]);
  assert.deepEqual(good, { code: 0, stdout: "good.yaml: good: no problems\n", stderr: "" });
  const { code, value } = await rig.json(["validate", "good.yaml", "book.yaml", "nowhere.yaml"]);
  checkOutput("validate", value);
  assert.equal(code, 2);
  assert.deepEqual(
    value.files.map(({ valid, workflows }: Parsed) => [valid, workflows]),
    [
      [true, ["good"]],
      [false, ["one"]],
      [false, []],
    ],
  );
  const codes = value.files.map(({ problems }: Parsed) => problems.map(({ code }: Parsed) => code));
  assert.deepEqual(codes, [[], ["MISSING_KEY", "UNKNOWN_KEY"], ["FILE_NOT_FOUND"]]);
});

test("validate reads the prompts and the workflows that a file names, and tells what is wrong with them after it", async (t) => {
  const rig = new Rig(t);
  const step = "agent: a, prompt_file: p.md";
  rig.write(
    "good/w.yaml",
    `id: w\nagents: { a: { provider: claude } }\nsteps: [{ id: a, ${step} }, { id: b, workflow: in/b.yaml }]\n`,
  );
  rig.write("good/p.md", "Do it.\n");
  rig.write("good/in/b.yaml", "id: b\nsteps: [{ id: a, run: 'true' }]\n");
  rig.write(
    "bad/w.yaml",
    "workflows:\n  - id: one\n    steps: [{ id: a, workflow: b.yaml }]\n  - id: two\n    steps: [{ id: a, rnu: 'true' }]\n",
  );
  rig.write("bad/b.yaml", "id: b\nsteps: [{ id: a, nur: 'true' }]\n");
  assert.equal((await rig.wf(["validate", "good/w.yaml"])).stdout, "good/w.yaml: w: no problems\n");
  const { value } = await rig.json(["validate", "bad/w.yaml"]);
  const places = value.files[0].problems.map(({ file, line }: Parsed) => `${file}:${line}`);
  assert.deepEqual(places, ["bad/w.yaml:5", "bad/w.yaml:5", "bad/b.yaml:2", "bad/b.yaml:2"]);
});

test("schema prints every schema that the package has", async (t) => {
  const rig = new Rig(t);
  const { value } = await rig.json(["schema"]);
  checkOutput("schema", value);
  const files = readdirSync(join(ROOT, "schemas"), { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".json"),
  );
  assert.equal(value.schemas.length, files.length);
  assert.equal(
    JSON.parse((await rig.wf(["schema", "cli/status"])).stdout).title,
    "What wf status --json prints",
  );
  const unknown = await rig.wf(["schema", "cli/statu"]);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /did you mean "cli\/status"\?/);
});

test("doctor finds this machine healthy, and a runs folder that is a file not", async (t) => {
  const rig = new Rig(t);
  const { code, value } = await rig.json(["doctor"]);
  checkOutput("doctor", value);
  assert.deepEqual([code, value.healthy], [0, true]);
  rig.write("file", "");
  const sick = await rig.wf(["doctor", "--runs-dir", "file/runs"]);
  assert.equal(sick.code, 1);
  assert.match(sick.stdout, /^failed +runs folder +/m);
});

test("ls tells of runs that can not be read, and filters", async (t) => {
  const rig = new Rig(t);
  rig.write("w.yaml", "id: w\nsteps: [{ id: a, run: 'exit 1' }]\n");
  await rig.wf(["run", "w.yaml", "--run-id", "one"]);
  rig.write(".wf/runs/broken/run.json", "nonsense");
  const { stdout } = await rig.wf(["ls"]);
  assert.equal(
    rig.plain(stdout).replace(/ +/g, " "),
    "RUN STATUS CREATED TOOK\none failed <date> <took> a failed on attempt 1: exit status 1\nbroken unreadable - - run.json is not readable\n",
  );
  assert.equal((await rig.json(["ls", "--status", "failed", "--workflow", "w"])).value.runs.length, 1);
  assert.equal((await rig.json(["ls", "--workflow", "v"])).value.runs.length, 0);
});

test("colour only where it is wanted", async (t) => {
  const rig = new Rig(t);
  const escaped = (text: string) => text.includes("\u001b[");
  const help = (env: Record<string, string>) => rig.wf(["status", "nothing"], { env });
  assert.equal(escaped((await help({})).stderr), false);
  assert.equal(escaped((await help({ FORCE_COLOR: "1" })).stderr), true);
  assert.equal(escaped((await help({ FORCE_COLOR: "1", NO_COLOR: "1" })).stderr), false);
});

test("where in the program an error arose is told only with WF_DEBUG=1", async (t) => {
  const rig = new Rig(t);
  const quiet = await rig.wf(["status", "nothing"]);
  assert.doesNotMatch(quiet.stderr, /\n\s+at /);
  const loud = await rig.wf(["status", "nothing"], { env: { WF_DEBUG: "1" } });
  assert.match(loud.stderr, /\n\s+at /);
});
