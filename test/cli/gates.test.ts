import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { who } from "./people.ts";
import { type Parsed, Rig } from "./rig.ts";
import { checkOutput } from "./schemas.ts";

/** A gate between two steps, and a step at the end. */
const RELEASE = `id: release
inputs:
  version: { type: string, default: '1.4.0' }
steps:
  - id: notes
    run: echo "try $WF_ATTEMPT" > "$WF_OUTPUT_NOTES"
    output_files: { notes: notes.md }
  - id: sign_off
    type: approval
    message: |
      Publish {{inputs.version}}?
      The notes: {{steps.notes.outputs.notes}}
    on_reject: notes
  - { id: publish, run: echo published }
finally:
  - { id: tidy, run: echo tidy }
`;

const ASKS = `sign_off asks:
  Publish 1.4.0?
  The notes: steps/notes/attempt-1/outputs/notes.md
  shown:    .wf/runs/r/steps/notes/attempt-1/outputs/notes.md
  approve:  wf approve r sign_off
  reject:   wf reject r sign_off --comment '…'
`;

/** A run `r` that waits for sign_off. */
async function waitingRun(t: TestContext): Promise<Rig> {
  const rig = new Rig(t);
  rig.write("release.yaml", RELEASE);
  const { code, stdout } = await rig.wf(["run", "release.yaml", "--run-id", "r"]);
  assert.equal(code, 3, stdout);
  return rig;
}

function journal(rig: Rig, event: string): Parsed[] {
  const lines = rig.read(".wf/runs/r/progress.ndjson").trim().split("\n");
  return lines.map((line) => JSON.parse(line)).filter((line) => line.event === event);
}

test("a run that waits ends with what is asked, and the two commands that decide it", async (t) => {
  const rig = new Rig(t);
  rig.write("release.yaml", RELEASE);
  const { code, stdout, stderr } = await rig.wf(["run", "release.yaml", "--run-id", "r"]);
  assert.deepEqual([code, stderr], [3, ""]);
  assert.equal(
    rig.plain(stdout),
    `run r in .wf/runs/r
<time> r notes/1 started
<time> r notes/1 succeeded in <took>
<time> r sign_off/1 waits for a decision: Publish 1.4.0? ⏎ The notes: steps/notes/attempt-1/outputs/notes.md
<time> r waiting: sign_off waits for a decision

run r waits after <took>: sign_off waits for a decision
  folder:  .wf/runs/r

${ASKS}`,
  );
});

test("status shows what is needed to decide, and which steps stand under finally", async (t) => {
  const rig = await waitingRun(t);
  const { stdout } = await rig.wf(["status", "r"]);
  assert.equal(
    rig.plain(stdout),
    `run       r
workflow  release   project:release.yaml
status    waiting: sign_off waits for a decision   [APPROVAL]
started   <date>, last event after <took>
engine    driven by nobody
folder    .wf/runs/r
next      wf approve or wf reject decides sign_off
inputs    version (string)

STEP            STATUS
notes           passed on attempt 1
sign_off        waits for a decision, attempt 1
publish         pending
tidy (finally)  pending

${ASKS}`,
  );
  const { value } = await rig.json(["status", "r"]);
  checkOutput("status", value);
  const file = "steps/notes/attempt-1/outputs/notes.md";
  assert.deepEqual(value.gates, [
    {
      name: "sign_off",
      step: "sign_off",
      attempt: 1,
      message: `Publish 1.4.0?\nThe notes: ${file}\n`,
      artifacts: [
        { file, path: rig.path(".wf/runs/r", file), sha256: value.steps.notes.outputs.notes.sha256 },
      ],
      commands: { approve: "wf approve r sign_off", reject: "wf reject r sign_off --comment '…'" },
      decided: null,
    },
  ]);
  assert.deepEqual([value.steps.tidy.finally, value.steps.publish.finally], [true, undefined]);
});

test("progress tells which human input is pending, and show what is asked", async (t) => {
  const rig = await waitingRun(t);
  const { value } = await rig.json(["progress", "r"]);
  checkOutput("progress", value);
  const { step, attempt, message, artifacts, commands } = value.pendingHumanInput;
  assert.deepEqual(
    [step, attempt, message.split("\n")[0], artifacts.length, commands.approve],
    ["sign_off", 1, "Publish 1.4.0?", 1, "wf approve r sign_off"],
  );
  const followed = await rig.wf(["progress", "r", "--follow"]);
  assert.match(followed.stdout, /sign_off\/1 waits for a decision: Publish 1\.4\.0\?/);
  const show = await rig.json(["show", "r", "sign_off"]);
  checkOutput("show", show.value);
  assert.deepEqual([show.value.status, show.value.gate.step], ["waiting", "sign_off"]);
  assert.match((await rig.wf(["show", "r", "sign_off"])).stdout, /^status {4}waits for a decision$/m);
});

