import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { WfError } from "../../src/core/problem.ts";
import type { ForkRequest } from "../../src/engine/api.ts";
import { fork } from "../../src/engine/fork.ts";
import { makeRich } from "../review/rich.ts";
import { type Parsed, Rig } from "./rig.ts";
import { checkOutput } from "./schemas.ts";

/** Each step says which run it runs in, so that what is shared can be told from what ran again. */
const RELEASE = `id: release
inputs:
  channel: { type: string, enum: [stable, beta], default: stable }
steps:
  - id: build
    run: |
      echo "built in $WF_RUN_ID"
      echo bundle > "$WF_OUTPUT_BUNDLE"
      echo "size=7" >> "$WF_OUTPUT"
    output_files: { bundle: bundle.txt }
    outputs: { size: { type: integer } }
  - id: check
    run: |
      echo "checked in $WF_RUN_ID"
      echo '{"ok": true}' > "$WF_OUTPUT_REPORT"
    output_files: { report: report.json }
    outputs: { report: { type: object, required: [ok] } }
  - id: publish
    run: |
      echo "published in $WF_RUN_ID: $(cat "{{steps.build.outputs.bundle}}"), {{steps.build.outputs.size}}, {{inputs.channel}}"
outputs: { bundle: '{{steps.build.outputs.bundle}}' }
`;

const PARENT = "20261122-071630-release-k3f9";
const FORK = "20261123-071630-release-m4g8";

async function released(t: TestContext): Promise<Rig> {
  const rig = new Rig(t);
  rig.write("release.yaml", RELEASE);
  const { code, stdout } = await rig.wf(["run", "release.yaml", "--run-id", PARENT]);
  assert.equal(code, 0, stdout);
  return rig;
}

/** Every file of a run with what is in it; also where links are the same file. */
function contents(folder: string): Record<string, string> {
  const files = fs.readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  const digest = (path: string) => createHash("sha256").update(fs.readFileSync(path)).digest("hex");
  return Object.fromEntries(
    files.flatMap((name) => {
      const path = join(folder, name);
      return fs.statSync(path).isFile() ? [[name, digest(path)]] : [];
    }),
  );
}

function journal(rig: Rig, run: string): Parsed[] {
  const lines = rig.read(`.wf/runs/${run}/progress.ndjson`).trim().split("\n");
  return lines.map((line) => JSON.parse(line));
}

async function isSound(rig: Rig, run: string): Promise<void> {
  const { code, value } = await rig.json(["verify", run]);
  assert.deepEqual([code, value.findings], [0, []]);
}

const stdoutOf = (rig: Rig, run: string, step: string) =>
  rig.read(`.wf/runs/${run}/steps/${step}/attempt-1/stdout.log`);

test("a fork shares what came before the step, runs the rest, and leaves the other run as it was", async (t) => {
  const rig = await released(t);
  rig.write("better.txt", "better\n");
  const before = contents(rig.path(".wf/runs", PARENT));
  const args = [
    "fork",
    `${PARENT}@publish`,
    "--run-id",
    FORK,
    "-i",
    "channel=beta",
    "--set",
    "bundle=better.txt",
  ];
  const { code, stdout, stderr } = await rig.wf(args);
  assert.equal(
    rig.plain(stdout),
    `run <id of release> in .wf/runs/<id of release>
<time> m4g8 input channel changed from "stable" to "beta"
<time> m4g8 build/1 output bundle was replaced
<time> m4g8 publish/1 started
<time> m4g8 publish/1 succeeded in <took>
<time> m4g8 run succeeded

run <id of release> succeeded after <took>
  bundle = "steps/build/attempt-1/outputs/bundle.txt"
  folder:  .wf/runs/<id of release>
`.replaceAll("<time> m4g8", "<time> <run>"),
  );
  assert.match(stderr, /^note: 2 attempts of \S+k3f9 shared \(files: \d+ (reflinked|linked|copied)\)\n$/);
  assert.equal(code, 0);
  assert.equal(stdoutOf(rig, FORK, "build"), `built in ${PARENT}\n`);
  assert.equal(stdoutOf(rig, FORK, "publish"), `published in ${FORK}: better, 7, beta\n`);
  assert.deepEqual(contents(rig.path(".wf/runs", PARENT)), before);
  await isSound(rig, PARENT);
  await isSound(rig, FORK);
});

