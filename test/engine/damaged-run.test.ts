import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { check, sentences } from "../crash/checker.ts";
import { killEngine, letGo, needsLinux, startHeld } from "../rig/held.ts";
import { readRun } from "../rig/journal.ts";
import { type Project, projectFor } from "../rig/project.ts";
import { digestOf } from "../rig/tree.ts";

/** A run whose engine died while `held` was at work; the step has ended since. */
async function crashed(project: Project): Promise<string> {
  const run = await startHeld(project);
  await killEngine(run);
  letGo(project, "held");
  await project.quiet();
  return run.runDir;
}

async function goesOn(project: Project, runDir: string): Promise<void> {
  const resumed = await project.wf(["resume", runDir]);
  assert.equal(resumed.code, 0, resumed.stderr);
  assert.deepEqual(project.lines("effects"), ["first", "held", "last"]);
  assert.deepEqual(sentences(check({ runDir, phase: "recovered" })), []);
}

/** Exit 5, a message that says where, and not a byte of the run is changed; claims aside. */
async function refuses(project: Project, runDir: string, code: string, where: RegExp): Promise<void> {
  const claims = (path: string) => path.startsWith("lock");
  const before = digestOf(runDir, claims);
  const resumed = await project.wf(["resume", runDir]);
  assert.equal(resumed.code, 5, resumed.stdout + resumed.stderr);
  assert.match(resumed.stderr, new RegExp(`\\[${code}\\]`));
  assert.match(resumed.stderr, where);
  assert.doesNotMatch(resumed.stderr, /^\s+at .*:\d+:\d+\)?$/m);
  assert.equal(digestOf(runDir, claims), before);
  assert.deepEqual(project.lines("effects"), ["first", "held"]);
  // And a second try is refused in the same way, not because the first left a claim behind.
  assert.equal((await project.wf(["resume", runDir])).code, 5);
}

const journalOf = (runDir: string) => join(runDir, "progress.ndjson");
const snapshotOf = (runDir: string) => join(runDir, "run.json");

function edit(path: string, change: (text: string) => string): void {
  const text = fs.readFileSync(path, "utf8");
  const changed = change(text);
  assert.notEqual(changed, text, "the edit was to change something");
  fs.writeFileSync(path, changed);
}

describe("a run directory that was damaged", { skip: needsLinux }, () => {
  for (const [what, text] of [
    ["nonsense", "what?\n"],
    ["nothing", ""],
    ["half of itself", null],
    ["another kind of JSON", "[1, 2, 3]\n"],
    ["an object that says nothing", "{}\n"],
  ] as const) {
    test(`run.json is ${what}: it is rebuilt from the journal`, async (t) => {
      const project = projectFor(t);
      const runDir = await crashed(project);
      edit(snapshotOf(runDir), (whole) => text ?? whole.slice(0, whole.length / 2));
      const status = await project.wf(["status", runDir]);
      assert.equal(status.code, 0, status.stderr);
      await goesOn(project, runDir);
    });
  }

  test("run.json is gone: it is rebuilt from the journal", async (t) => {
    const project = projectFor(t);
    const runDir = await crashed(project);
    fs.rmSync(snapshotOf(runDir));
    await goesOn(project, runDir);
  });

  test("run.json lags behind a journal that has ended: a resume repairs it", async (t) => {
    const project = projectFor(t);
    const runDir = await crashed(project);
    const old = fs.readFileSync(snapshotOf(runDir));
    await goesOn(project, runDir);
    fs.writeFileSync(snapshotOf(runDir), old);
    assert.equal((await project.wf(["resume", runDir])).code, 0);
    assert.equal(readRun(runDir).status, "succeeded");
    assert.deepEqual(sentences(check({ runDir, phase: "recovered" })), []);
  });

  for (const [what, tail] of [
    ["a partial line", '{"seq":99,"at":"2026'],
    ["a block of NUL", "\0".repeat(512)],
    [
      "a line that does not follow",
      '{"seq":99,"at":"2026-11-22T07:16:30.120Z","epoch":1,"run":"x","event":"run_waiting"}\n',
    ],
  ] as const) {
    test(`the journal ends in ${what}: it is cut there, and what is cut is kept`, async (t) => {
      const project = projectFor(t);
      const runDir = await crashed(project);
      fs.appendFileSync(journalOf(runDir), tail);
      await goesOn(project, runDir);
      assert.equal(fs.readFileSync(`${journalOf(runDir)}.torn-1`, "utf8"), tail);
      fs.rmSync(`${journalOf(runDir)}.torn-1`);
    });
  }

  test("a byte of the journal was changed within its durable part", async (t) => {
    const project = projectFor(t);
    const runDir = await crashed(project);
    edit(journalOf(runDir), (text) => text.replace('{"seq":2,', '{"seq";2,'));
    await refuses(project, runDir, "RUN_DAMAGED", /progress\.ndjson.*line 2|line 2.*progress\.ndjson/s);
  });

  test("a line of the journal is missing within its durable part", async (t) => {
    const project = projectFor(t);
    const runDir = await crashed(project);
    edit(journalOf(runDir), (text) => text.split("\n").toSpliced(1, 1).join("\n"));
    await refuses(project, runDir, "RUN_DAMAGED", /progress\.ndjson/);
  });

  test("the journal is shorter than run.json knows it", async (t) => {
    const project = projectFor(t);
    const runDir = await crashed(project);
    edit(journalOf(runDir), (text) => text.slice(0, text.indexOf("\n") + 1));
    await refuses(project, runDir, "RUN_DAMAGED", /progress\.ndjson|run\.json/);
  });

  test("the journal is gone", async (t) => {
    const project = projectFor(t);
    const runDir = await crashed(project);
    fs.rmSync(journalOf(runDir));
    await refuses(project, runDir, "RUN_DAMAGED", /progress\.ndjson/);
  });

  test("the definition was edited within the run", async (t) => {
    const project = projectFor(t);
    const runDir = await crashed(project);
    edit(join(runDir, "workflow.yaml"), (text) => text.replace("id: last", "id: late"));
    await refuses(project, runDir, "RUN_DAMAGED", /workflow\.yaml/);
  });

  test("a newer format: the version that is needed is named", async (t) => {
    const project = projectFor(t);
    const runDir = await crashed(project);
    edit(snapshotOf(runDir), (text) => text.replace("wf.run/1", "wf.run/2"));
    edit(journalOf(runDir), (text) => text.replace("wf.run/1", "wf.run/2"));
    await refuses(project, runDir, "FORMAT_UNKNOWN", /wf\.run\/2/);
    const status = await project.wf(["status", runDir]);
    assert.equal(status.code, 5);
    assert.match(status.stderr, /wf\.run\/2/);
  });
});
