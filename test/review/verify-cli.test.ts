import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { RULES } from "../../src/review/verify-rules.ts";
import { type Parsed, Rig, ROOT } from "../cli/rig.ts";
import { checkOutput } from "../cli/schemas.ts";
import { code, read, rows, section } from "../docs/markdown.ts";
import { killEngine, letGo, startHeld } from "../rig/held.ts";
import { projectFor } from "../rig/project.ts";
import { digestOf } from "../rig/tree.ts";
import { makeRich } from "./rich.ts";

/** The counts differ with what else the format has files for. */
const plain = (rig: Rig, text: string) =>
  rig
    .plain(text)
    .replace(/looked at .*?;/, "looked at <counts>;")
    .replace(/[0-9a-f]{64}/g, "<sha256>");

test("a sound run is said to be sound, and is not written into", async (t) => {
  const rig = new Rig(t);
  const run = await makeRich(rig);
  const before = digestOf(run);
  const { code, stdout, stderr } = await rig.wf(["verify", "r"]);
  assert.deepEqual(
    [code, plain(rig, stdout), stderr],
    [0, "run r is sound\n\nlooked at <counts>; the run is succeeded\n", ""],
  );
  const { value } = await rig.json(["verify", "r"]);
  checkOutput("verify", value);
  assert.deepEqual([value.sound, value.findings, value.repaired], [true, [], null]);
  const { lines, attempts, artifacts } = value.checked;
  assert.deepEqual([lines, attempts, artifacts], [27, 6, 2]);
  assert.equal(digestOf(run), before);
});

test("what is damaged is said with its place, the promise, and what to do; --repair mends what the journal knows", async (t) => {
  const rig = new Rig(t);
  const run = await makeRich(rig);
  const edit = (file: string, from: string, to: string) =>
    fs.writeFileSync(join(run, file), fs.readFileSync(join(run, file), "utf8").replace(from, to));
  edit("run.json", '"status": "succeeded"', '"status": "failed"');
  edit("steps/make/attempt-1/attempt.json", '"exitCode": 0', '"exitCode": 1');
  edit("steps/make/attempt-1/outputs/plan.txt", "plan", "plbn");
  fs.writeFileSync(join(run, "notes.txt"), "mine\n");
  fs.appendFileSync(join(run, "progress.ndjson"), '{"seq":28,');
  const found = await rig.wf(["verify", "r"]);
  assert.equal(found.code, 5);
  assert.equal(plain(rig, found.stdout), DAMAGED);
  const { code, value } = await rig.json(["verify", "r"]);
  checkOutput("verify", value);
  assert.deepEqual([code, value.sound, value.findings.length], [5, false, 5]);

  const repaired = await rig.wf(["verify", "r", "--repair"]);
  assert.equal(repaired.code, 5);
  assert.equal(plain(rig, repaired.stdout), REPAIRED);
  assert.equal(fs.readFileSync(join(run, "quarantine/1/notes.txt"), "utf8"), "mine\n");
  assert.match(fs.readFileSync(join(run, "quarantine/1/run.json"), "utf8"), /"status": "failed"/);
  assert.equal(fs.readFileSync(join(run, "progress.ndjson.torn-1"), "utf8"), '{"seq":28,');

  edit("steps/make/attempt-1/outputs/plan.txt", "plbn", "plan");
  fs.rmSync(join(run, "quarantine"), { recursive: true });
  const sound = await rig.json(["verify", "r", "--repair"]);
  checkOutput("verify", sound.value);
  assert.deepEqual([sound.code, sound.value.findings, sound.value.repaired], [0, [], []]);
  // There was nothing to repair, so that nobody claimed it.
  assert.equal(fs.existsSync(join(run, "lock/owner-4.json")), false);
});

const DAMAGED = `run r is damaged: 5 findings

damage  progress.ndjson, line 28   [journal-end]
        its end is missing: its last engine left it whole
        wf verify r --repair or wf resume keeps the bytes in progress.ndjson.torn-<n> and cuts them off

damage  run.json   [snapshot-intact]
        its status is "failed", the journal says "succeeded"
        wf verify r --repair writes it again from the journal, and keeps what was there

damage  steps/make/attempt-1/attempt.json, line 4   [attempt-record]
        its exitCode is 1, the journal says 0
        wf verify r --repair writes it again from the journal, and keeps what was there

damage  steps/make/attempt-1/outputs/plan.txt   [artifact-intact]
        its SHA-256 is <sha256> where <sha256> was recorded (output plan of make/1)
        restore it from a copy, or make it again with wf resume r --from its step

damage  notes.txt   [known-names]
        a run has nothing of this name
        wf verify r --repair moves it into quarantine/

looked at <counts>; the run is succeeded
`;

const REPAIRED = `notes.txt: moved to quarantine/1/notes.txt
progress.ndjson: cut after its last whole line; what was there is in progress.ndjson.torn-1
steps/make/attempt-1/attempt.json: written again from the journal; what was there is in quarantine/1/steps/make/attempt-1/attempt.json
run.json: written again from the journal; what was there is in quarantine/1/run.json

run r is damaged: 1 finding, 1 note

damage  steps/make/attempt-1/outputs/plan.txt   [artifact-intact]
        its SHA-256 is <sha256> where <sha256> was recorded (output plan of make/1)
        restore it from a copy, or make it again with wf resume r --from its step

note    quarantine   [quarantine]
        an earlier repair put things aside here
        nothing: look at it, and remove the folder when it is of no use any more

looked at <counts>; the run is succeeded
`;

