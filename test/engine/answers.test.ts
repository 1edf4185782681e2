import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Parsed as Told } from "../cli/rig.ts";
import { checkOutput } from "../cli/schemas.ts";
import { check, sentences } from "../crash/checker.ts";
import { killEngine, letGo, needsLinux, TELL, untilAtWork } from "../rig/held.ts";
import { readJournal, readRun, untilEvent } from "../rig/journal.ts";
import { type Fault, type Project, projectFor, type Result } from "../rig/project.ts";
import { digestOf } from "../rig/tree.ts";

/** Steps of all types that can be answered; each that runs tells of itself in `effects`. */
const SHIP = `id: ship
inputs: { word: { type: string, default: one } }
providers:
  robot:
    command:
      - sh
      - -c
      - 'cat > /dev/null; echo "$WF_STEP_ID" >> effects; echo "[workflow_result]{\\"status\\":\\"succeeded\\",\\"summary\\":\\"\\",\\"plan\\":\\"paint it\\"}[/workflow_result]"'
    output: text
agents:
  helper: { provider: robot, permissions: read }
steps:
  - id: make
    run: |
      ${TELL}
      echo "{{inputs.word}} in {{workflow.run_dir}}" > "$WF_OUTPUT_PAGE"
      echo "size=7" >> "$WF_OUTPUT"
      echo "made in $WF_RUN_DIR"
    outputs: { size: { type: integer } }
    output_files: { page: page.txt }
  - id: flaky
    retry: { max: 1, delay: 1ms }
    run: '${TELL}; test "$WF_ATTEMPT" = 2'
  - id: plan
    agent: helper
    prompt: 'Plan {{steps.make.outputs.page}} of {{steps.make.outputs.size}}'
    outputs: [plan]
  - id: sign
    message: 'Is {{steps.plan.outputs.plan}} right for {{steps.make.outputs.page}}?'
  - id: use
    run: '${TELL}; grep -q one "{{steps.make.outputs.page}}"; echo "got={{steps.make.outputs.size}}" >> "$WF_OUTPUT"'
outputs:
  got: '{{steps.use.outputs.got}}'
`;

/** A run of the workflow that was approved, saved as the fixture `fx`; nothing in `effects`. */
async function saved(project: Project, text = SHIP): Promise<void> {
  project.write("ship.yaml", text);
  await project.wf(["run", "ship.yaml", "--run-id", "recorded"]);
  await project.wf(["approve", "recorded", "--comment", "yes", "--resume"]);
  const { code, stderr } = await project.wf(["fixture", "save", "recorded", "fx"]);
  assert.equal(code, 0, stderr);
  fs.rmSync(project.path("effects"), { force: true });
}

async function answered(project: Project, id: string, ...more: string[]): Promise<Result> {
  return await project.wf(["run", "ship.yaml", "--run-id", id, "--answers", "fx", ...more]);
}

/** What ran since the last call, in its order. */
function ran(project: Project): string[] {
  const lines = project.lines("effects");
  fs.rmSync(project.path("effects"), { force: true });
  return lines;
}

const at = (project: Project, id: string) => join(project.runsDir, id);

const attemptOf = (project: Project, id: string, place: string) =>
  JSON.parse(fs.readFileSync(join(at(project, id), "steps", place, "attempt.json"), "utf8"));

/** Why attempts were made although there was a fixture; by step. */
function notAnswered(project: Project, id: string): Record<string, string> {
  const lines = readJournal(at(project, id)).filter(({ volatile }) => volatile?.notAnswered !== undefined);
  return Object.fromEntries(
    lines.map(({ step, item, volatile }) => [
      item === undefined ? step : `${step}/${item}`,
      volatile.notAnswered,
    ]),
  );
}

async function isSound(project: Project, id: string): Promise<void> {
  const { code, stdout, stderr } = await project.wf(["verify", id]);
  assert.equal(code, 0, stdout + stderr);
}

