/*
 * Workflows made at random: run twice under other circumstances, and once more with its engine killed somewhere.
 *
 * WF_CRASH_CASES=240   how many cases, of all crash tests; a tenth of them are of these
 * WF_CRASH_SEED=1      which
 */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import fc from "fast-check";
import { HERE, THERE } from "../review/scenario.ts";
import { needsLinux } from "../rig/held.ts";
import { Project, type Result } from "../rig/project.ts";
import { kills, type Operation, randomFrom } from "./cases.ts";
import { check, sentences } from "./checker.ts";
import { type RandomWorkflow, randomWorkflow } from "./random-workflow.ts";
import { readTrace, show } from "./run-case.ts";

const AT_ONCE = 2;
const seed = Number(process.env.WF_CRASH_SEED ?? Math.floor(Math.random() * 1e9));
const wanted = process.env.WF_CRASH_CASES === "all" ? 1000 : Number(process.env.WF_CRASH_CASES ?? 120);
const count = Math.max(3, Math.ceil(wanted / 10));

describe(`workflows made at random (WF_CRASH_SEED=${seed})`, { skip: needsLinux }, () => {
  let done = 0;

  after(() => console.log(`random workflows: ${done}, seed: ${seed}`));

  test("whatever a workflow is: its runs are equal, a crash leaves none that means otherwise, a change is found", async () => {
    const queue = fc.sample(randomWorkflow, { seed, numRuns: count }).map((told, n) => ({ told, n }));
    const failures: string[] = [];
    const work = async () => {
      for (let one = queue.shift(); one; one = queue.shift()) {
        const found = await tryOne(one.told, randomFrom(seed + one.n));
        done += 1;
        if (found.length > 0) failures.push(`workflow ${one.n}\n${one.told.text}${found.join("\n")}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    assert.ok(failures.length === 0, `${failures.join("\n\n")}\n(WF_CRASH_SEED=${seed})`);
  });
});

async function tryOne(told: RandomWorkflow, random: () => number): Promise<string[]> {
  const projects = [new Project(), new Project(), new Project()] as const;
  const found: string[] = [];
  const expect = (is: boolean, what: string) => {
    if (!is) found.push(what);
  };
  try {
    const [here, there, broken] = projects;
    for (const project of projects) project.write("random.yaml", told.text);
    here.write("mutated.yaml", told.mutated);
    const trace = here.path("trace");
    const first = await run(here, HERE.id, "1", { fault: { trace }, env: HERE.env });
    const second = await run(there, THERE.id, "3", { env: THERE.env });
    expect(
      first.code === second.code && (first.code === 0 || first.code === 1),
      `${show(first)}\n${show(second)}`,
    );
    const [a, b] = [here.onlyRun(), there.onlyRun()];
    const [canonA, canonB] = [await here.wf(["canon", a]), await there.wf(["canon", b])];
    expect(canonA.code === 0 && canonA.stdout === canonB.stdout, "wf canon differs");
    const diff = await here.wf(["diff", a, b]);
    expect(diff.code === 0, `wf diff: ${diff.stdout}`);
    const fault = oneOf(kills(readTrace(trace).operations as Operation[]), random);
    await run(broken, "broken", "1", { fault });
    const c = await recovered(broken, first.code);
    found.push(...sentences(check({ runDir: c, phase: "recovered", undisturbed: a })));
    for (const runDir of [a, b, c]) {
      const replay = await here.wf(["replay", runDir]);
      expect(
        replay.code === 0,
        `replay of ${runDir === c ? "the crashed run" : "a run"}: ${replay.stdout}${replay.stderr}`,
      );
    }
    const changed = await here.wf(["replay", a, "--workflow", "mutated.yaml"]);
    const text = `${changed.stdout}${changed.stderr}`;
    expect(changed.code === 1, `replay of a changed ${told.what} (line ${told.line}) says: ${text}`);
    expect(
      text.includes(`mutated.yaml:${told.line}`),
      `line ${told.line} (${told.what}) is not named: ${text}`,
    );
  } catch (error) {
    found.push(`the case itself failed: ${(error as Error).message}`);
  } finally {
    for (const project of projects) await project.remove();
  }
  return found;
}

function run(
  project: Project,
  id: string,
  parallel: string,
  options: Parameters<Project["wf"]>[1],
): Promise<Result> {
  return project.wf(["run", "random.yaml", "--run-id", id, "--max-parallel", parallel], options);
}

/** The run of a broken engine, driven to its end; begun anew if there was none yet. */
async function recovered(project: Project, code: number | null): Promise<string> {
  const [runDir] = project.runDirs();
  if (runDir === undefined) await run(project, "broken", "1", {});
  else if (!(await hasFailed(project, runDir))) {
    const result = await project.wf(["resume", runDir]);
    if (result.code !== code) throw new Error(`resume: ${show(result)}`);
  }
  await project.quiet();
  return project.onlyRun();
}

/** A resume would undo that it has failed; one that has succeeded is brought up, and no more. */
async function hasFailed(project: Project, runDir: string): Promise<boolean> {
  const { stdout } = await project.wf(["status", runDir, "--json"]);
  return JSON.parse(stdout).status === "failed";
}

function oneOf<T>(all: readonly T[], random: () => number): T {
  return all[Math.floor(random() * all.length)] as T;
}
