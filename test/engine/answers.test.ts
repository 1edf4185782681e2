import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { TELL } from "../rig/held.ts";
import { readJournal, readRun } from "../rig/journal.ts";
import { type Project, projectFor, type Result } from "../rig/project.ts";

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