test("of what an engine's crash left in an attempt nothing is shared, and all that a step made is", async (t) => {
  const rig = await released(t);
  const attempt = "steps/build/attempt-1";
  const left = `${attempt}/.attempt.json.tmp-0a1b2c3d4e5f-7`;
  const own = `${attempt}/outputs/.bundle.tmp-1`;
  for (const path of [left, own]) rig.write(`.wf/runs/${PARENT}/${path}`, "");
  assert.equal((await rig.wf(["fork", `${PARENT}@publish`, "--run-id", FORK])).code, 0);
  const taken = [left, own].map((path) => fs.existsSync(rig.path(".wf/runs", FORK, path)));
  assert.deepEqual(taken, [false, true]);
});

test("what was changed is in the journal, the record and its digest agree with it", async (t) => {
  const rig = await released(t);
  rig.write("better.txt", "better\n");
  rig.write("nine", "9\n");
  const sets = ["--set", "bundle=better.txt", "--set", "build.size=nine"];
  assert.equal((await rig.wf(["fork", `${PARENT}@publish`, "--run-id", FORK, ...sets])).code, 0);
  const lines = journal(rig, FORK);
  const file = "steps/build/attempt-1/outputs/bundle.txt";
  const sha256 = createHash("sha256").update("better\n").digest("hex");
  const old = createHash("sha256").update("bundle\n").digest("hex");
  assert.deepEqual(
    lines.filter(({ event }) => event === "output_changed").map(({ at: _, seq: __, ...line }) => line),
    [
      {
        ...{ epoch: 2, run: FORK, event: "output_changed", step: "build", attempt: 1, output: "bundle" },
        ...{ old: { file }, new: { file, bytes: 7, sha256 }, volatile: { bytes: 7, sha256: old } },
      },
      {
        ...{ epoch: 2, run: FORK, event: "output_changed", step: "build", attempt: 1, output: "size" },
        ...{ old: { value: 7 }, new: { value: 9 } },
      },
    ],
  );
  const record = lines.find(
    ({ event, record }) => event === "attempt_ended" && record.step === "build",
  ).record;
  assert.deepEqual(record.outputs, { size: { value: 9 }, bundle: { file, bytes: 7, sha256 } });
  assert.deepEqual(JSON.parse(rig.read(`.wf/runs/${FORK}/steps/build/attempt-1/attempt.json`)), record);
  const inode = (run: string) => fs.statSync(rig.path(".wf/runs", run, file)).ino;
  assert.notEqual(inode(FORK), inode(PARENT));
});

test("nothing changed: the fork means the same as the run that it was made from", async (t) => {
  const rig = await released(t);
  assert.equal((await rig.wf(["fork", `${PARENT}@publish`, "--run-id", FORK])).code, 0);
  const { code, stdout } = await rig.wf(["diff", PARENT, FORK]);
  assert.deepEqual([code, stdout], [0, "the same: both succeeded\n"]);
  const canon = async (run: string) => (await rig.wf(["canon", run])).stdout;
  assert.equal(await canon(FORK), await canon(PARENT));
});

test("wf diff shows the change and what followed from it", async (t) => {
  const rig = await released(t);
  await rig.wf(["fork", `${PARENT}@publish`, "--run-id", FORK, "--input", "channel=beta"]);
  const { code, stdout } = await rig.wf(["diff", PARENT, FORK]);
  assert.equal(code, 1);
  assert.equal(
    rig.plain(stdout),
    `different: inputs, logs; both succeeded
--- <id of release>
+++ <id of release>

inputs
  channel  "stable" → "beta"

logs
  steps/publish/attempt-1/stdout.log
    @@ line 1, now 1 @@
    -published in <run-id>: bundle, 7, stable
    +published in <run-id>: bundle, 7, beta
`,
  );
});

