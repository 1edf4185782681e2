import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { type Parsed, Rig } from "./rig.ts";
import { checkOutput } from "./schemas.ts";

const GREETING = `id: greeting
inputs:
  name: { type: string }
  times: { type: integer, default: 2 }
steps:
  - { id: hello, run: 'echo "hello {{inputs.name}}"' }
  - { id: never, when: inputs.times > 5, run: 'false' }
  - id: count
    run: echo "n={{inputs.times}}" >> "$WF_OUTPUT"
    outputs: [n]
outputs:
  n: '{{steps.count.outputs.n}}'
`;

const FAILING = `id: failing
steps:
  - { id: fine, needs: [], run: echo fine }
  - id: bad
    needs: [fine]
    retry: { max: 1, delay: 1ms }
    run: |
      printf 'first\\n\\033]0;title\\007second\\n' >&2
      exit 3
  - { id: later, needs: [bad], run: 'true' }
`;

test("a run tells each event in a line, and ends with its outputs and its folder", async (t) => {
  const rig = new Rig(t);
  rig.write("greeting.yaml", GREETING);
  const { code, stdout, stderr } = await rig.wf(["run", "greeting.yaml", "--input", "name=Ada"]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(
    rig.plain(stdout),
    `run <id of greeting> in .wf/runs/<id of greeting>
<time> <run> hello/1 started
<time> <run> hello/1 succeeded in <took>
<time> <run> never skipped: when is false: inputs.times > 5
<time> <run> count/1 started
<time> <run> count/1 succeeded in <took>
<time> <run> run succeeded

run <id of greeting> succeeded after <took>
  n = "2"
  folder:  .wf/runs/<id of greeting>
`,
  );
});

test("a failed run ends with the root cause, the end of its log, and the command to go on with", async (t) => {
  const rig = new Rig(t);
  rig.write("failing.yaml", FAILING);
  const { code, stdout } = await rig.wf(["run", "failing.yaml", "--run-id", "f"]);
  assert.equal(code, 1);
  assert.equal(
    rig.plain(stdout.slice(stdout.indexOf("\n\n") + 2)),
    `bad failed on attempt 2: exit status 3   [EXIT_STATUS]
  hint: see stderr.log
  not reached: later
  the end of steps/bad/attempt-2/stderr.log:
    | first
    | ^[]0;title^Gsecond

run f failed after <took>: bad failed on attempt 2: exit status 3
  folder:  .wf/runs/f
  look:    wf show f bad
  resume:  wf resume f
`,
  );
});

test("the command that a failed run names goes on with it", async (t) => {
  const rig = new Rig(t);
  rig.write(
    "mend.yaml",
    "id: mend\nsteps:\n  - { id: a, run: echo a >> ran }\n  - { id: b, run: 'echo b >> ran; test -e mended' }\n",
  );
  const { stdout } = await rig.wf(["run", "mend.yaml"]);
  const command = /^ {2}resume: {2}wf (.+)$/m.exec(stdout)?.[1] as string;
  rig.write("mended", "");
  const resumed = await rig.wf(command.split(" "));
  assert.equal(resumed.code, 0);
  assert.equal(rig.read("ran"), "a\nb\nb\n");
  const again = await rig.wf(["resume", "latest"]);
  assert.equal(again.code, 0);
  assert.equal(rig.plain(again.stdout), "run <id of mend> has succeeded already: nothing is left to do\n");
});

test("with --json a run prints one document", async (t) => {
  const rig = new Rig(t);
  rig.write("failing.yaml", FAILING);
  const { code, value } = await rig.json(["run", "failing.yaml", "--run-id", "f"]);
  checkOutput("run", value);
  assert.equal(code, 1);
  assert.deepEqual(
    [value.status, value.exitCode, value.reason.step, value.resume],
    ["failed", 1, "bad", "wf resume f"],
  );
});

test("a dry run says what would run, with which values, and writes nothing", async (t) => {
  const rig = new Rig(t);
  rig.write("greeting.yaml", GREETING);
  const args = ["run", "greeting.yaml", "--input", "name=Ada", "--dry-run"];
  const { code, stdout } = await rig.wf(args);
  assert.equal(code, 0);
  assert.equal(
    stdout,
    `workflow  greeting
project   .
runs      .wf/runs
inputs    name (string) = "Ada"
          times (number) = 2
steps     3, one after the other

1. hello
   | echo "hello \${WF_V_INPUTS_NAME}"
   WF_V_INPUTS_NAME = "Ada"

2. never   (when inputs.times > 5)
   | false

3. count
   | echo "n=\${WF_V_INPUTS_TIMES}" >> "$WF_OUTPUT"
   WF_V_INPUTS_TIMES = 2

nothing was run and nothing was written
`,
  );
  checkOutput("plan", (await rig.json(args)).value);
  assert.deepEqual(readdirSync(rig.path(".wf")), []);
});

test("--until pauses with exit code 3, next does one attempt and exits with 0, resume ends the run", async (t) => {
  const rig = new Rig(t);
  rig.write(
    "abc.yaml",
    "id: abc\nsteps: [{ id: a, run: 'true' }, { id: b, run: 'true' }, { id: c, run: 'true' }]\n",
  );
  const until = await rig.json(["run", "abc.yaml", "--until", "a"]);
  assert.deepEqual([until.code, until.value.status, until.value.reason.code], [3, "waiting", "PAUSED"]);
  const next = await rig.json(["next", "latest"]);
  checkOutput("run", next.value);
  assert.deepEqual([next.code, next.value.attempt], [0, { step: "b", attempt: 1, status: "succeeded" }]);
  assert.equal((await rig.wf(["resume", "latest"])).code, 0);
});

test("inputs come from arguments, files, standard input and an input file; arguments go first", async (t) => {
  const rig = new Rig(t);
  rig.write("in.yaml", "id: in\ninputs: [a, b, c, d, e]\nsteps: [{ id: s, run: 'true' }]\n");
  rig.write("b.txt", "from a file\n");
  rig.write("more.yaml", "a: loses\ne: [1, 2]\n");
  const args = [
    "run",
    "in.yaml",
    "-i",
    "a=x=y",
    "-i",
    "b=@b.txt",
    "-i",
    "c=@-",
    "-i",
    "d=@@at",
    "--input-file",
    "more.yaml",
  ];
  assert.equal((await rig.wf(args, { input: "from standard input" })).code, 0);
  const { value } = await rig.json(["status", "latest", "--inputs"]);
  assert.deepEqual(value.inputs, {
    a: "x=y",
    b: "from a file\n",
    c: "from standard input",
    d: "@at",
    e: [1, 2],
  });
  assert.deepEqual(value.inputShape, { a: "string", b: "string", c: "string", d: "string", e: "array" });
});

test("wrong inputs are told all at once, and nothing is written", async (t) => {
  const rig = new Rig(t);
  rig.write("greeting.yaml", GREETING);
  const repeated = await rig.wf(["run", "greeting.yaml", "-i", "name=a", "-i", "name=b", "-i", "x=@nofile"]);
  assert.equal(repeated.code, 2);
  assert.equal(
    repeated.stderr,
    `wf: the input "name" is given more than once   [INPUT_REPEATED]
wf: there is no file nofile   [FILE_NOT_FOUND]
`,
  );
  const wrong = await rig.json(["run", "greeting.yaml", "-i", "times=x", "-i", "nmae=a"]);
  checkOutput("error", wrong.value);
  assert.deepEqual(wrong.value.error.problems.map((problem: Parsed) => problem.code).sort(), [
    "INPUT_INVALID",
    "INPUT_MISSING",
    "INPUT_UNKNOWN",
  ]);
  assert.deepEqual(readdirSync(rig.path(".wf")), []);
});

test("a broken workflow file is told with its place; nothing is written", async (t) => {
  const rig = new Rig(t);
  rig.write("bad.yaml", "id: bad\nsteps:\n  - { id: a, rnu: 'true' }\n");
  const { code, stdout, stderr } = await rig.wf(["run", "bad.yaml"]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.equal(
    stderr,
    `bad.yaml:3:5: step a does not say what to run   [MISSING_KEY]
   3 |   - { id: a, rnu: 'true' }
     |     ^

bad.yaml:3:14: a step has no key "rnu"   [UNKNOWN_KEY]
   3 |   - { id: a, rnu: 'true' }
     |              ^^^
  hint: did you mean "run"?

wf: 2 problems in bad.yaml; nothing was started, nothing was written
`,
  );
  assert.equal(existsSync(rig.path(".wf/runs")), false);
});

test("a reader that goes away does not hurt the run", async (t) => {
  const rig = new Rig(t);
  rig.write(
    "many.yaml",
    `id: many\nsteps:\n${Array.from({ length: 30 }, (_, n) => `  - { id: s${n}, run: 'true' }`).join("\n")}\n`,
  );
  const running = rig.start(["run", "many.yaml", "--run-id", "m"]);
  await running.says("run m");
  running.child.stdout?.destroy();
  const { code, stderr } = await running.done();
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal((await rig.json(["status", "m"])).value.status, "succeeded");
});

test("a runs folder that can not be made is told in a sentence, with exit code 6", async (t) => {
  const rig = new Rig(t);
  rig.write("greeting.yaml", GREETING);
  rig.write("file", "");
  const { code, stdout, stderr } = await rig.wf([
    "run",
    "greeting.yaml",
    "-i",
    "name=a",
    "--runs-dir",
    "file/runs",
  ]);
  assert.deepEqual([code, stdout], [6, ""]);
  assert.match(stderr, /^wf: can not .*a part of the path is not a folder \(ENOTDIR\) {3}\[IO_ERROR\]\n/);
  assert.doesNotMatch(stderr, /\n {4}at /);
});
