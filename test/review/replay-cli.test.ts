import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Rig } from "../cli/rig.ts";
import { checkOutput } from "../cli/schemas.ts";

const FLOW = `id: ship
inputs:
  loud: { type: boolean, default: false }
providers:
  robot: { command: [sh, -c, 'cat > /dev/null; echo "looked at it"'], output: text }
agents:
  helper: { provider: robot, permissions: read }
steps:
  - id: build
    retry: { max: 1, delay: 1ms }
    run: |
      echo "attempt $WF_ATTEMPT"
      test "$WF_ATTEMPT" = 2
      echo "size=7" >> "$WF_OUTPUT"
    outputs: { size: { type: integer } }
  - id: look
    type: agent_task
    agent: helper
    prompt: |
      Look at {{steps.build.outputs.size}} of {{workflow.run_dir}}.
  - id: shout
    when: inputs.loud
    run: echo LOUD
  - id: publish
    run: echo published
    next: done
  - id: never
    run: 'false'
outputs:
  size: '{{steps.build.outputs.size}}'
`;

async function ran(rig: Rig, text = FLOW): Promise<void> {
  rig.write("ship.yaml", text);
  const { code, stderr } = await rig.wf(["run", "ship.yaml", "--run-id", "r"]);
  assert.equal(code, 0, stderr);
}

/** Everything there is, and when it was last changed. */
function everything(rig: Rig): string[] {
  return readdirSync(rig.dir, { recursive: true, encoding: "utf8" })
    .map((path) => `${path} ${statSync(join(rig.dir, path)).mtimeMs}`)
    .sort();
}

test("a run is replayed on its own definition; nothing is run and nothing written", async (t) => {
  const rig = new Rig(t);
  await ran(rig);
  const before = everything(rig);
  // No program is there to be run, neither a shell nor an agent's client.
  const replayed = await rig.wf(["replay", "r"], { env: { PATH: "/nowhere" } });
  assert.deepEqual(replayed, {
    code: 0,
    stdout: ".wf/runs/r: the same, succeeded\ncompared 4 attempts, 1 skipped step\n",
    stderr: "",
  });
  assert.deepEqual(everything(rig), before);
  const { code, value } = await rig.json(["replay", "r", "--workflow", "ship.yaml"]);
  checkOutput("replay", value);
  assert.equal(code, 0);
  assert.deepEqual(value, {
    record: ".wf/runs/r",
    workflow: "ship",
    definition: "ship.yaml",
    status: "succeeded",
    same: true,
    counts: { attempts: 4, skipped: 1, decisions: 0, passedOver: 0 },
    notes: [],
    differences: [],
  });
});

test("another script, prompt and output of the run are shown, each with its line", async (t) => {
  const rig = new Rig(t);
  await ran(rig);
  rig.write(
    "ship.yaml",
    FLOW.replace('echo "attempt $WF_ATTEMPT"', 'echo "try $WF_ATTEMPT"')
      .replace("Look at", "Look well at")
      .replace("  size: '{{steps.build", "  bytes: '{{steps.build"),
  );
  const { code, stdout, stderr } = await rig.wf(["replay", "r", "--workflow", "ship.yaml"]);
  assert.deepEqual([code, stderr], [1, ""]);
  assert.equal(
    stdout,
    `.wf/runs/r: 4 differences

ship.yaml:12  build, attempt 1, has another script   [script]
    -echo "attempt $WF_ATTEMPT"
    +echo "try $WF_ATTEMPT"
     test "$WF_ATTEMPT" = 2
     echo "size=7" >> "$WF_OUTPUT"

ship.yaml:12  build, attempt 2, has another script   [script]
    -echo "attempt $WF_ATTEMPT"
    +echo "try $WF_ATTEMPT"
     test "$WF_ATTEMPT" = 2
     echo "size=7" >> "$WF_OUTPUT"

ship.yaml:20  look, attempt 1, has another prompt   [prompt]
    -Look at 7 of <run>.
    +Look well at 7 of <run>.

ship.yaml:30  the run has other outputs   [end]
     {
    -  "size": 7
    +  "bytes": 7
     }

compared 4 attempts, 1 skipped step
`,
  );
  const { value } = await rig.json(["replay", "r", "--workflow", "ship.yaml"]);
  checkOutput("replay", value);
});