test("where it came from is shown, also over several forks", async (t) => {
  const rig = await released(t);
  await rig.wf(["fork", `${PARENT}@publish`, "--run-id", FORK]);
  const third = await rig.json(["fork", `${FORK}@check/1`, "--run-id", "third"]);
  assert.equal(third.code, 0);
  checkOutput("run", third.value);
  const forkedFrom = {
    ...{ run: FORK, step: "check", attempt: 1 },
    earlier: [{ run: PARENT, step: "publish" }],
  };
  assert.deepEqual(third.value.forkedFrom, forkedFrom);
  const { value: status } = await rig.json(["status", "third"]);
  checkOutput("status", status);
  assert.deepEqual(status.forkedFrom, forkedFrom);
  const { stdout } = await rig.wf(["status", "third"]);
  const ancestry = `${FORK} before attempt 1 of check, which came from ${PARENT} before publish`;
  assert.ok(stdout.includes(`fork of   ${ancestry}\n`), stdout);
  const why = await rig.wf(["why", "third"]);
  assert.ok(why.stdout.includes(`it was forked from ${ancestry}\n`), why.stdout);
  assert.match(why.stdout, /^build +succeeded +reuse +first step in the file; shared with \S+m4g8$/m);
  checkOutput("why", (await rig.json(["why", "third"])).value);
  const { value: shown } = await rig.json(["show", "third", "build"]);
  checkOutput("show", shown);
  assert.equal(shown.sharedWith, FORK);
  assert.equal((await rig.json(["show", "third", "check"])).value.sharedWith, null);
  assert.equal(stdoutOf(rig, "third", "check"), "checked in third\n");
});

test("a run with agents and gates: what ran before a change keeps what it ran with", async (t) => {
  const rig = new Rig(t);
  const run = await makeRich(rig, "20261122-071630-rich-k3f9");
  const fork = "20261123-071630-rich-m4g8";
  rig.write("plan.txt", "another plan\n");
  const args = [`${run}@publish`, "--run-id", fork, "-i", "version=3.0", "--set", "make.plan=plan.txt"];
  const { code, stdout, stderr } = await rig.wf(["fork", ...args]);
  assert.equal(code, 0, stdout + stderr);
  await isSound(rig, fork);
  const context = JSON.parse(rig.read(`.wf/runs/${fork}/steps/ask/attempt-1/context.json`));
  assert.equal(context.inputs.version, "1.0");
  for (const args of [
    ["fixture", "save", fork, "kept"],
    ["fixture", "check", "kept"],
    ["replay", fork],
  ]) {
    const result = await rig.wf(args);
    assert.equal(result.code, 0, result.stdout + result.stderr);
  }
});

test("a fork can be made of a run that waits, failed or was canceled, and goes on like any other", async (t) => {
  const rig = new Rig(t);
  rig.write(
    "w.yaml",
    `id: w
inputs: { end: { type: string, default: '1' } }
steps:
  - { id: first, run: echo one }
  - { id: ask, type: approval, message: 'go on?' }
  - { id: last, run: 'exit {{inputs.end}}' }
`,
  );
  assert.equal((await rig.wf(["run", "w.yaml", "--run-id", "p"])).code, 3);
  const waits = await rig.wf(["fork", "p@ask", "--run-id", "w1"]);
  assert.equal(waits.code, 3, waits.stderr);
  assert.equal((await rig.wf(["approve", "w1", "--resume"])).code, 1);
  await isSound(rig, "w1");
  const mended = await rig.wf(["fork", "w1@last", "--run-id", "w2", "--input", "end=0"]);
  assert.equal(mended.code, 0, mended.stderr);
  await isSound(rig, "w2");
  assert.equal((await rig.wf(["cancel", "p"])).code, 0);
  assert.equal((await rig.wf(["fork", "p@ask", "--run-id", "w3"])).code, 3);
  assert.equal((await rig.wf(["reject", "w3", "--comment", "no", "--resume"])).code, 1);
  assert.equal((await rig.wf(["resume", "w3"])).code, 3);
  await isSound(rig, "w3");
  const not = await rig.wf(["fork", "p@last"]);
  assert.equal(not.code, 2);
  assert.match(
    not.stderr,
    /run 'p' can not be forked there: the run has not come to last {3}\[WRONG_STATE\]/,
  );
});

