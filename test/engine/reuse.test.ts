import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { checkOutput } from "../cli/schemas.ts";
import { check, sentences } from "../crash/checker.ts";
import { killEngine, letGo, needsLinux, TELL, untilAtWork } from "../rig/held.ts";
import { readJournal, readRun } from "../rig/journal.ts";
import { type Project, projectFor, type Result } from "../rig/project.ts";
import { digestOf } from "../rig/tree.ts";

/** Three steps that tell of themselves: `compile` and `lint` read a file each, `test` what `compile` made. */
const BUILD = `id: build
inputs: { version: { type: string, default: "1" } }
env: { MODE: fast }
steps:
  - id: compile
    needs: []
    cache: true
    input_files: [src/*.ts, '!src/lint.ts', { absent: stop }]
    run: |
      ${TELL}
      cat src/a.ts > "$WF_OUTPUT_BUNDLE"
      echo "made of $(wc -c < src/a.ts) bytes"
    output_files: { bundle: bundle.txt }
  - id: lint
    needs: []
    cache: true
    input_files: [src/lint.ts]
    run: '${TELL}; echo "warnings=0" >> "$WF_OUTPUT"'
  - id: test
    needs: [compile]
    cache: true
    run: '${TELL}; grep -q const "{{steps.compile.outputs.bundle}}"; echo "{{inputs.version}}"'
`;

function writeBuild(project: Project): void {
  project.write("build.yaml", BUILD);
  project.write("src/a.ts", "const a = 1;\n");
  project.write("src/b.ts", "const b = 1;\n");
  project.write("src/lint.ts", "x\n");
}

async function run(project: Project, id: string, ...more: string[]): Promise<Result> {
  const result = await project.wf(["run", "build.yaml", "--run-id", id, ...more]);
  assert.equal(result.code, 0, result.stdout + result.stderr);
  return result;
}

/** What ran since the last call, in no order. */
function ran(project: Project): string[] {
  const lines = project.lines("effects").sort();
  fs.rmSync(project.path("effects"), { force: true });
  return lines;
}

const at = (project: Project, id: string) => join(project.runsDir, id);
const inputsOf = (project: Project, id: string, place: string) =>
  JSON.parse(fs.readFileSync(join(at(project, id), "steps", place, "inputs.json"), "utf8"));

async function why(project: Project, id: string, ...more: string[]) {
  const { code, stdout, stderr } = await project.wf(["why", id, ...more, "--json"]);
  assert.equal(code, 0, stderr);
  const told = JSON.parse(stdout);
  checkOutput("why", told);
  return told;
}

/** `step: sentence; sentence` of each step whose command ran although something might have been reused. */
async function changed(project: Project, id: string): Promise<string[]> {
  const { steps } = await why(project, id);
  return steps.flatMap(({ step, inputs }: { step: string; inputs: { changed: string[] } | null }) =>
    inputs && inputs.changed.length > 0 ? [`${step}: ${inputs.changed.join("; ")}`] : [],
  );
}

function edit(project: Project, file: string, from: string, to: string): void {
  const text = fs.readFileSync(project.path(file), "utf8");
  assert.ok(text.includes(from), `${file} holds no ${from}`);
  fs.writeFileSync(project.path(file), text.replace(from, to));
}

async function isSound(project: Project, id: string): Promise<void> {
  const verified = await project.wf(["verify", id]);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
}