const PATHS: readonly (readonly [name: string, from: string, to: string, stdout: string])[] = [
  [
    "another next",
    "next: done",
    "next: never",
    `ship.yaml:26  publish is followed by never, and was by done   [path]
    expected  publish → done (the step's next is done)
    actual    publish → never (the step's next is never)

compared 4 attempts, 1 skipped step
`,
  ],
  [
    "another when",
    "when: inputs.loud",
    "when: '!inputs.loud'",
    `ship.yaml:22  shout runs, and was skipped   [path]
    expected  skipped: when is false: inputs.loud
    actual    it runs

compared 3 attempts
`,
  ],
  [
    "an attempt that the record does not have",
    "  - id: publish\n",
    "  - id: test\n    run: 'true'\n  - id: publish\n",
    `ship.yaml:24  the step test is not in the record   [path]
    expected  shout → publish (shout was skipped)
    actual    shout → test (shout was skipped)

compared 3 attempts, 1 skipped step
`,
  ],
  [
    "a step that is gone",
    "  - id: shout\n    when: inputs.loud\n    run: echo LOUD\n",
    "",
    `.wf/runs/r/workflow.yaml:21  the step shout is not there any more   [path]
    expected  look → shout (next step in the file)
    actual    look → publish (next step in the file)

compared 3 attempts
`,
  ],
  [
    "a retry that is gone",
    "    retry: { max: 1, delay: 1ms }\n",
    "",
    `ship.yaml:9  the run ends, and the record goes on   [path]
    expected  attempt 2 of build
    actual    failed (EXIT_STATUS of build)

compared 1 attempt
`,
  ],
  [
    "an output that the record does not have",
    "outputs: { size: { type: integer } }",
    "outputs: { size: { type: integer }, name: { type: string } }",
    `ship.yaml:15  build declares the output name, and its attempt does not have it   [outputs]
    expected  size
    actual    name

compared 4 attempts, 1 skipped step
`,
  ],
  [
    "an output that its schema now refuses",
    "outputs: { size: { type: integer } }",
    "outputs: { size: { type: integer, maximum: 6 } }",
    `ship.yaml:15  the output size of build would not pass: it must be <= 6   [outputs]
    expected  {"type":"integer"}
    actual    {"type":"integer","maximum":6}

compared 4 attempts, 1 skipped step
`,
  ],
  [
    "an input that its schema now refuses",
    "loud: { type: boolean, default: false }",
    "loud: { type: boolean, const: true }",
    `ship.yaml:3  the input loud would be refused: it must be equal to constant   [inputs]
    expected  {"type":"boolean"}
    actual    {"type":"boolean","const":true}

compared 0 attempts
`,
  ],
  [
    "a template without a value",
    "run: echo published",
    "run: echo published {{steps.never.status}} {{steps.shout.outputs.volume}}",
    `ship.yaml:25  the templates of publish come to something else   [script]
    expected  every template has a value
    actual    step publish: {{steps.shout.outputs.volume}} has no value: there is no volume in steps.shout.outputs (there are none)

compared 3 attempts, 1 skipped step
`,
  ],
  [
    "an input that is gone",
    "inputs:\n  loud: { type: boolean, default: false }\n",
    "inputs:\n  quiet: { type: boolean }\n",
    "",
  ],
];

test("a changed schema is held only against what the one before took: places stand in a record as others", async (t) => {
  const rig = new Rig(t);
  const flow = (pattern: string) => `id: where
steps:
  - id: look
    run: echo "here=$PWD" >> "$WF_OUTPUT"
    outputs: { here: { type: string, pattern: ${pattern} } }
`;
  await ran(rig, flow("^/"));
  rig.write("ship.yaml", flow("^/."));
  assert.equal((await rig.wf(["replay", "r", "--workflow", "ship.yaml"])).code, 0);
});

for (const [name, from, to, expected] of PATHS) {
  test(`another way is named with its line: ${name}`, async (t) => {
    const rig = new Rig(t);
    await ran(rig);
    const changed = FLOW.replace(from, to);
    assert.notEqual(changed, FLOW);
    // What refers to an input is no concern of this one.
    const text = name === "an input that is gone" ? changed.replace("inputs.loud", "inputs.quiet") : changed;
    rig.write("ship.yaml", text);
    const { code, stdout, stderr } = await rig.wf(["replay", "r", "--workflow", "ship.yaml"]);
    assert.deepEqual([code, stderr], [1, ""]);
    if (expected !== "") assert.equal(stdout, `.wf/runs/r: 1 difference\n\n${expected}`);
    else
      assert.equal(
        stdout,
        `.wf/runs/r: 2 differences

ship.yaml:3  the input loud is not declared any more   [inputs]
    expected  loud
    actual    quiet

ship.yaml:3  the record has no value for the input quiet   [inputs]
    expected  loud
    actual    quiet

compared 0 attempts
`,
      );
  });
}