test("approve without an engine leaves the decision to the next resume", async (t) => {
  const rig = await waitingRun(t);
  const approved = await rig.wf(["approve", "r"]);
  assert.deepEqual([approved.code, approved.stderr], [0, ""]);
  assert.equal(
    approved.stdout,
    `sign_off/1
  Publish 1.4.0?
  The notes: steps/notes/attempt-1/outputs/notes.md
  shown:    .wf/runs/r/steps/notes/attempt-1/outputs/notes.md
  approve:  ${who()}
sign_off/1 of run r is approved; nobody drives the run, the next resume takes the decision
resume:  wf resume r
`,
  );
  const status = await rig.wf(["status", "r"]);
  assert.match(
    status.stdout,
    / {2}decided: {2}approved by .*; the next wf resume takes it\n\nresume: {2}wf resume r\n$/,
  );
  assert.equal((await rig.json(["progress", "r"])).value.pendingHumanInput, null);
  const resumed = await rig.wf(["resume", "r"]);
  assert.equal(resumed.code, 0);
  assert.equal(rig.plain(resumed.stdout).split("\n")[1], `<time> r sign_off/1 ${who()} approves`);
  assert.match(resumed.stdout, /the run comes to its end as succeeded; its finally steps run/);
  const [decision] = journal(rig, "decision");
  assert.deepEqual([decision.decision, decision.comment, decision.volatile.by], ["approve", "", who()]);
});

test("reject --resume sends the run back with the comment, approve --resume ends it; all of it is told", async (t) => {
  const rig = await waitingRun(t);
  const rejected = await rig.wf(["reject", "r", "--comment", "no date\nin it", "--resume"]);
  assert.deepEqual([rejected.code, rejected.stderr], [3, ""]);
  assert.match(rejected.stdout, /sign_off\/1 .* rejects: no date ⏎ in it\n.* sign_off\/1 rejected in /);
  assert.match(
    rejected.stdout,
    /sign_off goes to notes: sign_off rejected\n.* notes\/2 started, entered again\n/,
  );
  assert.match(rejected.stdout, /^sign_off, attempt 2, asks:$/m);
  const { code, value } = await rig.json(["approve", "r", "sign_off", "--comment", "fine", "--resume"]);
  checkOutput("approve", value);
  assert.deepEqual(
    [code, value.result, value.outcome.status, value.attempt, value.comment],
    [0, "resumed", "succeeded", 2, "fine"],
  );
  const status = (await rig.wf(["status", "r"])).stdout;
  assert.match(rig.plain(status), /^sign_off {8}approved on attempt 2$/m);
  assert.equal(
    rig.plain(status.slice(status.indexOf("decisions:"))),
    `decisions:
  sign_off/1  rejected by ${who()}, <date>: no date ⏎ in it
  sign_off/2  approved by ${who()}, <date>: fine
`,
  );
  const show = await rig.wf(["show", "r", "sign_off/1"]);
  assert.match(rig.plain(show.stdout), /^status {4}rejected in <took>$/m);
  assert.match(show.stdout, /^decision {2}rejected by .*\ncomment {3}no date ⏎ in it\n/m);
  const shown = (await rig.json(["show", "r", "sign_off/1"])).value;
  checkOutput("show", shown);
  assert.deepEqual([shown.decision.by, shown.decision.comment], [who(), "no date\nin it"]);
  const final = (await rig.json(["status", "r"])).value;
  checkOutput("status", final);
  assert.deepEqual([final.steps.sign_off.decision, final.decisions.length], ["approve", 2]);
});

test("a command's own decision is told as such", async (t) => {
  const rig = new Rig(t);
  rig.write(
    "check.yaml",
    `id: check
steps:
  - id: check
    run: |
      if test $WF_ATTEMPT = 1; then d=reject; else d=approve; fi
      printf 'decision=%s\\nfeedback=because\\n' $d >> "$WF_OUTPUT"
    on_reject: check
`,
  );
  const { code, stdout } = await rig.wf(["run", "check.yaml", "--run-id", "r"]);
  assert.equal(code, 0);
  assert.match(stdout, /check\/1 rejected in .*\n.* check goes to check: check rejected\n/);
  const { value } = await rig.json(["status", "r"]);
  checkOutput("status", value);
  assert.deepEqual(
    value.decisions.map(({ attempt, decision, by, comment }: Parsed) => [attempt, decision, by, comment]),
    [
      [1, "reject", null, "because"],
      [2, "approve", null, "because"],
    ],
  );
  assert.match((await rig.wf(["status", "r"])).stdout, /^ {2}check\/1 {2}rejected by the step itself, /m);
});