describe("a run that reuses an earlier one", { skip: needsLinux }, () => {
  test("nothing has changed: nothing runs, and everything says so", async (t) => {
    const project = projectFor(t);
    writeBuild(project);
    await run(project, "one");
    assert.deepEqual(ran(project), ["compile", "lint", "test"]);
    const before = digestOf(at(project, "one"));
    const { stdout } = await run(project, "two", "--reuse", "one");
    assert.deepEqual(ran(project), []);
    assert.match(stdout, /^\S+ two compile\/1 reused from one\/steps\/compile\/attempt-1$/m);
    assert.doesNotMatch(stdout, /started/);
    assert.match(stdout, /^ {2}reused: {2}3 of 3 steps$/m);
    const { volatile, steps } = readRun(at(project, "two"));
    assert.deepEqual(volatile.reused, { compile: 1, lint: 1, test: 1 });
    assert.deepEqual(volatile.reuse, { run: "one", dir: "../one" });
    const { sha256, ...bundle } = steps.compile.outputs.bundle;
    assert.deepEqual(bundle, { file: "steps/compile/attempt-1/outputs/bundle.txt", bytes: 13 });
    assert.deepEqual(steps.lint.outputs, { warnings: { value: "0" } });
    // No process was started, and none was got ready.
    const started = readJournal(at(project, "two")).filter(({ event }) => event === "attempt_started");
    assert.equal(started.length, 3);
    for (const { volatile } of started) assert.deepEqual(Object.keys(volatile), ["reusedFrom"]);
    assert.deepEqual(inputsOf(project, "two", "lint/attempt-1").volatile, {
      reusedFrom: { run: "one", path: "steps/lint/attempt-1" },
    });
    assert.match((await project.wf(["status", "two"])).stdout, /^compile +passed on attempt 1, reused$/m);
    assert.match(
      (await project.wf(["why", "two"])).stdout,
      /^lint .* reused from one\/steps\/lint\/attempt-1$/m,
    );
    assert.match(
      (await project.wf(["show", "two", "test"])).stdout,
      /^status +reused from one\/steps\/test\/attempt-1$/m,
    );
    for (const id of ["one", "two"]) await isSound(project, id);
    assert.deepEqual(sentences(check({ runDir: at(project, "two"), phase: "recovered" })), []);
    assert.equal(digestOf(at(project, "one")), before);
    // What was taken over can be taken over again, and tells where it ran.
    await run(project, "three", "--reuse", "two");
    assert.deepEqual(ran(project), []);
    assert.deepEqual(inputsOf(project, "three", "lint/attempt-1").volatile.reusedFrom, {
      run: "two",
      path: "steps/lint/attempt-1",
      ran: { run: "one", path: "steps/lint/attempt-1" },
    });
    // Nothing of it is needed any more.
    fs.rmSync(at(project, "one"), { recursive: true });
    fs.rmSync(at(project, "two"), { recursive: true });
    await isSound(project, "three");
    checkOutput("run", JSON.parse((await run(project, "four", "--reuse", "three", "--json")).stdout));
  });

  test("its canonical form is that of a run whose commands ran", async (t) => {
    const project = projectFor(t);
    writeBuild(project);
    // What a step prints may name its run.
    edit(project, "build.yaml", "made of", "$WF_RUN_ID in $WF_RUN_DIR: made of");
    edit(
      project,
      "build.yaml",
      'cat src/a.ts > "$WF_OUTPUT_BUNDLE"',
      'cat src/a.ts - > "$WF_OUTPUT_BUNDLE" <<< x',
    );
    edit(project, "build.yaml", "id: build\n", "id: build\nshell: bash\n");
    const ids = ["20260101-000000-build-aaaa", "20260101-000000-build-bbbb", "20260101-000000-build-cccc"];
    await run(project, ids[0] as string);
    await run(project, ids[1] as string, "--reuse", "aaaa");
    assert.equal(ran(project).length, 3);
    await run(project, ids[2] as string);
    const [, reused, again] = await Promise.all(
      ids.map(async (id) => (await project.wf(["canon", id])).stdout),
    );
    assert.equal(reused, again);
    assert.equal((await project.wf(["diff", "bbbb", "cccc"])).code, 0);
  });

  test("one file has changed: that step runs, and those whose values it changes", async (t) => {
    const project = projectFor(t);
    writeBuild(project);
    await run(project, "one");
    ran(project);
    project.write("src/a.ts", "const a = 2;\n");
    await run(project, "two", "--reuse", "latest");
    assert.deepEqual(ran(project), ["compile", "test"]);
    assert.deepEqual(await changed(project, "two"), [
      "compile: input file `src/a.ts` changed",
      "test: the content of steps.compile.outputs.bundle changed",
    ]);
    assert.deepEqual(inputsOf(project, "two", "compile/attempt-1").volatile.comparedWith, {
      run: "one",
      path: "steps/compile/attempt-1",
    });
    // A file that changes nothing of what comes out: the step runs, and what depends on it does not.
    project.write("src/b.ts", "const b = 2;\n");
    await run(project, "three", "--reuse", "latest");
    assert.deepEqual(ran(project), ["compile"]);
    // Neither a time nor a file that is taken away counts; a mode does.
    fs.utimesSync(project.path("src/a.ts"), 1, 1);
    await run(project, "four", "--reuse", "latest");
    assert.deepEqual(ran(project), []);
    fs.chmodSync(project.path("src/b.ts"), 0o755);
    await run(project, "five", "--reuse", "latest");
    assert.deepEqual(ran(project), ["compile"]);
    assert.deepEqual(await changed(project, "five"), ["compile: input file `src/b.ts` is executable now"]);
    project.write("src/new.ts", "");
    fs.rmSync(project.path("src/b.ts"));
    await run(project, "six", "--reuse", "latest");
    assert.deepEqual(ran(project), ["compile"]);
    assert.deepEqual(await changed(project, "six"), [
      "compile: input file `src/b.ts` is gone; input file `src/new.ts` is new",
    ]);
    await isSound(project, "six");
  });

  for (const [what, from, to, runs, says] of [
    [
      "a line of the script",
      'echo "made',
      'echo "was made',
      ["compile"],
      'compile: line 3 of the script changed: `echo "made of $(wc -c < src/a.ts) bytes"` → `echo "was made of $(wc -c < src/a.ts) bytes"`',
    ],
    [
      "env",
      "MODE: fast",
      "MODE: slow",
      ["compile", "lint", "test"],
      "lint: the variable MODE changed: `fast` → `slow`",
    ],
    [
      "the shell",
      "id: build\n",
      "id: build\nshell: bash\n",
      ["compile", "lint", "test"],
      /^lint: the shell changed: `sh -e` →/,
    ],
    [
      "the folder",
      "input_files: [src/lint.ts]",
      "input_files: [src/lint.ts]\n    cwd: src",
      ["lint"],
      "lint: cwd changed: `` → `src`",
    ],
    [
      "what is declared",
      "output_files: {",
      "outputs: [bundle]\n    output_files: {",
      ["compile"],
      "compile: what the step declares as its outputs changed",
    ],
    [
      "an absent file",
      "{ absent: stop }",
      "{ absent: halt }",
      ["compile"],
      "compile: the files that must be absent are other ones",
    ],
    ["a timeout, which changes no result", "needs: []", "needs: []\n    timeout: 5m", [], null],
  ] as const) {
    test(`${what} has changed in the workflow`, async (t) => {
      const project = projectFor(t);
      writeBuild(project);
      await run(project, "one");
      ran(project);
      edit(project, "build.yaml", from, to);
      // Steps work in the project, and tell of themselves where they are.
      await run(project, "two", "--reuse", "one");
      fs.appendFileSync(
        project.path("effects"),
        project
          .lines("src/effects")
          .map((line) => `${line}\n`)
          .join(""),
      );
      assert.deepEqual(ran(project), runs);
      const told = await changed(project, "two");
      if (says === null) assert.deepEqual(told, []);
      else
        assert.ok(
          told.some((line) => (typeof says === "string" ? line === says : says.test(line))),
          told.join("\n"),
        );
    });
  }

  test("an input has changed: only the steps that name it run; a result as it was is found again", async (t) => {
    const project = projectFor(t);
    writeBuild(project);
    await run(project, "one");
    ran(project);
    await run(project, "two", "--reuse", "one", "--input", "version=2");
    assert.deepEqual(ran(project), ["test"]);
    assert.deepEqual(await changed(project, "two"), ["test: the value of inputs.version changed: `1` → `2`"]);
    // The run that the latest one reused is looked into as well.
    await run(project, "three", "--reuse", "latest");
    assert.deepEqual(ran(project), []);
    assert.equal(inputsOf(project, "three", "test/attempt-1").volatile.reusedFrom.run, "one");
    // An input that a script reads from the environment counts, too.
    edit(project, "build.yaml", 'echo "warnings=0"', 'test -n "$WF_INPUT_VERSION"; echo "warnings=0"');
    await run(project, "four", "--reuse", "latest");
    await run(project, "five", "--reuse", "latest", "--input", "version=9");
    assert.deepEqual(ran(project), ["lint", "lint", "test"]);
  });

  test("a file that must be absent appears, one that must be there is gone: the attempt fails at once", async (t) => {
    const project = projectFor(t);
    writeBuild(project);
    await run(project, "one");
    ran(project);
    project.write("stop", "");
    const stopped = await project.wf(["run", "build.yaml", "--run-id", "two", "--reuse", "one"]);
    assert.equal(stopped.code, 1);
    const { reason } = readRun(at(project, "two"));
    assert.deepEqual([reason.code, reason.step], ["INPUT_FILE_PRESENT", "compile"]);
    assert.match(reason.message, /stop is there, and must be absent/);
    const replayed = await project.wf(["replay", "two"]);
    assert.equal(replayed.code, 0, replayed.stdout);
    fs.rmSync(project.path("stop"));
    fs.rmSync(project.path("src/lint.ts"));
    const missing = await project.wf([
      "run",
      "build.yaml",
      "--run-id",
      "three",
      "--keep-going",
      "--reuse",
      "latest",
    ]);
    assert.equal(missing.code, 1);
    assert.equal(readRun(at(project, "three")).steps.lint.error.code, "INPUT_FILE_MISSING");
    assert.deepEqual(ran(project), []);
    fs.mkdirSync(project.path("src/lint.ts"));
    const folder = await project.wf(["run", "build.yaml", "--run-id", "four", "--keep-going"]);
    assert.match(folder.stdout, /the input file src\/lint\.ts is a folder/);
    for (const id of ["two", "three", "four"]) await isSound(project, id);
  });

  test("an earlier attempt that is damaged is not taken over, and that is said", async (t) => {
    const project = projectFor(t);
    writeBuild(project);
    await run(project, "one");
    ran(project);
    const bundle = join(at(project, "one"), "steps/compile/attempt-1/outputs/bundle.txt");
    fs.writeFileSync(bundle, "const a = 7;\n");
    fs.rmSync(join(at(project, "one"), "steps/lint/attempt-1/stdout.log"));
    const { stderr } = await run(project, "two", "--reuse", "one");
    assert.deepEqual(ran(project), ["compile", "lint"]);
    assert.match(
      stderr,
      /note: steps\/lint\/attempt-1 of run one can not be reused: its stdout\.log is gone/,
    );
    assert.match(
      stderr,
      /note: steps\/compile\/attempt-1 of run one can not be reused: its output bundle has changed since/,
    );
    assert.deepEqual(await changed(project, "two"), [
      "compile: its output bundle has changed since (steps/compile/attempt-1/outputs/bundle.txt)",
      "lint: its stdout.log is gone",
    ]);
  });

  test("an earlier run that can not be used is refused before anything starts", async (t) => {
    const project = projectFor(t);
    writeBuild(project);
    project.write("other.yaml", "id: other\nsteps: [{ id: a, run: 'true' }]\n");
    assert.equal((await project.wf(["run", "other.yaml", "--run-id", "other"])).code, 0);
    await run(project, "one");
    await run(project, "hurt");
    ran(project);
    fs.writeFileSync(join(at(project, "hurt"), "progress.ndjson"), "what?\n");
    for (const [reuse, code, says] of [
      ["other", "REUSE_REFUSED", /a run of the workflow other, not of build/],
      ["hurt", "REUSE_REFUSED", /line 1/],
      ["nowhere", "RUN_NOT_FOUND", /nowhere/],
    ] as const) {
      const refused = await project.wf(["run", "build.yaml", "--run-id", "no", "--reuse", reuse]);
      assert.equal(refused.code, 2, refused.stdout);
      assert.match(refused.stderr, new RegExp(`\\[${code}\\]`));
      assert.match(refused.stderr, says);
      assert.equal(fs.existsSync(at(project, "no")), false);
    }
    assert.deepEqual(ran(project), []);
    // `latest` passes over what can not be used, and says so.
    const { stderr } = await run(project, "two", "--reuse", "latest");
    assert.match(stderr, /nothing can be taken from the run .*hurt/);
    assert.deepEqual(ran(project), []);
    // The first run of all has nothing to reuse, which is no mistake.
    const first = await project.wf(["run", "other.yaml", "--reuse", "latest", "--runs-dir", "elsewhere"]);
    assert.equal(first.code, 0);
    assert.match(first.stderr, /there is no earlier run of other/);
  });

  test("hard links are safe: neither the project nor a new run changes the earlier one", async (t) => {
    const project = projectFor(t);
    writeBuild(project);
    await run(project, "one");
    await run(project, "two", "--reuse", "one");
    const before = ["one", "two"].map((id) => digestOf(at(project, id)));
    project.write("src/a.ts", "const a = 3;\n");
    await run(project, "three", "--reuse", "two");
    assert.equal((await project.wf(["verify", "three", "--repair"])).code, 0);
    assert.deepEqual(
      ["one", "two"].map((id) => digestOf(at(project, id))),
      before,
    );
    for (const id of ["one", "two", "three"]) await isSound(project, id);
  });

  test("an attempt whose output names its run is not taken over", async (t) => {
    const project = projectFor(t);
    project.write(
      "build.yaml",
      `id: build
steps:
  - { id: a, cache: true, run: '${TELL}; echo "dir=$WF_OUTPUTS" >> "$WF_OUTPUT"' }
`,
    );
    await run(project, "one");
    await run(project, "two", "--reuse", "one");
    assert.deepEqual(ran(project), ["a", "a"]);
    assert.deepEqual(await changed(project, "two"), ["a: the value of its output dir names its run"]);
  });

  test("what a fork has put in the place of an output is not taken for what the command made", async (t) => {
    const project = projectFor(t);
    writeBuild(project);
    await run(project, "one");
    ran(project);
    project.write("other.txt", "const other = 1;\n");
    const forked = await project.wf(["fork", "one@test", "--run-id", "fork", "--set", "bundle=other.txt"]);
    assert.equal(forked.code, 0, forked.stderr);
    assert.deepEqual(ran(project), ["test"]);
    await run(project, "two", "--reuse", "fork");
    assert.deepEqual(ran(project), ["compile", "test"]);
    assert.equal(
      fs.readFileSync(join(at(project, "two"), "steps/compile/attempt-1/outputs/bundle.txt"), "utf8"),
      "const a = 1;\n",
    );
  });

  test("an input that changes while the command runs: it has succeeded, and is never taken over", async (t) => {
    const project = projectFor(t);
    project.write("in.txt", "before\n");
    project.write(
      "build.yaml",
      `id: build
steps:
  - { id: a, cache: true, input_files: [in.txt], run: '${TELL}; cat in.txt; echo "more $WF_RUN_ID" >> in.txt' }
`,
    );
    await run(project, "one");
    assert.deepEqual(inputsOf(project, "one", "a/attempt-1").volatile, {
      changedMeanwhile: ["input file `in.txt` changed"],
    });
    assert.match(
      (await project.wf(["why", "one"])).stdout,
      /can not be reused: input file `in\.txt` changed while it ran/,
    );
    project.write("in.txt", "before\n");
    await run(project, "two", "--reuse", "one");
    assert.deepEqual(ran(project), ["a", "a"]);
    assert.deepEqual(await changed(project, "two"), ["a: input file `in.txt` changed while it ran"]);
    await isSound(project, "two");
  });

  test("a step without cache runs, whatever it declares; one that is not a command never has inputs", async (t) => {
    const project = projectFor(t);
    writeBuild(project);
    edit(
      project,
      "build.yaml",
      "    cache: true\n    input_files: [src/lint.ts]",
      "    input_files: [src/lint.ts]",
    );
    await run(project, "one");
    await run(project, "two", "--reuse", "one");
    assert.deepEqual(ran(project), ["compile", "lint", "lint", "test"]);
    assert.equal(inputsOf(project, "two", "lint/attempt-1").volatile, undefined);
  });

  test("items are found by their values, not by their numbers", async (t) => {
    const project = projectFor(t);
    project.write(
      "build.yaml",
      `id: build
inputs: { names: { type: array } }
steps:
  - id: each
    foreach: '{{inputs.names}}'
    cache: true
    run: 'echo "{{item}}" >> effects; echo "hello {{item}}" > "$WF_OUTPUT_CARD"'
    output_files: { card: card.txt }
  - { id: all, cache: true, run: 'echo all >> effects; echo {{steps.each.outputs.card}}' }
`,
    );
    await run(project, "one", "--input", 'names=["ann","bob","cy"]');
    assert.deepEqual(ran(project), ["all", "ann", "bob", "cy"]);
    const { stdout } = await run(project, "two", "--reuse", "one", "--input", 'names=["cy","dan","ann"]');
    assert.deepEqual(ran(project), ["all", "dan"]);
    assert.match(stdout, /^\S+ two each\/item-0\/1 reused from one\/steps\/each\/item-2\/attempt-1$/m);
    assert.match(stdout, /^ {2}reused: {2}2 of 3 items of each$/m);
    const { steps, volatile } = readRun(at(project, "two"));
    assert.deepEqual(volatile.reused, { each: 2 });
    assert.equal(steps.each.outputs.card.list[0].file, "steps/each/item-0/attempt-1/outputs/card.txt");
    assert.equal(
      fs.readFileSync(join(at(project, "two"), "steps/each/item-0/attempt-1/outputs/card.txt"), "utf8"),
      "hello cy\n",
    );
    await run(project, "three", "--reuse", "two", "--input", 'names=["cy","dan","ann"]');
    assert.deepEqual(ran(project), []);
    await isSound(project, "three");
  });

  test("steps of a run in a run are taken from the run of the same step", async (t) => {
    const project = projectFor(t);
    project.write(
      "sub.yaml",
      `id: sub\nsteps: [{ id: inner, cache: true, input_files: [in.txt], run: ${TELL} }]\n`,
    );
    project.write("build.yaml", "id: build\nsteps: [{ id: outer, workflow: sub.yaml }]\n");
    project.write("in.txt", "1\n");
    await run(project, "one");
    await run(project, "two", "--reuse", "one");
    assert.deepEqual(ran(project), ["inner"]);
    await isSound(project, "two");
    project.write("in.txt", "2\n");
    await run(project, "three", "--reuse", "latest");
    assert.deepEqual(ran(project), ["inner"]);
  });

  test("what can be taken over needs no place among the steps that run", async (t) => {
    const project = projectFor(t);
    project.write(
      "build.yaml",
      `id: build
limits: { max_parallel: 1 }
steps:
  - { id: held, needs: [], run: 'echo held >> effects; while [ ! -e go-held ]; do sleep 0.02; done' }
  - { id: done, needs: [], cache: true, run: ${TELL} }
  - { id: after, needs: [done], cache: true, run: ${TELL} }
`,
    );
    letGo(project, "held");
    await run(project, "one");
    ran(project);
    fs.rmSync(project.path("go-held"));
    const engine = project.start(["run", "build.yaml", "--run-id", "two", "--reuse", "one"]);
    await untilAtWork(project, "held");
    // Both have ended while the only place is taken; what comes next in the journal is the end of that.
    letGo(project, "held");
    assert.equal((await engine.ended).code, 0);
    assert.deepEqual(ran(project), ["held"]);
    const order = readJournal(at(project, "two")).flatMap(({ event, record }) =>
      event === "attempt_ended" ? [record.step] : [],
    );
    assert.deepEqual(order, ["done", "after", "held"]);
  });
});