describe("a run that a fixture answers", () => {
  test("nothing runs, and the run means what the fixture means", async (t) => {
    const project = projectFor(t);
    await saved(project);
    // No shell is there to be run, and no client of an agent.
    const { code, stdout, stderr } = await project.wf(
      ["run", "ship.yaml", "--run-id", "a", "--answers", "fx"],
      { env: { PATH: "/nowhere" } },
    );
    assert.equal(code, 0, stdout + stderr);
    assert.deepEqual(ran(project), []);
    await isSound(project, "a");
    const diff = await project.wf(["diff", "fx", "a"]);
    assert.equal(diff.stdout, "the same: both succeeded\n");
    const dir = at(project, "a");
    const page = fs.readFileSync(join(dir, "steps/make/attempt-1/outputs/page.txt"), "utf8");
    assert.equal(page, `one in ${dir}\n`, "its own folder, not that of the recorded run");
    assert.equal(fs.readFileSync(join(dir, "steps/make/attempt-1/stdout.log"), "utf8"), `made in ${dir}\n`);
    const { answeredFrom, ...record } = attemptOf(project, "a", "flaky/attempt-2");
    assert.equal(record.status, "succeeded");
    assert.deepEqual(
      { ...answeredFrom, sha256: answeredFrom.sha256.length },
      {
        fixture: "project:fx",
        attempt: "steps/flaky/attempt-2",
        sha256: 64,
      },
    );
    const { volatile } = readRun(dir);
    assert.equal(volatile.answers.fixture, "project:fx");
    assert.deepEqual(volatile.answered, { make: 1, flaky: 1, plan: 1, sign: 1, use: 1 });
  });

  test("only the step whose script has changed runs, if it comes to the same", async (t) => {
    const project = projectFor(t);
    await saved(project);
    project.write("ship.yaml", SHIP.replace('echo "size=7"', 'echo "size=$((3 + 4))"'));
    const { code, stdout, stderr } = await answered(project, "a");
    assert.equal(code, 0, stdout + stderr);
    assert.deepEqual(ran(project), ["make"]);
    assert.deepEqual(notAnswered(project, "a"), {
      make: 'line 3 of the script changed: `echo "size=7" >> "$WF_OUTPUT"` → `echo "size=$((3 + 4))" >> "$WF_OUTPUT"`',
    });
    await isSound(project, "a");
  });

  test("what depends on an output that has changed runs too, and nothing else", async (t) => {
    const project = projectFor(t);
    await saved(project);
    project.write("ship.yaml", SHIP.replace("size=7", "size=8"));
    const { code, stdout, stderr } = await answered(project, "a");
    assert.equal(code, 0, stdout + stderr);
    assert.deepEqual(ran(project), ["make", "plan", "use"]);
    assert.deepEqual(notAnswered(project, "a"), {
      make: 'line 3 of the script changed: `echo "size=7" >> "$WF_OUTPUT"` → `echo "size=8" >> "$WF_OUTPUT"`',
      plan: "its prompt.md is another one",
      use: "the value of steps.make.outputs.size changed: `7` → `8`",
    });
  });
});

/** A workflow of one file, run once and saved as the fixture `fx`. */
async function savedRun(project: Project, text: string, ...more: string[]): Promise<void> {
  project.write("ship.yaml", text);
  await project.wf(["run", "ship.yaml", "--run-id", "recorded", ...more]);
  const { code, stderr } = await project.wf(["fixture", "save", "recorded", "fx"]);
  assert.equal(code, 0, stderr);
  fs.rmSync(project.path("effects"), { force: true });
}

describe("what an attempt is given", () => {
  const GIVEN = `id: ship
inputs: { word: { type: string, default: one }, other: { type: string, default: x } }
env: { MODE: fast }
steps:
  - { id: byname, needs: [], run: '${TELL}; echo "{{inputs.word}}"' }
  - { id: byenv, needs: [], run: '${TELL}; echo "$WORD"', env: { WORD: '{{inputs.word}}' } }
  - { id: byvariable, needs: [], run: '${TELL}; echo "$WF_INPUT_WORD"' }
  - { id: apart, needs: [], run: '${TELL}; echo "$MODE {{inputs.other}} {{workflow.run_id}}"' }
  - { id: files, needs: [], input_files: [in.txt], run: '${TELL}; cat in.txt' }
`;
  const CASES: readonly (readonly [
    what: string,
    change: (project: Project) => readonly string[],
    runs: Readonly<Record<string, string>>,
  ])[] = [
    ["nothing has changed", () => [], {}],
    [
      "an input, wherever it is named",
      () => ["--input", "word=two"],
      {
        byname: "the value of inputs.word changed: `one` → `two`",
        byenv: "the variable WORD changed: `one` → `two`",
        byvariable: "the value of inputs.word changed: `one` → `two`",
      },
    ],
    [
      "the workflow's env",
      (project) => {
        project.write("ship.yaml", GIVEN.replace("MODE: fast", "MODE: slow"));
        return [];
      },
      Object.fromEntries(
        ["byname", "byenv", "byvariable", "apart", "files"].map((step) => [
          step,
          "the variable MODE changed: `fast` → `slow`",
        ]),
      ),
    ],
    [
      "what it declares to leave behind",
      (project) => {
        project.write("ship.yaml", GIVEN.replace("id: apart,", "id: apart, outputs: { n?: {} },"));
        return [];
      },
      { apart: "what the step declares as its outputs changed" },
    ],
    [
      "its folder",
      (project) => {
        project.write("ship.yaml", GIVEN.replace("id: byname,", "id: byname, cwd: .,"));
        return [];
      },
      { byname: "cwd changed: `` → `.`" },
    ],
    [
      "its shell",
      (project) => {
        project.write("ship.yaml", GIVEN.replace("id: byname,", "id: byname, shell: [sh],"));
        return [];
      },
      { byname: "the shell changed: `sh -e` → `sh`" },
    ],
    [
      "a file that it says it reads",
      (project) => {
        project.write("in.txt", "2\n");
        return [];
      },
      { files: "input file `in.txt` changed" },
    ],
    [
      "a step that is new",
      (project) => {
        project.write("ship.yaml", `${GIVEN}  - { id: fresh, needs: [], run: '${TELL}' }\n`);
        return [];
      },
      { fresh: "the fixture has no attempt of it" },
    ],
    [
      "what changes nothing that it is given",
      (project) => {
        const text = GIVEN.replace("id: byname,", "id: byname, retry: { max: 2 }, timeout: 9m,");
        project.write("ship.yaml", `# a comment\n${text}`);
        return [];
      },
      {},
    ],
  ];
  for (const [what, change, runs] of CASES) {
    test(`${what}: ${Object.keys(runs).join(", ") || "nothing"} runs`, async (t) => {
      const project = projectFor(t);
      project.write("in.txt", "1\n");
      await savedRun(project, GIVEN);
      const { stdout, stderr } = await answered(project, "a", ...change(project));
      assert.deepEqual(notAnswered(project, "a"), runs, stdout + stderr);
      assert.deepEqual(ran(project).sort(), Object.keys(runs).sort());
      await isSound(project, "a");
    });
  }
});

