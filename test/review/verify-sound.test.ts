import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { verifyRun } from "../../src/review/verify.ts";
import { type Case, kills } from "../crash/cases.ts";
import { undisturbed } from "../crash/run-case.ts";
import {
  decideOpenGates,
  drive,
  GATE_SCENARIOS,
  isEnded,
  SCENARIOS,
  type Scenario,
  stage,
  WIDE_SCENARIOS,
} from "../crash/scenarios.ts";
import { HELD_WORKFLOW, killEngine, letGo, startHeld } from "../rig/held.ts";
import { readJournal, readRun } from "../rig/journal.ts";
import { projectFor } from "../rig/project.ts";
import { until } from "../rig/wait.ts";

/** All that is found of a run, as `level rule path`. */
async function findingsOf(runDir: string): Promise<string[]> {
  const verified = await verifyRun(runDir);
  assert.ok(verified.kind === "current");
  return verified.findings.map(({ level, rule, path, message }) => `${level} ${rule} ${path}: ${message}`);
}

const damageOf = async (runDir: string) =>
  (await findingsOf(runDir)).filter((each) => each.startsWith("damage"));

/** Some of all kills, the same each time; `WF_KILLS` says how many. */
const KILLS = Number(process.env.WF_KILLS ?? 4);

for (const scenario of [...SCENARIOS, ...WIDE_SCENARIOS, ...GATE_SCENARIOS]) {
  test(`nothing is found in an undisturbed run: ${scenario.name}`, async (t) => {
    const { project, runDir } = await undisturbed(scenario);
    t.after(() => project.remove());
    assert.deepEqual(await findingsOf(runDir), []);
  });

  test(`no damage is found after a crash, nor after the resume: ${scenario.name}`, async () => {
    const plain = await undisturbed(scenario);
    await plain.project.remove();
    const all = kills(plain.operations);
    const every = Math.ceil(all.length / KILLS);
    for (const [index, fault] of all.entries()) if (index % every === 0) await crash(scenario, fault);
  });
}

async function crash(scenario: Scenario, fault: Case["fault"]): Promise<void> {
  const project = stage(scenario);
  try {
    await drive(project, scenario, { fault });
    const [runDir] = project.runDirs();
    if (!runDir) return;
    const what = `${scenario.name} ${JSON.stringify(fault)}`;
    assert.deepEqual(await damageOf(runDir), [], what);
    // A resume would start it afresh.
    if (isEnded(runDir, scenario)) return;
    await decideOpenGates(project, scenario);
    await drive(project, scenario);
    assert.deepEqual(await damageOf(runDir), [], `${what}, resumed`);
  } finally {
    await project.remove();
  }
}

test("a run that is driven is read as it is: what a turn has not finished is no damage", async (t) => {
  const project = projectFor(t);
  const steps = Array.from({ length: 150 }, (_, n) => `  - { id: s${n}, run: echo ${n} }`);
  project.write("many.yaml", `id: many\nsteps:\n${steps.join("\n")}\n`);
  const engine = project.start(["run", "many.yaml"]);
  const runDir = await project.untilRun();
  let over = false;
  const ended = engine.ended.then(() => {
    over = true;
  });
  let looks = 0;
  for (; !over; looks += 1) {
    assert.deepEqual(await damageOf(runDir), []);
    // The engine, in its own process, needs no pause; the promise of its end does.
    await new Promise((go) => setImmediate(go));
  }
  await ended;
  assert.ok(looks > 1, "the run was over before it could be looked at");
  assert.deepEqual(await findingsOf(runDir), []);
});

test("a run that was cut off is sound, and said to be cut off", async (t) => {
  const project = projectFor(t);
  const held = await startHeld(project, HELD_WORKFLOW);
  assert.deepEqual(await findingsOf(held.runDir), []);
  // One that is killed in the middle of writing it leaves a temporary file, which is a note of its own.
  const { length } = readJournal(held.runDir);
  await until(() => readRun(held.runDir).volatile.seq === length, "the snapshot to be written");
  await killEngine(held);
  assert.deepEqual(await findingsOf(held.runDir), [
    "note interrupted .: it was cut off, and nobody drives it",
  ]);
  letGo(project, "held");
  await project.quiet();
  assert.deepEqual(await findingsOf(held.runDir), [
    "note interrupted .: it was cut off, and nobody drives it",
  ]);
  assert.equal((await project.wf(["resume", held.runDir])).code, 0);
  assert.deepEqual(await findingsOf(held.runDir), []);
});

test("what a driven run's engine is about to rename was not cut off; what stays was", async (t) => {
  const project = projectFor(t);
  const held = await startHeld(project, HELD_WORKFLOW);
  const temp = join(held.runDir, ".run.json.tmp-0123456789ab-7");
  fs.writeFileSync(temp, "{");
  const looking = findingsOf(held.runDir);
  // The first look is over.
  fs.rmSync(temp);
  assert.deepEqual(await looking, []);
  fs.writeFileSync(temp, "{");
  const found = ["note left-over .run.json.tmp-0123456789ab-7: a write was cut off here"];
  assert.deepEqual(await findingsOf(held.runDir), found);
});

test("what an agent's client says that it used is no damage, be it known in part", async (t) => {
  const project = projectFor(t);
  const agent = (id: string, said: string) =>
    `  - { id: ${id}, agent: ${id}, prompt: '{"text": "done"${said}}', outputs: [] }\n`;
  project.write(
    "used.yaml",
    `id: used
providers: { echo: { command: [cat], output: json, tokens: tokens, cost_usd: cost } }
agents: { all: { provider: echo }, part: { provider: echo }, none: { provider: echo } }
steps:
${agent("all", ', "tokens": 12, "cost": 0.25')}${agent("part", ', "tokens": 12')}${agent("none", "")}`,
  );
  const { code, stderr } = await project.wf(["run", "used.yaml"]);
  assert.equal(code, 0, stderr);
  const [runDir = ""] = project.runDirs();
  assert.deepEqual(await findingsOf(runDir), []);
});
