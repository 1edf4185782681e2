import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Parsed, Rig, ROOT } from "./rig.ts";
import { checkOutput } from "./schemas.ts";

const FIXTURES = join(ROOT, "fixtures/legacy");
const IDS = readdirSync(FIXTURES)
  .filter((name) => name !== "README.md")
  .map((name) => name.replace(/\.json$/, ""))
  .sort();

function withOlderRecords(t: TestContext): Rig {
  const rig = new Rig(t);
  cpSync(FIXTURES, rig.path(".wf/runs"), { recursive: true });
  return rig;
}

function recordOf(id: string): Parsed {
  const bare = join(FIXTURES, `${id}.json`);
  const path = readdirSync(FIXTURES).includes(`${id}.json`) ? bare : join(FIXTURES, id, "run.json");
  return JSON.parse(readFileSync(path, "utf8"));
}

test("there is an older record of every state, with and without inputs, as a file and as a folder", () => {
  const states = new Set(IDS.map((id) => recordOf(id).state));
  assert.deepEqual([...states].sort(), ["canceled", "failed", "queued", "running", "succeeded", "waiting"]);
});

for (const id of IDS) {
  test(`the older record ${id} is read by every command that reads, and not changed`, async (t) => {
    const rig = withOlderRecords(t);
    const record = recordOf(id);
    const status = await rig.json(["status", id, "--inputs"]);
    assert.deepEqual([status.code, status.value.status, status.value.legacy], [0, record.state, true]);
    assert.deepEqual(status.value.inputs, record.inputs ?? {});
    checkOutput("status", status.value);

    const progress = await rig.json(["progress", id]);
    assert.equal(progress.value.currentStepId, record.currentStepId ?? null);
    assert.equal(progress.value.inputCount, record.inputs ? Object.keys(record.inputs).length : null);
    checkOutput("progress", progress.value);

    for (const args of [
      ["status", id],
      ["progress", id],
      ["progress", id, "--follow"],
      ["logs", id],
      ["logs", id, "-f"],
    ]) {
      assert.equal((await rig.wf(args)).code, 0, args.join(" "));
    }
    if (record.currentStepId) {
      const show = await rig.json(["show", id, record.currentStepId]);
      assert.deepEqual([show.code, show.value.attempt], [0, record.currentAttempt]);
      checkOutput("show", show.value);
    }
    const listed = (await rig.json(["ls"])).value;
    checkOutput("ls", listed);
    assert.equal(listed.runs.find((run: Parsed) => run.runId === id).status, record.state);
    assert.deepEqual(
      readdirSync(rig.path(".wf/runs"), { recursive: true }),
      readdirSync(FIXTURES, { recursive: true }),
    );
  });

  for (const command of ["resume", "next", "cancel"]) {
    test(`wf ${command} refuses the older record ${id} and says why`, async (t) => {
      const { code, stdout, stderr } = await withOlderRecords(t).wf([command, id]);
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(
        stderr,
        /can be read but not resumed or canceled: it is a record from before inputs .* {3}\[LEGACY_RUN\]/,
      );
    });
  }
}

test("what wf status says of an older record", async (t) => {
  const rig = withOlderRecords(t);
  const { stdout } = await rig.wf(["status", "review-19"]);
  assert.equal(
    rig.plain(stdout),
    `run       review-19
workflow  plan_build_review
status    failed: step review exceeded its retry limit
started   <date>
updated   <date>
step      review, attempt 3
attempts  12 in all
inputs    none recorded
file      .wf/runs/review-19.json

It can be read and not resumed: it is a record from before inputs and the journal were kept, so what was done and what is left is not known.
`,
  );
});

test("wf ls shows older records by when they began, newest first", async (t) => {
  const { value } = await withOlderRecords(t).json(["ls"]);
  const ids = value.runs.map((run: Parsed) => run.runId);
  assert.deepEqual(ids, [
    "sweep-5",
    "import-88",
    "deploy-3",
    "quick-1",
    "review-19",
    "release-7",
    "nightly-0042",
  ]);
});