test("a repair touches nothing that a broken journal only seems not to know", async (t) => {
  const rig = new Rig(t);
  const run = await makeRich(rig);
  const journal = fs.readFileSync(join(run, "progress.ndjson"), "utf8").split("\n");
  fs.writeFileSync(join(run, "progress.ndjson"), journal.toSpliced(5, 1).join("\n"));
  fs.writeFileSync(join(run, "run.json"), "no JSON");
  for (const damage of [() => {}, () => fs.truncateSync(join(run, "progress.ndjson"))]) {
    damage();
    const before = digestOf(run, (path) => path.startsWith("lock"));
    const { code, value } = await rig.json(["verify", "r", "--repair"]);
    const after = digestOf(run, (path) => path.startsWith("lock"));
    assert.deepEqual([code, value.repaired, after], [5, [], before]);
    assert.equal(
      value.findings.some(({ repair }: Parsed) => repair !== null),
      false,
    );
  }
});

test("a repair moves no attempt aside that a journal without its end does not know any more", async (t) => {
  const rig = new Rig(t);
  rig.write(
    "w.yaml",
    "id: w\nsteps:\n  - { id: a, foreach: [x, y], run: echo a }\n  - { id: b, run: echo b }\n",
  );
  assert.equal((await rig.wf(["run", "w.yaml", "--run-id", "r"])).code, 0);
  const run = rig.path(".wf/runs/r");
  const lines = fs.readFileSync(join(run, "progress.ndjson"), "utf8").split("\n");
  for (const kept of [lines.length - 3, 1, 0]) {
    fs.writeFileSync(
      join(run, "progress.ndjson"),
      lines
        .slice(0, kept)
        .map((line) => `${line}\n`)
        .join(""),
    );
    const before = digestOf(run, (path) => path.startsWith("lock"));
    const { code, value } = await rig.json(["verify", "r", "--repair"]);
    assert.deepEqual([code, value.repaired], [5, []], `${kept} lines`);
    assert.equal(
      digestOf(run, (path) => path.startsWith("lock")),
      before,
    );
  }
});

test("a run.json that is a FIFO keeps nobody waiting", async (t) => {
  const rig = new Rig(t);
  rig.write("w.yaml", "id: w\nsteps: [{ id: a, run: echo a }]\n");
  assert.equal((await rig.wf(["run", "w.yaml", "--run-id", "r"])).code, 0);
  const snapshot = rig.path(".wf/runs/r/run.json");
  fs.rmSync(snapshot);
  execFileSync("mkfifo", [snapshot]);
  const { code, stdout } = await rig.wf(["verify", "r"]);
  assert.equal(code, 5);
  assert.match(stdout, /damage {2}run\.json {3}\[file-kind\]/);
});

test("a run that is driven is not repaired; one that was cut off is, and can be resumed", async (t) => {
  const project = projectFor(t);
  const held = await startHeld(project);
  fs.writeFileSync(join(held.runDir, "notes.txt"), "");
  const locked = await project.wf(["verify", held.runDir, "--repair"]);
  assert.equal(locked.code, 4);
  assert.match(locked.stderr, /is driven by process \d+ .*\[RUN_LOCKED\]/);
  await killEngine(held);
  const repaired = await project.wf(["verify", held.runDir, "--repair"]);
  assert.equal(repaired.code, 0, repaired.stdout);
  letGo(project, "held");
  await project.quiet();
  const resumed = await project.wf(["resume", held.runDir]);
  assert.equal(resumed.code, 0, resumed.stderr);
  const text = fs.readFileSync(join(held.runDir, "progress.ndjson"), "utf8");
  assert.match(text, /"attempt_adopted"/);
  assert.equal((await project.wf(["verify", held.runDir])).code, 0);
});

test("an older record is said to be one, a newer format to need a newer program, an unknown run to be unknown", async (t) => {
  const rig = new Rig(t);
  fs.cpSync(join(ROOT, "fixtures/legacy"), rig.path(".wf/runs"), { recursive: true });
  const [id = ""] = fs.readdirSync(rig.path(".wf/runs")).filter((name) => name !== "README.md");
  const older = await rig.wf(["verify", id.replace(/\.json$/, "")]);
  assert.equal(older.code, 0);
  assert.match(older.stdout, /^run \S+ is an older record: there is nothing to hold it against\n/);
  const { value } = await rig.json(["verify", id.replace(/\.json$/, "")]);
  checkOutput("verify", value);
  const refused = await rig.wf(["verify", id.replace(/\.json$/, ""), "--repair"]);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /\[LEGACY_RUN\]/);
  assert.equal((await rig.wf(["verify", "nowhere"])).code, 2);
  rig.write(".wf/runs/newer/run.json", '{"format":"wf.run/9"}\n');
  const first =
    '{"seq":1,"at":"2026-11-22T07:16:30.120Z","epoch":1,"run":"newer","event":"run_created","format":"wf.run/9"}';
  rig.write(".wf/runs/newer/progress.ndjson", `${first}\n`);
  const newer = await rig.wf(["verify", "newer"]);
  assert.deepEqual(
    [newer.code, plain(rig, newer.stderr)],
    [
      5,
      "wf: <dir>/.wf/runs/newer/run.json is newer than this program   [FORMAT_UNKNOWN]\n    it needs a version of wf that reads the format wf.run/9\n",
    ],
  );
});

test("the page on verifying has an entry for every promise, in order, and no other", () => {
  const page = read("docs/verifying.md");
  const entries = rows(section(page, "## What is checked")).map(([name = "", promise]) => [
    code(name)[0],
    promise?.replaceAll("`", ""),
  ]);
  assert.deepEqual(
    entries,
    Object.entries(RULES).map(([rule, { promise }]) => [rule, promise]),
  );
});