describe("agents and approvals", () => {
  for (const [what, from, to, why] of [
    ["another prompt", "Plan {{", "Plan well {{", "its prompt.md is another one"],
    [
      "other permissions",
      "permissions: read",
      "permissions: write",
      "its agent is called with other options",
    ],
    [
      "a model",
      "permissions: read",
      "permissions: read, model: big",
      "its agent is called with other options",
    ],
    [
      "a variable",
      "    agent: helper\n",
      "    agent: helper\n    env: { DEPTH: '2' }\n",
      "the variable DEPTH is new",
    ],
  ] as const) {
    test(`an agent with ${what} is asked again, and what comes after it is answered if it says the same`, async (t) => {
      const project = projectFor(t);
      await saved(project);
      assert.ok(SHIP.includes(from));
      project.write("ship.yaml", SHIP.replace(from, to));
      const { code, stdout, stderr } = await answered(project, "a");
      assert.equal(code, 0, stdout + stderr);
      assert.deepEqual(ran(project), ["plan"]);
      assert.deepEqual(notAnswered(project, "a"), { plan: why });
      await isSound(project, "a");
    });
  }

  test("an approval with another message waits for a person, and the run goes on with its answers", async (t) => {
    const project = projectFor(t);
    await saved(project);
    project.write("ship.yaml", SHIP.replace("Is {{", "Really {{"));
    const { code, stdout } = await answered(project, "a");
    assert.equal(code, 3, stdout);
    assert.deepEqual(notAnswered(project, "a"), { sign: "its message is another one" });
    assert.equal((await project.wf(["approve", "a", "--resume"])).code, 0);
    assert.deepEqual(ran(project), []);
    assert.equal(attemptOf(project, "a", "sign/attempt-1").answeredFrom, undefined);
    assert.equal(attemptOf(project, "a", "use/attempt-1").answeredFrom.attempt, "steps/use/attempt-1");
    await isSound(project, "a");
  });

  test("what an approval shows counts by its content", async (t) => {
    const project = projectFor(t);
    await saved(project);
    assert.equal((await answered(project, "a", "--input", "word=two")).code, 3);
    assert.deepEqual(notAnswered(project, "a").sign, "what it shows is another content");
  });

  const LOOP = `id: ship
steps:
  - id: draft
    run: '${TELL}; echo "$WF_ATTEMPT" > "$WF_OUTPUT_TEXT"'
    output_files: { text: text.txt }
  - id: sign
    message: 'Right? {{steps.draft.outputs.text}}'
    on_reject: draft
  - { id: last, run: '${TELL}' }
`;

  test("a rejection leads where it led, with its comment", async (t) => {
    const project = projectFor(t);
    project.write("ship.yaml", LOOP);
    await project.wf(["run", "ship.yaml", "--run-id", "recorded"]);
    await project.wf(["reject", "recorded", "--comment", "too short", "--resume"]);
    await project.wf(["approve", "recorded", "--resume"]);
    assert.equal((await project.wf(["fixture", "save", "recorded", "fx"])).code, 0);
    ran(project);
    const { code, stdout, stderr } = await answered(project, "a");
    assert.equal(code, 0, stdout + stderr);
    assert.deepEqual(ran(project), []);
    assert.equal((await project.wf(["diff", "fx", "a"])).code, 0);
    const decisions = readJournal(at(project, "a")).filter(({ event }) => event === "decision");
    assert.deepEqual(
      decisions.map(({ attempt, decision, comment, volatile }) => [attempt, decision, comment, volatile.by]),
      [
        [1, "reject", "too short", "project:fx"],
        [2, "approve", "", "project:fx"],
      ],
    );
    await isSound(project, "a");
  });

  test("an engine that stays decides it at once", async (t) => {
    const project = projectFor(t);
    await saved(project);
    const { code, stdout } = await answered(project, "a", "--wait");
    assert.equal(code, 0, stdout);
    assert.doesNotMatch(stdout, /wf approve/);
    assert.deepEqual(ran(project), []);
  });
});

