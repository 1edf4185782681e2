import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import { TELL } from "../rig/held.ts";
import { readJournal, readRun } from "../rig/journal.ts";
import { type Project, projectFor } from "../rig/project.ts";

const graph = (d: string, more = "") => `id: g
inputs: { v: { type: string, default: one }, w: { type: string, default: ww } }
steps:
  - { id: a, needs: [], run: ${TELL} }
  - { id: b, needs: [a], run: '${TELL}; echo "{{inputs.v}}"' }
  - { id: c, needs: [], run: '${TELL}; echo "{{inputs.w}}"' }
  - { id: d, needs: [b, c], run: '${TELL}; ${d}' }
  - { id: e, needs: [d], run: ${TELL} }
${more}`;

async function failed(project: Project): Promise<string> {
  project.write("g.yaml", graph("exit 3"));
  const { code, stderr } = await project.wf(["run", "g.yaml", "--run-id", "r"]);
  assert.equal(code, 1, stderr);
  fs.writeFileSync(project.path("effects"), "");
  return project.onlyRun();
}

test("a changed definition: only what changed and what comes after it is done again", async (t) => {
  const project = projectFor(t);
  const runDir = await failed(project);
  const before = fs.readFileSync(`${runDir}/workflow.yaml`);
  project.write("g.yaml", graph("exit 0"));
  const result = await project.wf(["resume", "r", "--workflow", "g.yaml"]);
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stderr, /d is done again, if it was done: line 1 of its script changed/);
  assert.deepEqual(project.lines("effects"), ["d", "e"]);
  const change = readJournal(runDir).find(({ event }) => event === "definition_changed");
  assert.equal(change?.file, "definitions/2/workflow.yaml");
  assert.deepEqual(change?.redo, ["d", "e"]);
  assert.deepEqual(fs.readFileSync(`${runDir}/workflow.yaml`), before);
  assert.deepEqual(
    fs.readFileSync(`${runDir}/definitions/2/workflow.yaml`),
    fs.readFileSync(project.path("g.yaml")),
  );
  assert.equal(readRun(runDir).workflow.file, "definitions/2/workflow.yaml");
});

test("a changed input: the steps that use it, and what comes after them", async (t) => {
  const project = projectFor(t);
  const runDir = await failed(project);
  project.write("fixed.yaml", graph("exit 0"));
  const result = await project.wf(["resume", "r", "--workflow", "fixed.yaml", "--input", "v=two"]);
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(project.lines("effects"), ["b", "d", "e"]);
  assert.equal(fs.readFileSync(`${runDir}/steps/b/attempt-2/stdout.log`, "utf8"), "two\n");
  assert.deepEqual(readRun(runDir).inputs, { v: "two", w: "ww" });
});

test("the same definition and the same inputs change nothing, and the run goes on as ever", async (t) => {
  const project = projectFor(t);
  const runDir = await failed(project);
  const result = await project.wf(["resume", "r", "--workflow", "g.yaml", "--input", "v=one"]);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /neither the definition nor an input differs/);
  assert.deepEqual(project.lines("effects"), ["d"]);
  assert.equal(fs.existsSync(`${runDir}/definitions`), false);
});

test("later resumes go on with the changed definition, whatever became of its file", async (t) => {
  const project = projectFor(t);
  const runDir = await failed(project);
  project.write("other.yaml", graph("test -e mended"));
  assert.equal((await project.wf(["resume", "r", "--workflow", "other.yaml"])).code, 1);
  fs.rmSync(project.path("other.yaml"));
  fs.writeFileSync(project.path("mended"), "");
  const result = await project.wf(["resume", "r"]);
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(project.lines("effects"), ["d", "d", "e"]);
  assert.equal(readRun(runDir).steps.d.attempts, 3);
});

test("a folder that a crash left before the journal named it is made anew", async (t) => {
  const project = projectFor(t);
  const runDir = await failed(project);
  fs.mkdirSync(`${runDir}/definitions/2`, { recursive: true });
  fs.writeFileSync(`${runDir}/definitions/2/workflow.yaml`, "half");
  project.write("g.yaml", graph("exit 0"));
  assert.equal((await project.wf(["resume", "r", "--workflow", "g.yaml"])).code, 0);
  assert.equal(fs.readFileSync(`${runDir}/definitions/2/workflow.yaml`, "utf8"), graph("exit 0"));
});

test("what can not be: nothing is written, and the message says why", async (t) => {
  const project = projectFor(t);
  const runDir = await failed(project);
  const journal = fs.readFileSync(`${runDir}/progress.ndjson`, "utf8");
  project.write("sequence.yaml", `id: g\nsteps:\n  - { id: a, run: ${TELL} }\n`);
  project.write("broken.yaml", "id: g\nsteps: 3\n");
  project.write("other.yaml", graph("exit 0").replace("id: g", "id: other"));
  project.write("asks.yaml", graph("exit 0").replace("inputs: {", "inputs: { must: { type: integer },"));
  for (const [args, code] of [
    [["--workflow", "sequence.yaml"], "WRONG_SHAPE"],
    [["--workflow", "broken.yaml"], "WRONG_TYPE"],
    [["--workflow", "other.yaml"], "UNKNOWN_WORKFLOW"],
    [["--workflow", "missing.yaml"], "FILE_NOT_FOUND"],
    [["--workflow", "asks.yaml"], "INPUT_MISSING"],
    [["--input", "zz=1"], "INPUT_UNKNOWN"],
    [["--workflow", "asks.yaml", "--input", "must=x"], "INPUT_INVALID"],
  ] as const) {
    const result = await project.wf(["resume", "r", ...args]);
    assert.equal(result.code, 2, `${args.join(" ")}: ${result.stdout}${result.stderr}`);
    assert.match(result.stderr, new RegExp(`\\[${code}\\]`));
    assert.doesNotMatch(result.stderr, /^\s+at .*:\d+:\d+\)?$/m);
  }
  assert.equal(fs.readFileSync(`${runDir}/progress.ndjson`, "utf8"), journal);
  assert.deepEqual(fs.readdirSync(runDir).sort(), [
    "control",
    "lock",
    "progress.ndjson",
    "run.json",
    "steps",
    "workflow.yaml",
  ]);
});

test("a run that has succeeded is left as it is", async (t) => {
  const project = projectFor(t);
  project.write("g.yaml", graph("exit 0"));
  assert.equal((await project.wf(["run", "g.yaml", "--run-id", "r"])).code, 0);
  const result = await project.wf(["resume", "r", "--input", "v=two"]);
  assert.equal(result.code, 2);
  assert.match(result.stderr, /has succeeded: there is nothing to go on with {3}\[WRONG_STATE\]/);
});

test("an open gate of a step that changed is opened again with what it shows now", async (t) => {
  const project = projectFor(t);
  const file = (message: string) =>
    `id: g\nsteps:\n  - { id: a, run: ${TELL} }\n  - { id: ask, type: approval, message: '${message}' }\n`;
  project.write("g.yaml", file("Publish?"));
  assert.equal((await project.wf(["run", "g.yaml", "--run-id", "r"])).code, 3);
  project.write("g.yaml", file("Really?"));
  assert.equal((await project.wf(["resume", "r", "--workflow", "g.yaml"])).code, 3);
  const gate = JSON.parse(fs.readFileSync(`${project.onlyRun()}/steps/ask/attempt-2/gate.json`, "utf8"));
  assert.equal(gate.message, "Really?");
  assert.deepEqual(project.lines("effects"), ["a"]);
});
