/* WF_KILLS=8: how many of all crashes of a fork are tried, evenly spread over them. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { verifyRun } from "../../src/review/verify.ts";
import { errors, kills, sample } from "../crash/cases.ts";
import { check, sentences } from "../crash/checker.ts";
import { readTrace, show } from "../crash/run-case.ts";
import { needsLinux } from "../rig/held.ts";
import { type Fault, type Project, projectFor } from "../rig/project.ts";

const KILLS = Number(process.env.WF_KILLS ?? 8);

const WORKFLOW = `id: w
inputs: { word: { type: string, default: one } }
steps:
  - id: make
    output_files: { page: page.txt }
    run: echo page > "$WF_OUTPUT_PAGE"
  - { id: between, workspace_mode: run_workspace, run: echo between > made }
  - id: work
    run: |
      echo "$WF_RUN_ID" >> effects
      cat "{{steps.make.outputs.page}}"
      echo "{{inputs.word}}"
`;

const FORK = ["p@work", "--input", "word=two", "--set", "page=other.txt"];

/** Of all files of a run, by what is in them. */
function digestOf(folder: string): string {
  const hash = createHash("sha256");
  for (const name of fs.readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
    const path = join(folder, name);
    if (fs.statSync(path).isFile()) hash.update(name).update(fs.readFileSync(path));
  }
  return hash.digest("hex");
}

async function damageOf(runDir: string): Promise<string[]> {
  const verified = await verifyRun(runDir);
  assert.ok(verified.kind === "current");
  return verified.findings
    .filter(({ level }) => level === "damage")
    .map(({ path, message }) => `${path}: ${message}`);
}

test("a fork that is cut off anywhere is there whole or not at all, and goes on like any run", {
  skip: needsLinux,
}, async (t) => {
  const project = projectFor(t);
  project.write("w.yaml", WORKFLOW);
  project.write("other.txt", "other\n");
  assert.equal((await project.wf(["run", "w.yaml", "--run-id", "p"])).code, 0);
  const parent = join(project.runsDir, "p");
  const before = digestOf(parent);
  const trace = project.path("trace");
  const plain = await project.wf(["fork", ...FORK, "--run-id", "plain"], { fault: { trace } });
  assert.equal(plain.code, 0, show(plain));
  const { operations } = readTrace(trace);
  const half = Math.ceil(KILLS / 2);
  const faults = [
    ...sample(kills(operations), half, () => 0.5),
    ...sample(errors(operations), half, () => 0.5),
  ];
  const found: string[] = [];
  for (const [n, fault] of faults.entries()) {
    const broken = await breakFork(project, `fork-${n}`, fault);
    found.push(...broken.map((each) => `${JSON.stringify(fault)}: ${each}`));
  }
  assert.deepEqual(found, []);
  assert.equal(digestOf(parent), before, "the run that was forked has changed");
});

/** A run that is being built by somebody who said who it is: else nobody can prove that its maker is dead. */
function isClaimed(folder: string): boolean {
  try {
    // The first is that of the run that was forked.
    const claim = JSON.parse(fs.readFileSync(join(folder, "lock/owner-2.json"), "utf8"));
    return basename(folder).startsWith(".creating-") && typeof claim.pid === "number";
  } catch {
    return false;
  }
}

/** What is wrong after a fork was broken and gone on with. */
async function breakFork(project: Project, id: string, fault: Fault): Promise<string[]> {
  const runDir = join(project.runsDir, id);
  await project.wf(["fork", ...FORK, "--run-id", id], { fault });
  await project.quiet();
  const found: string[] = [];
  const exists = fs.existsSync(runDir);
  // An engine that gave up after an error has let go of the run: what it left in the middle looks like damage.
  if (exists && fault.does === "kill") found.push(...(await damageOf(runDir)));
  const next = exists ? ["resume", id] : ["fork", ...FORK, "--run-id", id];
  const again = await project.wf(next);
  if (again.code !== 0) found.push(`wf ${next.join(" ")}: ${show(again)}`);
  found.push(...(await damageOf(runDir)));
  const undisturbed = join(project.runsDir, "plain");
  found.push(...sentences(check({ runDir, phase: "recovered", undisturbed })));
  // The next command clears what a dead one had begun.
  const left = fs.readdirSync(project.runsDir).filter((name) => isClaimed(join(project.runsDir, name)));
  if (!exists && left.length > 0) found.push(`left: ${left.join(", ")}`);
  const times = project.lines("effects").filter((line) => line === id).length;
  if (!fault.children && times !== 1) found.push(`its step ran ${times} times`);
  return found;
}