describe("what the fixture does not wholly have", () => {
  test("an artifact that was cut, or is no text, is made again; what it is given to is answered", async (t) => {
    const project = projectFor(t);
    await savedRun(
      project,
      `id: ship
steps:
  - id: large
    run: '${TELL}; seq 20000 > "$WF_OUTPUT_LIST"'
    output_files: { list: list.txt }
  - id: binary
    run: '${TELL}; printf "\\0\\1" > "$WF_OUTPUT_BYTES"'
    output_files: { bytes: bytes.bin }
  - id: count
    run: '${TELL}; wc "{{steps.large.outputs.list}}" "{{steps.binary.outputs.bytes}}"'
`,
    );
    const { code, stdout, stderr } = await answered(project, "a");
    assert.equal(code, 0, stdout + stderr);
    assert.deepEqual(ran(project), ["large", "binary"]);
    assert.deepEqual(notAnswered(project, "a"), {
      large: "its output list is not wholly in the fixture",
      binary: "its output bytes is not wholly in the fixture",
    });
    await isSound(project, "a");
  });

  test("a log that was cut is no reason to run: it stays as the fixture has it", async (t) => {
    const project = projectFor(t);
    await savedRun(project, `id: ship\nsteps:\n  - { id: say, run: '${TELL}; seq 20000' }\n`);
    assert.equal((await answered(project, "a")).code, 0);
    assert.deepEqual(ran(project), []);
    assert.match(
      fs.readFileSync(join(at(project, "a"), "steps/say/attempt-1/stdout.log"), "utf8"),
      /^<cut> 108894 bytes, sha256 [0-9a-f]{64}; it begins:\n1\n/,
    );
    await isSound(project, "a");
    assert.equal((await project.wf(["diff", "fx", "a"])).code, 0);
  });

  test("what was redacted is known to nobody; what depends on it is answered, since it means the same", async (t) => {
    const project = projectFor(t);
    await savedRun(
      project,
      `id: ship
redact: ['took \\d+']
steps:
  - { id: value, run: '${TELL}; echo "said=took $(date +%s%N)" >> "$WF_OUTPUT"' }
  - id: file
    run: '${TELL}; echo "took $(date +%s%N)" > "$WF_OUTPUT_NOTE"'
    output_files: { note: note.txt }
  - { id: log, run: '${TELL}; echo "took $(date +%s%N)"' }
  - { id: use, run: '${TELL}; echo "{{steps.value.outputs.said}}"; cat "{{steps.file.outputs.note}}"' }
`,
    );
    const { code, stdout, stderr } = await answered(project, "a");
    assert.equal(code, 0, stdout + stderr);
    assert.deepEqual(ran(project), ["value", "file"]);
    assert.deepEqual(notAnswered(project, "a"), {
      value: "nobody knows what its output said was: some of it was redacted",
      file: "nobody knows what its output note was: some of it was redacted",
    });
    assert.equal((await project.wf(["diff", "fx", "a"])).code, 0);
    await isSound(project, "a");
  });

  test("places are put back as those of this run, in values and in names of files", async (t) => {
    const project = projectFor(t);
    await savedRun(
      project,
      `id: ship
steps:
  - id: tell
    run: |
      ${TELL}
      echo "where=$WF_RUN_DIR and $PWD and $WF_RUN_ID" >> "$WF_OUTPUT"
      echo "$WF_RUN_ID" > "$WF_OUTPUT_NAMED"
    outputs: { where: { type: string } }
    output_files: { named: 'of-{{workflow.run_id}}.txt' }
  - { id: use, run: '${TELL}; test -s "{{steps.tell.outputs.named}}"' }
`,
    );
    assert.equal((await answered(project, "again")).code, 0);
    assert.deepEqual(ran(project), []);
    const { outputs } = attemptOf(project, "again", "tell/attempt-1");
    const dir = at(project, "again");
    assert.equal(outputs.where.value, `${dir} and ${project.dir} and again`);
    assert.equal(outputs.named.file, "steps/tell/attempt-1/outputs/of-again.txt");
    assert.equal(fs.readFileSync(join(dir, outputs.named.file), "utf8"), "again\n");
    await isSound(project, "again");
    assert.equal((await project.wf(["diff", "fx", "again"])).code, 0);
  });
});