test("of a graph everything beside the step is shared, whatever its order was", async (t) => {
  const rig = new Rig(t);
  rig.write(
    "g.yaml",
    `id: g
steps:
  - { id: a, needs: [], run: 'echo a in $WF_RUN_ID' }
  - { id: b, needs: [a], run: 'echo b in $WF_RUN_ID' }
  - { id: c, needs: [a], run: 'echo c in $WF_RUN_ID' }
  - { id: d, needs: [b, c], run: 'echo d in $WF_RUN_ID' }
`,
  );
  await rig.wf(["run", "g.yaml", "--run-id", PARENT]);
  assert.equal((await rig.wf(["fork", `${PARENT}@b`, "--run-id", FORK])).code, 0);
  const ranIn = (step: string) => stdoutOf(rig, FORK, step).trim().split(" in ")[1];
  assert.deepEqual(["a", "b", "c", "d"].map(ranIn), [PARENT, FORK, PARENT, FORK]);
  await isSound(rig, FORK);
  assert.equal((await rig.wf(["diff", PARENT, FORK])).code, 0);
});

test("the steps' common workspace and the files of the definition come along, as copies", async (t) => {
  const rig = new Rig(t);
  rig.write("hello.md", 'Say {{inputs.x}}. [workflow_result]{"n": 1}[/workflow_result]\n');
  rig.write(
    "s.yaml",
    `id: s
inputs: { x: { type: string, default: x } }
providers: { echo: { command: [cat], output: text } }
agents: { own: { provider: echo } }
steps:
  - { id: one, workspace_mode: run_workspace, run: 'echo one >> made' }
  - { id: two, workspace_mode: run_workspace, run: 'echo two >> made; cat made' }
  - { id: ask, agent: own, prompt_file: hello.md, outputs: { n: { type: integer } } }
`,
  );
  await rig.wf(["run", "s.yaml", "--run-id", "p"]);
  assert.equal((await rig.wf(["fork", "p@two", "--run-id", "f"])).code, 0);
  assert.equal(stdoutOf(rig, "f", "two"), "one\ntwo\ntwo\n");
  assert.equal(rig.read(".wf/runs/p/workspace/made"), "one\ntwo\n");
  await isSound(rig, "f");
});

test("secrets are given again", async (t) => {
  const rig = new Rig(t);
  rig.write(
    "s.yaml",
    `id: s
inputs: { token: { secret: true } }
steps:
  - { id: one, run: 'echo "{{inputs.token}}"; echo made > "$WF_OUTPUT_F"', output_files: { f: f.txt } }
  - { id: two, run: 'echo "{{inputs.token}}"' }
`,
  );
  const env = { WF_SECRET_TOKEN: "correct-horse" };
  assert.equal((await rig.wf(["run", "s.yaml", "--run-id", "p"], { env })).code, 0);
  const without = await rig.wf(["fork", "p@two"]);
  assert.match(without.stderr, /SECRET_MISSING/);
  rig.write("leaks.txt", "it is correct-horse\n");
  const leaks = await rig.wf(["fork", "p@two", "--set", "f=leaks.txt"], { env });
  assert.match(leaks.stderr, /--set f: a secret of the run stands in leaks\.txt {3}\[INPUT_INVALID\]/);
  assert.equal((await rig.wf(["fork", "p@two", "--run-id", "f"], { env })).code, 0);
  assert.equal(stdoutOf(rig, "f", "two"), "***\n");
  await isSound(rig, "f");
  assert.ok(
    !Object.keys(contents(rig.dir)).some(
      (name) => rig.read(name).includes("correct-horse") && name !== "leaks.txt",
    ),
  );
});