describe("reuse in one and the same run", { skip: needsLinux }, () => {
  test("a finished step stays as it is; what has changed since is said, with the command that does it again", async (t) => {
    const project = projectFor(t);
    writeBuild(project);
    await run(project, "one");
    ran(project);
    project.write("src/a.ts", "const a = 2;\n");
    const resumed = await project.wf(["resume", "one"]);
    assert.equal(resumed.code, 0);
    assert.deepEqual(ran(project), []);
    assert.match(
      resumed.stderr,
      /note: compile has passed, and stays as it is: input file `src\/a\.ts` changed since; wf run FILE --reuse one does/,
    );
    const { steps } = await why(project, "one");
    assert.deepEqual(
      steps.map(({ changedSince }: { changedSince: string[] }) => changedSince),
      [["input file `src/a.ts` changed"], [], []],
    );
    assert.match((await project.wf(["why", "one", "compile"])).stdout, /wf run FILE --reuse one does it/);
  });

  test("--from runs the step that it names, and what comes after it only as far as something has changed", async (t) => {
    const project = projectFor(t);
    writeBuild(project);
    const last = "  - { id: last, needs: [test, lint], run: 'test -e ok' }\n";
    fs.appendFileSync(project.path("build.yaml"), last);
    const resume = async (code: number) => {
      const resumed = await project.wf(["resume", "one", "--from", "compile"]);
      assert.equal(resumed.code, code, resumed.stdout + resumed.stderr);
    };
    assert.equal((await project.wf(["run", "build.yaml", "--run-id", "one"])).code, 1);
    ran(project);
    await resume(1);
    assert.deepEqual(ran(project), ["compile"]);
    assert.deepEqual(inputsOf(project, "one", "test/attempt-2").volatile.reusedFrom, {
      run: "one",
      path: "steps/test/attempt-1",
    });
    project.write("src/a.ts", "const a = 2;\n");
    await resume(1);
    assert.deepEqual(ran(project), ["compile", "test"]);
    await isSound(project, "one");
    // A run that has succeeded is not gone on with.
    project.write("ok", "");
    await resume(0);
    assert.deepEqual(ran(project), ["compile"]);
    const refused = await project.wf(["resume", "one", "--from", "compile"]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /wf run FILE --reuse one/);
  });

  test("a loop that comes to a step again takes over what it did, unless an input has changed", async (t) => {
    const project = projectFor(t);
    project.write("in.txt", "0\n");
    project.write(
      "build.yaml",
      `id: build
steps:
  - { id: make, cache: true, input_files: [in.txt], run: ${TELL} }
  - id: judge
    run: |
      ${TELL}
      n=$(wc -l < effects)
      if [ "$n" = 3 ]; then echo 1 > in.txt; fi
      if [ "$n" -lt 5 ]; then echo decision=reject >> "$WF_OUTPUT"; else echo decision=approve >> "$WF_OUTPUT"; fi
    on_reject: make
`,
    );
    await run(project, "one");
    // make, judge; taken over, judge (which changes the input); make, judge.
    assert.deepEqual(project.lines("effects"), ["make", "judge", "judge", "make", "judge"]);
    assert.equal(inputsOf(project, "one", "make/attempt-2").volatile.reusedFrom.path, "steps/make/attempt-1");
    await isSound(project, "one");
  });

  test("resume goes on with what the run was told to reuse, or with another that it is told", async (t) => {
    const project = projectFor(t);
    writeBuild(project);
    await run(project, "one");
    ran(project);
    edit(project, "build.yaml", "needs: [compile]", "needs: [compile]\n    when: 'inputs.version != \"\"'");
    const paused = await project.wf([
      "run",
      "build.yaml",
      "--run-id",
      "two",
      "--reuse",
      "one",
      "--until",
      "compile",
    ]);
    assert.equal(paused.code, 3);
    assert.equal((await project.wf(["resume", "two"])).code, 0);
    assert.deepEqual(ran(project), []);
    assert.equal(
      (await project.wf(["run", "build.yaml", "--run-id", "three", "--until", "compile"])).code,
      3,
    );
    assert.deepEqual(ran(project), ["compile"]);
    assert.equal((await project.wf(["resume", "three", "--reuse", "two"])).code, 0);
    assert.deepEqual(ran(project), []);
    assert.equal(readRun(at(project, "three")).volatile.reuse.run, "two");
    // What it was told is gone: it runs, and that is said.
    assert.equal(
      (await project.wf(["run", "build.yaml", "--run-id", "four", "--reuse", "two", "--until", "compile"]))
        .code,
      3,
    );
    for (const id of ["one", "two"]) fs.rmSync(at(project, id), { recursive: true });
    const alone = await project.wf(["resume", "four"]);
    assert.equal(alone.code, 0);
    assert.match(alone.stderr, /nothing can be taken from the run .*two.*done again/);
    assert.deepEqual(ran(project), ["lint", "test"]);
  });
});