describe("items and nested runs", () => {
  const CHECKS = `id: ship
inputs: { names: { type: array, default: [a, b, c] } }
steps:
  - id: check
    foreach: '{{inputs.names}}'
    retry: { max: 1, delay: 1ms }
    run: |
      echo "{{item}}" >> effects
      test "{{item}}" != b || test "$WF_ATTEMPT" = 2
      echo "{{item}}" > "$WF_OUTPUT_REPORT"
    output_files: { report: report.txt }
  - { id: sum, run: '${TELL}; echo {{steps.check.outputs.report}}' }
`;

  test("items are answered by their number, with the retries that they had", async (t) => {
    const project = projectFor(t);
    await savedRun(project, CHECKS);
    const { code, stdout, stderr } = await answered(project, "again");
    assert.equal(code, 0, stdout + stderr);
    assert.deepEqual(ran(project), []);
    assert.equal((await project.wf(["diff", "fx", "again"])).stdout, "the same: both succeeded\n");
    assert.deepEqual(readRun(at(project, "again")).volatile.answered, { check: 3, sum: 1 });
    await isSound(project, "again");
  });

  test("only the item that is another runs, and what all of them go to", async (t) => {
    const project = projectFor(t);
    await savedRun(project, CHECKS);
    const { code, stdout, stderr } = await answered(project, "a", "--input", 'names=["a","b","d","e"]');
    assert.equal(code, 0, stdout + stderr);
    assert.deepEqual(ran(project).sort(), ["d", "e", "sum"]);
    const { sum, ...items } = notAnswered(project, "a");
    assert.deepEqual(items, {
      "check/2": "the value of item changed: `c` → `d`",
      "check/3": "the fixture has no attempt of it",
    });
    assert.match(sum ?? "", /^the value of steps\.check\.outputs\.report changed/);
    await isSound(project, "a");
  });

  const INNER = `id: region
inputs: [name]
steps:
  - id: push
    run: |
      echo "push {{inputs.name}}" >> effects
      echo "{{inputs.name}} in {{workflow.run_dir}}" > "$WF_OUTPUT_RECEIPT"
    output_files: { receipt: receipt.txt }
  - { id: tell, run: 'echo "tell {{inputs.name}}" >> effects; cat "{{steps.push.outputs.receipt}}"' }
outputs: { receipt: '{{steps.push.outputs.receipt}}' }
`;
  const OUTER = `id: ship
steps:
  - id: each
    foreach: [north, south]
    workflow: region.yaml
    with: { name: '{{item}}' }
  - { id: use, run: '${TELL}; echo {{steps.each.outputs.receipt}}' }
`;

  test("the steps of nested runs are answered one by one", async (t) => {
    const project = projectFor(t);
    project.write("region.yaml", INNER);
    await savedRun(project, OUTER);
    const whole = await answered(project, "a");
    assert.equal(whole.code, 0, whole.stdout + whole.stderr);
    assert.deepEqual(ran(project), []);
    assert.equal((await project.wf(["diff", "fx", "a"])).stdout, "the same: both succeeded\n");
    const path = "steps/each/item-1/attempt-1/run/steps/push/attempt-1";
    assert.deepEqual(attemptOf(project, "a", path.slice("steps/".length)).answeredFrom.attempt, path);
    await isSound(project, "a");

    project.write("region.yaml", INNER.replace('echo "tell', 'true; echo "tell'));
    const { code, stdout, stderr } = await answered(project, "b");
    assert.equal(code, 0, stdout + stderr);
    assert.deepEqual(ran(project).sort(), ["tell north", "tell south"]);
    await isSound(project, "b");
  });

  test("a nested run that is given something else: what that concerns runs", async (t) => {
    const project = projectFor(t);
    project.write("region.yaml", INNER);
    await savedRun(project, OUTER);
    project.write("ship.yaml", OUTER.replace("south", "west"));
    const { code, stdout, stderr } = await answered(project, "a");
    assert.equal(code, 0, stdout + stderr);
    assert.deepEqual(ran(project), ["push west", "tell west", "use"]);
    await isSound(project, "a");
  });

  test("an approval in a nested run is decided as it was", async (t) => {
    const project = projectFor(t);
    const text = `id: ship
steps:
  - id: deploy
    workflow:
      steps:
        - { id: ok, message: 'Really?' }
        - { id: go, run: '${TELL}' }
`;
    project.write("ship.yaml", text);
    await project.wf(["run", "ship.yaml", "--run-id", "recorded"]);
    await project.wf(["approve", "recorded", "deploy/ok", "--resume"]);
    assert.equal((await project.wf(["fixture", "save", "recorded", "fx"])).code, 0);
    ran(project);
    const { code, stdout, stderr } = await answered(project, "a");
    assert.equal(code, 0, stdout + stderr);
    assert.deepEqual(ran(project), []);
    const nested = "steps/deploy/attempt-1/run";
    const inner = await project.wf(["canon", join(at(project, "a"), nested)]);
    assert.match(inner.stdout, /"event":"decision","step":"ok","attempt":1,"decision":"approve"/);
    await isSound(project, "a");
  });
});