/** What is asked for, and how it is refused. */
const MISTAKES: readonly (readonly [asked: Partial<ForkRequest>, code: string, message: RegExp])[] = [
  [{ step: "nowhere" }, "STEP_NOT_FOUND", /RUN@STEP: the workflow release has no step nowhere/],
  [{ attempt: 2 }, "WRONG_STATE", /publish has had 1 attempts, and no attempt 2/],
  [{ inputs: [input("channel", "gamma")] }, "INPUT_INVALID", /the input "channel" must be/],
  [{ inputs: [input("chanel", "beta")] }, "INPUT_UNKNOWN", /has no input "chanel"/],
  [{ outputs: [set("plan", "x.txt")] }, "USAGE", /--set plan: no shared step has such an output/],
  [{ step: "check", outputs: [set("report", "x.txt")] }, "USAGE", /--set report: no shared step has/],
  [{ outputs: [set("bundle", "none.txt")] }, "FILE_NOT_FOUND", /--set bundle: there is no file \S+none\.txt/],
  [{ outputs: [set("bundle", "empty.txt")] }, "INPUT_INVALID", /--set bundle: \S+empty\.txt is empty/],
  [{ outputs: [set("report", "x.txt")] }, "INPUT_INVALID", /--set report: \S+x\.txt is not JSON: /],
  [{ outputs: [set("report", "list.json")] }, "INPUT_INVALID", /--set report: what is in \S+list\.json must/],
  [{ outputs: [set("size", "x.txt")] }, "INPUT_INVALID", /--set size: what is in \S+x\.txt is not the JSON/],
  [{ outputs: [set("bundle", "x.txt"), set("bundle", "x.txt", "build")] }, "USAGE", /given more than once/],
  [{ runId: "p" }, "RUN_EXISTS", /p exists/],
  [{ runId: "../x" }, "BAD_RUN_ID", /can not be a run's id/],
  [{ runDir: "old.json" }, "LEGACY_RUN", /can not be forked/],
];

function input(name: string, value: string): ForkRequest["inputs"][number] {
  return { name, value, from: "argument" };
}

function set(output: string, file: string, step?: string): ForkRequest["outputs"][number] {
  return { output, file, ...(step !== undefined && { step }) };
}

test("what can not be is said, and nothing is made", async (t) => {
  const rig = new Rig(t);
  rig.write("release.yaml", RELEASE);
  for (const [file, text] of [
    ["x.txt", "x\n"],
    ["empty.txt", ""],
    ["list.json", "[1]\n"],
  ] as const)
    rig.write(file, text);
  await rig.wf(["run", "release.yaml", "--run-id", "p"]);
  const runsDir = rig.path(".wf/runs");
  rig.write("old/run.json", '{"runId":"old","workflowId":"release","state":"failed"}');
  const before = fs.readdirSync(runsDir);
  for (const [asked, code, message] of MISTAKES) {
    const request: ForkRequest = {
      ...{ runDir: join(runsDir, "p"), step: "publish", inputs: [], outputs: [], runsDir },
      ...asked,
      ...(asked.runDir && { runDir: rig.path("old") }),
      ...(asked.outputs && {
        outputs: asked.outputs.map((each) => ({ ...each, file: rig.path(each.file) })),
      }),
    };
    await assert.rejects(fork(request), (error: WfError) => {
      assert.match(error.message, message);
      assert.equal(error.code, code);
      return true;
    });
    assert.deepEqual(fs.readdirSync(runsDir), before, code);
  }
});

test("an artifact that is not what was recorded: exit code 5, and nothing is made", async (t) => {
  const rig = await released(t);
  const artifact = rig.path(".wf/runs", PARENT, "steps/build/attempt-1/outputs/bundle.txt");
  for (const breaks of [() => fs.writeFileSync(artifact, "bundlE\n"), () => fs.rmSync(artifact)]) {
    breaks();
    const { code, stderr } = await rig.wf(["fork", `${PARENT}@publish`]);
    assert.equal(code, 5);
    assert.match(stderr, /steps\/build\/attempt-1\/outputs\/bundle\.txt: it is .*\[RUN_DAMAGED\]/);
    assert.deepEqual(fs.readdirSync(rig.path(".wf/runs")).sort(), [".gitignore", PARENT]);
  }
  // What is replaced, or not shared, is not asked for.
  rig.write("x.txt", "x\n");
  assert.equal((await rig.wf(["fork", `${PARENT}@build`])).code, 0);
});

test("a person may have edited an artifact before it was shown and approved", async (t) => {
  const rig = new Rig(t);
  rig.write(
    "a.yaml",
    `id: a
steps:
  - { id: draft, run: 'echo draft > "$WF_OUTPUT_TEXT"', output_files: { text: t.md } }
  - { id: pause, run: 'true' }
  - { id: ask, type: approval, message: '{{steps.draft.outputs.text}}?' }
  - { id: send, run: 'cat "{{steps.draft.outputs.text}}"' }
`,
  );
  await rig.wf(["run", "a.yaml", "--run-id", "p", "--until", "pause"]);
  fs.writeFileSync(rig.path(".wf/runs/p/steps/draft/attempt-1/outputs/t.md"), "edited\n");
  await rig.wf(["resume", "p"]);
  assert.equal((await rig.wf(["approve", "p", "--resume"])).code, 0);
  assert.equal((await rig.wf(["fork", "p@send", "--run-id", "f"])).code, 0);
  assert.equal(stdoutOf(rig, "f", "send"), "edited\n");
  // Before anybody had seen it, it is but a file that is not what was recorded.
  assert.equal((await rig.wf(["fork", "p@ask"])).code, 5);
});

test("a definition that the run went on with comes along", async (t) => {
  const rig = new Rig(t);
  const steps = (two: string, three: string) =>
    `id: d\nsteps:\n  - { id: one, run: echo one }\n  - { id: two, run: ${two} }\n  - { id: three, run: ${three} }\n`;
  rig.write("d.yaml", steps("exit 1", "echo 3"));
  assert.equal((await rig.wf(["run", "d.yaml", "--run-id", "p"])).code, 1);
  rig.write("d.yaml", steps("echo mended", "echo three"));
  assert.equal((await rig.wf(["resume", "p", "--workflow", "d.yaml"])).code, 0);
  const { code, stderr } = await rig.wf(["fork", "p@three", "--run-id", "f"]);
  assert.equal(code, 0, stderr);
  assert.equal(rig.read(".wf/runs/f/steps/two/attempt-2/stdout.log"), "mended\n");
  assert.equal(stdoutOf(rig, "f", "three"), "three\n");
  assert.equal((await rig.wf(["resume", "f"])).code, 0);
  assert.equal((await rig.wf(["diff", "p", "f"])).code, 0);
});

test("a run that is driven is not forked", async (t) => {
  const rig = new Rig(t);
  rig.write(
    "h.yaml",
    "id: h\nsteps:\n  - { id: one, run: echo one }\n  - { id: two, run: 'echo began; read x < hold' }\n",
  );
  const { execFileSync } = await import("node:child_process");
  execFileSync("mkfifo", [rig.path("hold")]);
  const running = rig.start(["run", "h.yaml", "--run-id", "p"]);
  await running.says("two/1 started");
  const { code, stderr } = await rig.wf(["fork", "p@two"]);
  assert.equal(code, 4);
  assert.match(stderr, /run 'p' is driven by process \d+ on .*\[RUN_LOCKED\]/);
  fs.writeFileSync(rig.path("hold"), "go\n");
  assert.equal((await running.done()).code, 0);
});