describe("a crash while attempts are taken over", { skip: needsLinux }, () => {
  test("killed at any write: a resume comes to the same, and the earlier run is as it was", async (t) => {
    const project = projectFor(t);
    writeBuild(project);
    await run(project, "one");
    ran(project);
    const before = digestOf(at(project, "one"));
    const trace = project.path("trace");
    const reuse = (id: string) => ["run", "build.yaml", "--run-id", id, "--reuse", "one"];
    await project.wf(reuse("traced"), { fault: { trace } });
    const writes = fs
      .readFileSync(trace, "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { n: number; name: string; target: string });
    const taken = writes.filter(
      ({ target }) => target.includes("/traced/steps/") || target.includes("progress.ndjson"),
    );
    assert.ok(taken.length > 20, "the fault rig sees the links");
    const chosen = taken.filter((_, index) => index % Math.ceil(taken.length / 12) === 0);
    for (const { n, name, target } of chosen) {
      const when = name.startsWith("write") ? "middle" : "before";
      const id = `at-${n}`;
      await project.wf(reuse(id), { fault: { at: n, when, does: "kill" } });
      if (!fs.existsSync(at(project, id))) continue;
      const resumed = await project.wf(["resume", id]);
      assert.equal(resumed.code, 0, `${name} ${target}: ${resumed.stdout}${resumed.stderr}`);
      assert.deepEqual(
        sentences(check({ runDir: at(project, id), phase: "recovered" })),
        [],
        `${name} ${target}`,
      );
      await isSound(project, id);
    }
    assert.deepEqual(ran(project), []);
    assert.equal(digestOf(at(project, "one")), before);
  });

  test("a command that outlives its engine: its inputs are looked at again by the one that takes it over", async (t) => {
    const project = projectFor(t);
    project.write("in.txt", "1\n");
    project.write(
      "build.yaml",
      `id: build
steps:
  - { id: held, cache: true, input_files: [in.txt], run: 'echo held >> effects; while [ ! -e go-held ]; do sleep 0.02; done' }
`,
    );
    const engine = project.start(["run", "build.yaml", "--run-id", "one"]);
    await untilAtWork(project, "held");
    await killEngine({ engine, runDir: at(project, "one") });
    project.write("in.txt", "2\n");
    letGo(project, "held");
    await project.quiet();
    assert.equal((await project.wf(["resume", "one"])).code, 0);
    assert.deepEqual(inputsOf(project, "one", "held/attempt-1").volatile.changedMeanwhile, [
      "input file `in.txt` changed",
    ]);
  });
});