describe("a run with answers", () => {
  test("a retry after an attempt that was answered waits for nothing", async (t) => {
    const project = projectFor(t);
    await saved(project);
    project.write("ship.yaml", SHIP.replace("delay: 1ms", "delay: 1h"));
    assert.equal((await answered(project, "a")).code, 0);
    assert.deepEqual(ran(project), []);
  });

  test("--dry-run names the fixture, and says that it does not tell more; a bad one is refused", async (t) => {
    const project = projectFor(t);
    await savedRun(project, `id: ship\nsteps:\n  - { id: say, run: '${TELL}' }\n`);
    const args = ["run", "ship.yaml", "--dry-run", "--answers"];
    const { stdout } = await project.wf([...args, "fx"]);
    assert.match(stdout, /^answers +fx; which attempts it answers is known only when they are due$/m);
    const plan: unknown = JSON.parse((await project.wf([...args, "fx", "--json"])).stdout);
    checkOutput("plan", plan);
    assert.equal((plan as Told).answers, "project:fx");
    assert.equal((await project.wf([...args, "nowhere"])).code, 2);
    assert.deepEqual(project.runDirs(), [at(project, "recorded")]);
  });

  test("a step that is to be done again is done, and what comes after it", async (t) => {
    const project = projectFor(t);
    await saved(project);
    project.write("ship.yaml", SHIP.replace("; grep -q one", "; false; grep -q one"));
    assert.equal((await answered(project, "a")).code, 1);
    assert.deepEqual(ran(project), ["use"]);
    assert.equal((await project.wf(["resume", "a", "--from", "plan", "--until", "plan"])).code, 3);
    assert.deepEqual(ran(project), ["plan"]);
    assert.equal(notAnswered(project, "a").plan, "it was to be done again, by --from");
    assert.equal((await project.wf(["resume", "a"])).code, 3);
    assert.equal(notAnswered(project, "a").sign, "the fixture has no further attempt of it");
    await isSound(project, "a");
  });

  test("one attempt at a time, and a fork, which has no fixture", async (t) => {
    const project = projectFor(t);
    await saved(project);
    assert.equal((await answered(project, "a", "--until", "make")).code, 3);
    assert.equal((await project.wf(["next", "a"])).code, 0);
    assert.equal(attemptOf(project, "a", "flaky/attempt-1").answeredFrom.attempt, "steps/flaky/attempt-1");
    assert.ok(!fs.existsSync(join(at(project, "a"), "steps/flaky/attempt-2")));
    assert.equal((await project.wf(["resume", "a"])).code, 0);
    assert.deepEqual(ran(project), []);
    const { code, stderr } = await project.wf(["fork", "a@use", "--run-id", "f"]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(ran(project), ["use"]);
    assert.equal(readRun(at(project, "f")).volatile.answers, undefined);
    await isSound(project, "f");
  });

  test("a secret is compared with nothing, and stays out of the run", async (t) => {
    const project = projectFor(t);
    const text = `id: ship
inputs: { token: { secret: true } }
steps:
  - { id: use, run: '${TELL}; echo "said={{inputs.token}}" >> "$WF_OUTPUT"' }
  - { id: pass, run: '${TELL}; echo "{{steps.use.outputs.said}}"' }
`;
    project.write("ship.yaml", text);
    const env = { WF_SECRET_TOKEN: "abcdefgh-1" };
    await project.wf(["run", "ship.yaml", "--run-id", "recorded"], { env });
    assert.equal((await project.wf(["fixture", "save", "recorded", "fx"])).code, 0);
    ran(project);
    const { code, stdout, stderr } = await project.wf(
      ["run", "ship.yaml", "--run-id", "a", "--answers", "fx"],
      { env: { WF_SECRET_TOKEN: "another-secret-2" } },
    );
    assert.equal(code, 0, stdout + stderr);
    assert.deepEqual(ran(project), []);
    await isSound(project, "a");
  });

  test("a gate that a command decides decides as it did", async (t) => {
    const project = projectFor(t);
    await savedRun(
      project,
      `id: ship
steps:
  - { id: draft, run: '${TELL}' }
  - id: judge
    run: |
      ${TELL}
      if test "$WF_ATTEMPT" = 1; then echo decision=reject; else echo decision=approve; fi >> "$WF_OUTPUT"
    on_reject: draft
`,
    );
    assert.equal((await answered(project, "again")).code, 0);
    assert.deepEqual(ran(project), []);
    assert.equal((await project.wf(["diff", "fx", "again"])).code, 0);
    await isSound(project, "again");
  });
});

describe("a fixture that can not be used", () => {
  /** Refused with that code, and nothing is there but what was before. */
  async function refused(project: Project, args: readonly string[], expected: RegExp): Promise<void> {
    const before = project.runDirs();
    const { code, stderr } = await project.wf(["run", "ship.yaml", ...args]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, expected);
    assert.deepEqual(project.runDirs(), before);
    assert.deepEqual(ran(project), []);
  }

  test("one that is not there, is none, is damaged or is of another workflow is refused, and nothing is written", async (t) => {
    const project = projectFor(t);
    const text = `id: ship\nsteps:\n  - { id: say, run: '${TELL}; echo one' }\n`;
    await savedRun(project, text);
    await refused(project, ["--answers", "nowhere"], /nowhere is no fixture {3}\[RUN_NOT_FOUND\]/);
    await refused(project, ["--answers", ".wf/runs/recorded"], /recorded is no fixture {3}\[RUN_NOT_FOUND\]/);
    await refused(project, ["--answers", "ship.yaml"], /ship.yaml is no fixture {3}\[RUN_NOT_FOUND\]/);
    await refused(
      project,
      ["--answers", "fx", "--reuse", "recorded"],
      /--answers and --reuse can not be given together.*\[USAGE\]/,
    );
    project.write("ship.yaml", text.replace("id: ship", "id: other"));
    await refused(
      project,
      ["--answers", "fx"],
      /fx is a fixture of the workflow ship, not of other {3}\[ANSWERS_REFUSED\]/,
    );
    project.write("ship.yaml", text);
    const script = project.path("fx/steps/say/attempt-1/attempt.json");
    const whole = fs.readFileSync(script, "utf8");
    fs.writeFileSync(script, whole.replace('"exitCode": 0', '"exitCode": 1'));
    await refused(
      project,
      ["--answers", "fx"],
      /fx: steps\/say\/attempt-1\/attempt.json: it is not what the journal says {3}\[FIXTURE_INVALID\]/,
    );
    fs.rmSync(project.path("fx/progress.ndjson"));
    await refused(project, ["--answers", "fx"], /fx has no progress.ndjson {3}\[FIXTURE_INVALID\]/);
  });

  test("a resume needs the fixture as it was, and says what to do", async (t) => {
    const project = projectFor(t);
    await savedRun(
      project,
      `id: ship\nsteps:\n  - { id: say, run: '${TELL}' }\n  - { id: more, run: '${TELL}' }\n`,
    );
    assert.equal((await answered(project, "a", "--until", "say")).code, 3);
    const before = fs.readFileSync(join(at(project, "a"), "progress.ndjson"), "utf8");
    fs.renameSync(project.path("fx"), project.path("away"));
    const gone = await project.wf(["resume", "a"]);
    assert.equal(gone.code, 2);
    assert.match(
      gone.stderr,
      /can not go on with the answers of .*\/fx: .* is no fixture {3}\[ANSWERS_REFUSED\]/,
    );
    assert.match(
      gone.stderr,
      /restore the fixture, as with git checkout, or name one, perhaps as it is now: {2}wf resume RUN --answers FIXTURE/,
    );
    fs.renameSync(project.path("away"), project.path("fx"));
    const log = project.path("fx/steps/say/attempt-1/stdout.log");
    fs.appendFileSync(log, "more\n");
    const changed = await project.wf(["resume", "a"]);
    assert.equal(changed.code, 2);
    assert.match(
      changed.stderr,
      /it is not any more what it was when the run was told of it {3}\[ANSWERS_REFUSED\]/,
    );
    const reuse = await project.wf(["resume", "a", "--reuse", "recorded"]);
    assert.equal(reuse.code, 2);
    assert.match(reuse.stderr, /--answers and --reuse can not be given together/);
    assert.equal(fs.readFileSync(join(at(project, "a"), "progress.ndjson"), "utf8"), before);
    fs.writeFileSync(log, "");
    // What is written for people counts for nothing.
    fs.appendFileSync(project.path("fx/README.md"), "more\n");
    assert.equal((await project.wf(["resume", "a"])).code, 0);
    assert.deepEqual(ran(project), []);
    await isSound(project, "a");
  });
});

describe("a resume that names a fixture", () => {
  const TWO = `id: ship
steps:
  - { id: say, run: '${TELL}' }
  - { id: more, run: '${TELL}' }
`;

  test("the run's own as it is now, or another one, from then on", async (t) => {
    const project = projectFor(t);
    await savedRun(project, TWO);
    assert.equal((await answered(project, "a", "--until", "say")).code, 3);
    fs.appendFileSync(project.path("fx/steps/more/attempt-1/stdout.log"), "now\n");
    fs.cpSync(project.path("fx"), project.path("other"), { recursive: true });
    const { code, stderr } = await project.wf(["resume", "a", "--answers", "other"]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(ran(project), []);
    assert.equal(attemptOf(project, "a", "say/attempt-1").answeredFrom.fixture, "project:fx");
    assert.equal(attemptOf(project, "a", "more/attempt-1").answeredFrom.fixture, "project:other");
    assert.equal(readRun(at(project, "a")).volatile.answers.fixture, "project:other");
    await isSound(project, "a");
  });

  test("a run that had none", async (t) => {
    const project = projectFor(t);
    await savedRun(project, TWO);
    assert.equal((await project.wf(["run", "ship.yaml", "--run-id", "a", "--until", "say"])).code, 3);
    assert.deepEqual(ran(project), ["say"]);
    assert.equal((await project.wf(["resume", "a", "--answers", "fx"])).code, 0);
    assert.deepEqual(ran(project), []);
    await isSound(project, "a");
  });
});

describe("an engine that dies", { skip: needsLinux }, () => {
  const HELD = `id: ship
steps:
  - { id: one, needs: [], run: '${TELL}' }
  - id: held
    needs: [one]
    run: |
      echo "$WF_STEP_ID" >> effects
      while [ ! -e go-held ]; do sleep 0.02; done
  - { id: two, needs: [one], run: '${TELL}' }
  - { id: three, needs: [held, two], run: '${TELL}' }
`;

  test("a resume takes over what runs, and goes on with the same answers", async (t) => {
    const project = projectFor(t);
    letGo(project, "held");
    await savedRun(project, HELD);
    fs.rmSync(project.path("go-held"));
    project.write("ship.yaml", HELD.replace("sleep 0.02", "sleep 0.03"));
    const engine = project.start([
      "run",
      "ship.yaml",
      "--run-id",
      "a",
      "--answers",
      "fx",
      "--max-parallel",
      "1",
    ]);
    await untilAtWork(project, "held");
    await untilEvent(at(project, "a"), "attempt_ended", ({ record }) => record.step === "two");
    await killEngine({ engine, runDir: at(project, "a") });
    letGo(project, "held");
    await project.quiet();
    const { code, stdout, stderr } = await project.wf(["resume", "a"]);
    assert.equal(code, 0, stdout + stderr);
    assert.deepEqual(ran(project), ["held"]);
    assert.equal(attemptOf(project, "a", "three/attempt-1").answeredFrom.attempt, "steps/three/attempt-1");
    await isSound(project, "a");
  });

  /** The writes of a run with the id `traced`, in their order. */
  async function writesOf(project: Project): Promise<{ n: number; name: string; target: string }[]> {
    const trace = project.path("trace");
    await answeredWith(project, "traced", { trace });
    const lines = fs.readFileSync(trace, "utf8").split("\n").filter(Boolean);
    return lines.map((line) => JSON.parse(line));
  }

  async function answeredWith(project: Project, id: string, fault: Fault): Promise<void> {
    await project.wf(["run", "ship.yaml", "--run-id", id, "--answers", "fx"], { fault });
  }

  test("a person who decides before the next engine can ask is the one who decided", async (t) => {
    const project = projectFor(t);
    await saved(project);
    const asks = (await writesOf(project)).find(({ target }) => target.includes("/control/"));
    await answeredWith(project, "a", { at: asks?.n ?? 0, when: "before", does: "kill" });
    assert.equal((await project.wf(["approve", "a", "--comment", "mine"])).code, 0);
    assert.equal((await project.wf(["resume", "a"])).code, 0);
    assert.equal(attemptOf(project, "a", "sign/attempt-1").answeredFrom, undefined);
    const decided = readJournal(at(project, "a")).filter(({ event }) => event === "decision");
    assert.deepEqual(
      decided.map(({ comment }) => comment),
      ["mine"],
    );
    await isSound(project, "a");
  });

  test("killed at any write, it comes to the same by a resume: nothing that is answered runs", async (t) => {
    const project = projectFor(t);
    await saved(project);
    const fixture = digestOf(project.path("fx"));
    const writes = (await writesOf(project)).filter(({ target }) =>
      /\/traced\/(?:steps|control|progress)/.test(target),
    );
    assert.ok(writes.length > 30, "the fault rig sees the writes");
    const chosen = writes.filter(
      ({ target }, index) => target.includes("/control/") || index % Math.ceil(writes.length / 10) === 0,
    );
    for (const { n, name, target } of chosen) {
      const when = name.startsWith("write") ? "middle" : "before";
      const id = `at-${n}`;
      await answeredWith(project, id, { at: n, when, does: "kill" });
      if (!fs.existsSync(at(project, id))) continue;
      const { code, stdout, stderr } = await project.wf(["resume", id]);
      assert.equal(code, 0, `${name} ${target}: ${stdout}${stderr}`);
      assert.deepEqual(
        sentences(check({ runDir: at(project, id), phase: "recovered" })),
        [],
        `${name} ${target}`,
      );
      await isSound(project, id);
    }
    assert.deepEqual(ran(project), []);
    assert.equal(digestOf(project.path("fx")), fixture);
  });
});

describe("what is told of it", () => {
  /** `wf … --json`, held against its schema. */
  async function told(project: Project, args: readonly string[], schema: string): Promise<Told> {
    const { stdout, stderr } = await project.wf([...args, "--json"]);
    const document: unknown = JSON.parse(stdout || stderr);
    checkOutput(schema, document);
    return document as Told;
  }

  test("run, status, show and why say what was answered, and why the rest was not", async (t) => {
    const project = projectFor(t);
    await saved(project);
    project.write(
      "ship.yaml",
      SHIP.replace("Is {{", "Really {{").replace('echo "size=7"', 'echo "size=$((7))"'),
    );
    const { stdout } = await answered(project, "a");
    assert.match(stdout, /^ {2}answered: 2 of 5 steps$/m);
    assert.match(
      stdout,
      / a sign\/1 waits for a decision: Really .*, not answered: its message is another one$/m,
    );
    assert.match(stdout, / a make\/1 started, not answered: line 3 of the script changed: /);
    assert.match(stdout, / a flaky\/2 succeeded, answered from fx\/steps\/flaky\/attempt-2$/m);

    const status = await project.wf(["status", "a"]);
    assert.match(status.stdout, /^make +passed on attempt 1$/m);
    assert.match(status.stdout, /^flaky +passed on attempt 2 of 2, answered$/m);
    assert.equal((await told(project, ["status", "a"], "status")).steps.plan.answered, 1);

    const shown = await project.wf(["show", "a", "plan"]);
    assert.match(shown.stdout, /^status +succeeded, answered from fx\/steps\/plan\/attempt-1$/m);
    const show = await told(project, ["show", "a", "make"], "show");
    assert.match(show.notAnswered, /^line 3 of the script changed/);
    assert.match(
      (await project.wf(["show", "a", "make"])).stdout,
      /^made +the fixture does not answer it: line 3 of the script changed/m,
    );
    await told(project, ["show", "a", "plan"], "show");

    const why = await project.wf(["why", "a"]);
    assert.match(why.stdout, /^plan .*; answered from fx\/steps\/plan\/attempt-1$/m);
    assert.match(why.stdout, /^make .*; not answered: line 3 of the script changed/m);
    assert.match(why.stdout, /^sign .*; not answered: its message is another one/m);
    const story = await told(project, ["why", "a", "plan"], "why");
    assert.equal(story.steps[0].story[0].answeredFrom.attempt, "steps/plan/attempt-1");
    await told(project, ["why", "a", "make"], "why");

    const approved = await told(project, ["approve", "a", "--resume"], "approve");
    assert.deepEqual(approved.outcome.answered, { flaky: 1, plan: 1, use: 1 });
    const whole = await told(project, ["run", "ship.yaml", "--answers", "fx", "--until", "make"], "run");
    assert.deepEqual(whole.answered, {});
  });

  test("an engine that stays tells how to decide what the fixture does not decide", async (t) => {
    const project = projectFor(t);
    await saved(project);
    project.write("ship.yaml", SHIP.replace("Is {{", "Really {{"));
    const engine = project.start(["run", "ship.yaml", "--run-id", "a", "--answers", "fx", "--wait"]);
    await untilEvent(at(project, "a"), "attempt_started", ({ step }) => step === "sign");
    assert.equal((await project.wf(["approve", "a"])).code, 0);
    const { code, stdout } = await engine.ended;
    assert.equal(code, 0, stdout);
    assert.match(stdout, /approve: {2}wf approve a/);
  });
});