test("what can not be decided is refused, and nothing is written", async (t) => {
  const rig = await waitingRun(t);
  const refused = async (...args: string[]) => {
    const { code, stdout, stderr } = await rig.wf(args);
    assert.deepEqual([code, stdout], [2, ""], args.join(" "));
    return stderr;
  };
  assert.equal(
    await refused("reject", "r"),
    "wf: a rejection needs a comment: what has to change   [USAGE]\n    wf reject RUN [STEP] --comment '…'\n",
  );
  assert.match(await refused("reject", "r", "--comment", "  "), /\[USAGE\]/);
  assert.match(await refused("approve", "r", "--project", "."), /--project is of use with --resume only/);
  assert.match(await refused("approve", "r", "nowhere"), /\[STEP_NOT_FOUND\]/);
  assert.equal(
    await refused("approve", "r", "notes"),
    "wf: notes does not wait for a decision   [NO_OPEN_GATE]\n    what waits: sign_off/1\n",
  );
  assert.match(await refused("approve", "r", "sign_off/2"), /there is no attempt 2/);
  assert.match(await refused("approve", "r", "--comment", "x".repeat(70_000)), /longer than 60000 bytes/);
  assert.deepEqual(readdirSync(rig.path(".wf/runs/r/control")), []);
  await rig.wf(["approve", "r", "--resume"]);
  assert.equal(
    await refused("approve", "r"),
    "wf: no gate of run r waits for a decision: the run is succeeded   [NO_OPEN_GATE]\n    look:  wf status r\n",
  );
});

test("of several gates one has to be named", async (t) => {
  const rig = new Rig(t);
  rig.write(
    "two.yaml",
    "id: two\nsteps:\n  - { id: one, needs: [], message: 'One?' }\n  - { id: other, needs: [], message: 'Other?' }\n",
  );
  assert.equal((await rig.wf(["run", "two.yaml", "--run-id", "r"])).code, 3);
  const { code, stderr } = await rig.wf(["approve", "r"]);
  assert.deepEqual(
    [code, stderr],
    [
      2,
      "wf: 2 gates of run r wait for a decision   [USAGE]\n    name one of them:\n      wf approve r one\n      wf approve r other\n",
    ],
  );
  assert.equal((await rig.wf(["approve", "r", "one", "--resume"])).code, 3);
  assert.equal((await rig.wf(["approve", "r", "--resume"])).code, 0);
});

test("an artifact that has changed since it was shown: the decision is refused and the gate opened again", async (t) => {
  const rig = await waitingRun(t);
  rig.write(".wf/runs/r/steps/notes/attempt-1/outputs/notes.md", "forged\n");
  const { code, stderr } = await rig.wf(["approve", "r", "--resume"]);
  assert.equal(code, 2);
  assert.equal(
    stderr,
    "sign_off/1 of run r was not approved: what was shown has changed since: steps/notes/attempt-1/outputs/notes.md; the gate is opened again\nlook:    wf status r\n",
  );
  const { value } = await rig.json(["status", "r"]);
  assert.deepEqual([value.status, value.gates[0].attempt, value.decisions], ["waiting", 2, []]);
  assert.equal(journal(rig, "decision").length, 0);
  assert.equal((await rig.wf(["approve", "r", "--resume"])).code, 0);
});

test("cancel at an open gate ends the run, after its finally steps", async (t) => {
  const rig = await waitingRun(t);
  assert.equal((await rig.wf(["cancel", "r"])).code, 0);
  const { value } = await rig.json(["status", "r"]);
  assert.deepEqual(
    [value.status, value.steps.sign_off.status, value.steps.tidy.status, value.gates],
    ["canceled", "canceled", "succeeded", []],
  );
  assert.equal((await rig.wf(["approve", "r"])).code, 2);
});

test("under GitHub Actions what a gate shows can not command the runner", async (t) => {
  const rig = new Rig(t);
  rig.write("g.yaml", "id: g\nsteps:\n  - id: ask\n    message: |\n      Fine?\n      ::set-env name=X::1\n");
  const { stdout } = await rig.wf(["run", "g.yaml"], { env: { GITHUB_ACTIONS: "true" } });
  let guarded = false;
  for (const line of stdout.split("\n")) {
    if (line.startsWith("::stop-commands::")) guarded = true;
    else if (/^::[0-9a-f]{32}::$/.test(line)) guarded = false;
    else assert.ok(guarded || !/^\s*::/.test(line), line);
  }
  assert.match(stdout, /^ {2}::set-env name=X::1$/m);
});