test("decisions of people are taken from the record, and what the gate shows is compared", async (t) => {
  const rig = new Rig(t);
  const text = `id: gated
steps:
  - { id: draft, run: 'echo "text=v$WF_ATTEMPT" >> "$WF_OUTPUT"', outputs: [text] }
  - id: sign_off
    message: 'Is {{steps.draft.outputs.text}} good?'
    on_reject: draft
  - { id: publish, run: echo published }
`;
  rig.write("gated.yaml", text);
  await rig.wf(["run", "gated.yaml", "--run-id", "r"]);
  const open = await rig.wf(["replay", "r"]);
  assert.deepEqual(open.stdout, ".wf/runs/r: the same, waiting\ncompared 2 attempts\n");
  await rig.wf(["reject", "r", "--comment", "not yet", "--resume"]);
  await rig.wf(["approve", "r", "--resume"]);
  const { code, stdout } = await rig.wf(["replay", "r"]);
  assert.deepEqual(
    [code, stdout],
    [0, ".wf/runs/r: the same, succeeded\ncompared 5 attempts, 2 decisions\n"],
  );
  rig.write("gated.yaml", text.replace("good?", "fine?").replace("on_reject: draft", "on_reject: fail"));
  const changed = await rig.wf(["replay", "r", "--workflow", "gated.yaml"]);
  assert.equal(changed.code, 1);
  assert.equal(
    changed.stdout,
    `.wf/runs/r: 2 differences

gated.yaml:5  sign_off, attempt 1, has another message   [gate]
    expected  Is v1 good?
    actual    Is v1 fine?

gated.yaml:6  sign_off is followed by fail, and was by draft   [path]
    expected  sign_off → draft (sign_off rejected)
    actual    sign_off → fail (sign_off rejected)

compared 2 attempts, 1 decision
`,
  );
});

test("a run that failed and was resumed is replayed as it went, with its last steps", async (t) => {
  const rig = new Rig(t);
  rig.write(
    "f.yaml",
    "id: f\nsteps:\n  - { id: a, run: 'true' }\n  - { id: b, run: test -e ok }\nfinally:\n  - { id: tidy, run: echo tidy }\n",
  );
  assert.equal((await rig.wf(["run", "f.yaml", "--run-id", "r"])).code, 1);
  rig.write("ok", "");
  assert.equal((await rig.wf(["resume", "r"])).code, 0);
  const { stdout } = await rig.wf(["replay", "r"]);
  assert.equal(stdout, ".wf/runs/r: the same, succeeded\ncompared 5 attempts\n");
  rig.write("f.yaml", rig.read("f.yaml").replace("test -e ok }", "test -e ok, allow_failure: true }"));
  const changed = await rig.wf(["replay", "r", "--workflow", "f.yaml"]);
  assert.match(changed.stdout, /^f\.yaml:4 {2}/m);
});

test("another end is named with what is responsible", async (t) => {
  const rig = new Rig(t);
  const text =
    "id: g\nsteps:\n  - { id: a, needs: [], run: exit 3 }\n  - { id: b, needs: [], run: 'true' }\n";
  rig.write("g.yaml", text);
  await rig.wf(["run", "g.yaml", "--run-id", "r", "--keep-going"]);
  rig.write("g.yaml", text.replace("run: exit 3 }", "run: exit 3, allow_failure: true }"));
  const { code, stdout } = await rig.wf(["replay", "r", "--workflow", "g.yaml"]);
  assert.equal(code, 1);
  assert.equal(
    stdout,
    `.wf/runs/r: 1 difference

g.yaml:3  the run ends otherwise   [end]
    expected  failed (EXIT_STATUS of a)
    actual    succeeded

compared 2 attempts
`,
  );
});

test("what is no record, and what is no workflow, is a mistake of usage", async (t) => {
  const rig = new Rig(t);
  await ran(rig);
  const nowhere = await rig.wf(["replay", "nothing"]);
  assert.equal(nowhere.code, 2);
  rig.write("bad.yaml", "id: ship\nsteps: []\n");
  const bad = await rig.wf(["replay", "r", "--workflow", "bad.yaml"]);
  assert.deepEqual([bad.code, bad.stdout], [2, ""]);
  const missing = await rig.wf(["replay", "r", "--workflow", "missing.yaml"]);
  assert.deepEqual(missing, {
    code: 2,
    stdout: "",
    stderr: "wf: there is no file missing.yaml   [FILE_NOT_FOUND]\n",
  });
});
