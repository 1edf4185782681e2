import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { claim } from "../../src/store/lock.ts";
import { readProcess } from "../../src/system/identity.ts";
import { until } from "../rig/wait.ts";
import { hasCode, makeRun, tempDir, VERSION } from "./helpers.ts";

const CLAIMER = fileURLToPath(new URL("claimer.ts", import.meta.url));
const PROCESSES = 8;
const ROUNDS = 10;

type Answer = { epoch: number } | { code: string };

async function startClaimers(t: TestContext, count: number): Promise<ChildProcess[]> {
  const children = Array.from({ length: count }, () => fork(CLAIMER, { execArgv: ["--import", "tsx"] }));
  t.after(() => {
    for (const child of children) child.kill("SIGKILL");
  });
  await Promise.all(children.map((child) => once(child, "message")));
  return children;
}

async function ask(child: ChildProcess, message: object | string): Promise<unknown> {
  const answered = once(child, "message");
  child.send(message);
  const [answer] = await answered;
  return answer;
}

/** All claim at the same millisecond; returns the one that won, after checking that it alone did. */
async function race(run: string, children: ChildProcess[], epoch: number): Promise<ChildProcess> {
  const when = Date.now() + 20;
  const answers = (await Promise.all(children.map((child) => ask(child, { run, when })))) as Answer[];
  const winners = children.filter((_, n) => "epoch" in (answers[n] as Answer));
  assert.equal(winners.length, 1, JSON.stringify(answers));
  for (const answer of answers) {
    assert.deepEqual(answer, "epoch" in answer ? { epoch } : { code: "RUN_LOCKED" });
  }
  return winners[0] as ChildProcess;
}

test("of many that claim a released run at once, one gets it, each time", async (t) => {
  const { runDir, claim: first } = makeRun(tempDir(t));
  first.release();
  const children = await startClaimers(t, PROCESSES);
  for (let round = 1; round <= ROUNDS; round += 1) {
    const winner = await race(runDir, children, round + 1);
    assert.equal(await ask(winner, "release"), "released");
  }
  assert.equal(
    fs.readdirSync(join(runDir, "lock")).filter((name) => name.startsWith("owner-")).length,
    ROUNDS + 1,
  );
});

test("of many that claim the run of a killed engine at once, one gets it, each time, at once", async (t) => {
  const { runDir, claim: first } = makeRun(tempDir(t));
  first.release();
  let children = await startClaimers(t, PROCESSES + ROUNDS - 1);
  for (let round = 1; round <= ROUNDS; round += 1) {
    const winner = await race(runDir, children.slice(0, PROCESSES), round + 1);
    const gone = once(winner, "exit");
    winner.kill("SIGKILL");
    await gone;
    children = children.filter((child) => child !== winner);
  }
});

test("a stopped owner is alive", async (t) => {
  const { runDir, claim: first } = makeRun(tempDir(t));
  first.release();
  const [owner] = (await startClaimers(t, 1)) as [ChildProcess];
  await ask(owner, { run: runDir, when: 0 });
  owner.kill("SIGSTOP");
  await until(() => readProcess(owner.pid as number)?.state === "T", "the owner to be stopped");
  await assert.rejects(
    claim(runDir, { version: VERSION }),
    hasCode("RUN_LOCKED", new RegExp(`${owner.pid}`)),
  );
});
