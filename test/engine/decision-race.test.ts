/*
 * Two people who decide at once, and decisions that come while an engine is on its way out.
 *
 * WF_RACE_ROUNDS=10   how often each race is run
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { check, sentences } from "../crash/checker.ts";
import {
  answerTo,
  decideByHand,
  decisionOn,
  decisionsOf,
  putRequest,
  readGate,
  untilGate,
} from "../rig/gates.ts";
import { hold, letGo, needsLinux, TELL, untilAtWork } from "../rig/held.ts";
import { readRun, untilEvent } from "../rig/journal.ts";
import { isGone, kill, stateOf } from "../rig/processes.ts";
import { type Background, Project, type Result } from "../rig/project.ts";
import { until } from "../rig/wait.ts";

const rounds = Number(process.env.WF_RACE_ROUNDS ?? 6);

const ASK = `id: ask
steps:
  - { id: build, run: '${TELL}' }
  - { id: ask, message: 'Publish?', on_reject: build }
  - { id: publish, run: '${TELL}' }
`;

/** With a project of its own, which is removed. */
async function inProject(story: (project: Project, file: string) => Promise<void>): Promise<void> {
  const project = new Project();
  try {
    await story(project, project.write("ask.yaml", ASK));
  } finally {
    await project.remove();
  }
}

function sound(runDir: string): void {
  assert.deepEqual(sentences(check({ runDir, phase: "recovered" })), []);
}

/** One was taken, the other refused, and the journal says why. */
function oneCounts(runDir: string, files: readonly string[]): void {
  const answers = files.map((file) => answerTo(runDir, file));
  assert.equal(answers.filter((answer) => answer === "taken").length, 1, answers.join("; "));
  assert.equal(answers.filter((answer) => /does not wait for a decision/.test(answer ?? "")).length, 1);
  assert.equal(decisionsOf(runDir).filter((decision) => decision.startsWith("ask/1 ")).length, 1);
}

describe("two decisions on one gate", { skip: needsLinux }, () => {
  test(`by hand, while an engine stays, ${rounds} times: one is taken`, async () => {
    for (let round = 0; round < rounds; round += 1) {
      await inProject(async (project, file) => {
        const engine = project.start(["run", file, "--wait"]);
        const runDir = await project.untilRun();
        const gate = await untilGate(runDir, "ask");
        const requests = [decisionOn(gate, "approve"), decisionOn(gate, "reject", "no")];
        const order = round % 2 === 0 ? requests : requests.toReversed();
        const files = order.map((request, n) => putRequest(runDir, request, n + 1));
        await until(() => files.every((one) => answerTo(runDir, one)), "both to be looked at");
        oneCounts(runDir, files);
        assert.equal(answerTo(runDir, files[0] as string), "taken", "the lower number was first");
        if (round % 2 === 1) {
          await untilGate(runDir, "ask", 2);
          decideByHand(runDir, "ask", 2, "approve");
        }
        assert.equal((await engine.ended).code, 0);
        sound(runDir);
      });
    }
  });

  test(`by wf approve and wf reject, while an engine stays, ${rounds} times: one of them says so`, async () => {
    for (let round = 0; round < rounds; round += 1) {
      await inProject(async (project, file) => {
        const engine = project.start(["run", file, "--wait"]);
        const runDir = await project.untilRun();
        await untilGate(runDir, "ask");
        const results = await Promise.all([
          project.wf(["approve", runDir, "ask"]),
          project.wf(["reject", runDir, "ask", "--comment", "no"]),
        ]);
        saysWhoWasFaster(results);
        if (decisionsOf(runDir)[0] === "ask/1 reject") {
          await untilGate(runDir, "ask", 2);
          await project.wf(["approve", runDir]);
        }
        assert.equal((await engine.ended).code, 0);
        assert.equal(decisionsOf(runDir).filter((each) => each.startsWith("ask/1 ")).length, 1);
        sound(runDir);
      });
    }
  });

  test(`two resumes and two decisions, ${rounds} times: one drives, and takes one`, async () => {
    for (let round = 0; round < rounds; round += 1) {
      await inProject(async (project, file) => {
        assert.equal((await project.wf(["run", file])).code, 3);
        const runDir = project.onlyRun();
        const gate = await untilGate(runDir, "ask");
        const files = [decisionOn(gate, "approve"), decisionOn(gate, "reject", "no")].map((request, n) =>
          putRequest(runDir, request, n + 1),
        );
        const results = await Promise.all([project.wf(["resume", runDir]), project.wf(["resume", runDir])]);
        // The second finds the run driven, or at its end already.
        const codes = results.map(({ code }) => code);
        assert.ok(codes.includes(0), codes.join(" "));
        assert.ok(
          codes.every((code) => code === 0 || code === 4),
          results.map(({ code, stderr }) => `${code} ${stderr}`).join("\n"),
        );
        oneCounts(runDir, files);
        assert.deepEqual(decisionsOf(runDir), ["ask/1 approve"]);
        assert.deepEqual(project.lines("effects"), ["build", "publish"]);
        sound(runDir);
      });
    }
  });

  test(`wf approve --resume and wf reject --resume, ${rounds} times: one decision counts`, async () => {
    for (let round = 0; round < rounds; round += 1) {
      await inProject(async (project, file) => {
        await project.wf(["run", file]);
        const runDir = project.onlyRun();
        const results = await Promise.all([
          project.wf(["approve", runDir, "ask", "--resume"]),
          project.wf(["reject", runDir, "ask", "--comment", "no", "--resume"]),
        ]);
        const codes = results.map(({ code }) => code);
        assert.ok(
          codes.some((code) => code === 0 || code === 3),
          show(results),
        );
        assert.ok(
          codes.every((code) => code !== null && [0, 2, 3, 4].includes(code)),
          show(results),
        );
        assert.equal(decisionsOf(runDir).filter((each) => each.startsWith("ask/1 ")).length, 1);
        sound(runDir);
      });
    }
  });
});

function saysWhoWasFaster(results: readonly Result[]): void {
  const codes = results.map(({ code }) => code).toSorted();
  assert.deepEqual(codes, [0, 2], show(results));
}

function show(results: readonly Result[]): string {
  return results.map(({ code, stdout, stderr }) => `exit ${code}: ${stdout}${stderr}`).join("\n");
}

describe("a decision that comes while the engine leaves", { skip: needsLinux }, () => {
  test("stopped at every operation from the wait on: it takes the decision before it ends", async () => {
    const operations = await operationsOfLeaving();
    assert.ok(operations.length >= 3, "it has to write, at least, the journal, run.json and free-1");
    let count = 0;
    for (const at of operations) {
      for (const when of ["before", "after"] as const) {
        await inProject(async (project, file) => {
          const what = `${when} operation ${at}`;
          const engine = project.start(["run", file], { fault: { at, when, does: "stop" } });
          const runDir = await project.untilRun();
          const decided = (await untilStopped(engine)) && decideIfOpen(runDir);
          kill([engine.pid], "SIGCONT");
          const { code, stdout, stderr } = await engine.ended;
          if (!decided) return;
          count += 1;
          assert.equal(code, 0, `${what}: ${stdout}${stderr}`);
          assert.deepEqual(decisionsOf(runDir), ["ask/1 approve"], what);
          sound(runDir);
        });
      }
    }
    assert.ok(count >= 4, `only ${count} decisions came in time to be of interest`);
  });

  test("killed at every operation from the wait on: the next takes the decision", async () => {
    for (const at of await operationsOfLeaving()) {
      await inProject(async (project, file) => {
        const engine = project.start(["run", file], { fault: { at, when: "after", does: "stop" } });
        const runDir = await project.untilRun();
        const decided = (await untilStopped(engine)) && decideIfOpen(runDir);
        kill([engine.pid]);
        await engine.ended;
        if (!decided) return;
        const { code, stdout, stderr } = await project.wf(["resume", runDir]);
        assert.equal(code, 0, `after operation ${at}: ${stdout}${stderr}`);
        assert.deepEqual(decisionsOf(runDir), ["ask/1 approve"]);
        assert.deepEqual(project.lines("effects"), ["build", "publish"]);
        sound(runDir);
      });
    }
  });

  test("each time that it leaves: a loop is decided by files that come at the last moment", {}, async () => {
    await inProject(async (project, file) => {
      const fault = { on: "lock/free-", when: "before", does: "stop" } as const;
      const engine = project.start(["run", file], { fault });
      const runDir = await project.untilRun();
      for (const [attempt, decision] of [
        [1, "reject"],
        [2, "reject"],
        [3, "approve"],
      ] as const) {
        await untilGate(runDir, "ask", attempt);
        await untilStopped(engine);
        assert.ok(
          !isGone(engine.pid),
          `it ended, and left the decision on attempt ${attempt - 1} lying there`,
        );
        decideByHand(runDir, "ask", attempt, decision, "well");
        process.kill(engine.pid, "SIGCONT");
        await until(
          () => isGone(engine.pid) || decisionsOf(runDir).length === attempt,
          "the decision to be taken",
        );
        assert.equal(decisionsOf(runDir).length, attempt, `the decision on attempt ${attempt} was not seen`);
      }
      const on = setInterval(() => kill([engine.pid], "SIGCONT"), 20);
      const { code, stdout, stderr } = await engine.ended.finally(() => clearInterval(on));
      assert.equal(code, 0, stdout + stderr);
      sound(runDir);
    });
  });

  test("one that does not fit is refused, and the run waits as before", async () => {
    await inProject(async (project, file) => {
      const fault = { on: "lock/free-1", when: "before", does: "stop" } as const;
      const engine = project.start(["run", file], { fault });
      const runDir = await project.untilRun();
      const gate = await untilGate(runDir, "ask");
      await untilStopped(engine);
      const nonce = "0".repeat(16);
      const odd = putRequest(runDir, decisionOn(gate, "approve", "", { nonce }));
      process.kill(engine.pid, "SIGCONT");
      assert.equal((await engine.ended).code, 3);
      assert.match(answerTo(runDir, odd) ?? "", /made for another gate/);
      assert.equal(readRun(runDir).reason.code, "APPROVAL");
      sound(runDir);
    });
  });

  test("one that meets a gate whose artifact has changed: the gate is opened again before it leaves", {}, async () => {
    const shown = ASK.replace(
      `- { id: build, run: '${TELL}' }`,
      "- { id: build, output_files: { note: note.txt }, run: 'echo note > $WF_OUTPUT_NOTE' }",
    ).replace("Publish?", "{{steps.build.outputs.note}}?");
    await inProject(async (project) => {
      const fault = { on: "lock/free-1", when: "before", does: "stop" } as const;
      const engine = project.start(["run", project.write("shown.yaml", shown)], { fault });
      const runDir = await project.untilRun();
      const gate = await untilGate(runDir, "ask");
      await untilStopped(engine);
      const note = gate.shows[0]?.file as string;
      project.write(`.wf/runs/${runDir.split("/").at(-1)}/${note}`, "another note\n");
      const file = decideByHand(runDir, "ask", 1, "approve");
      process.kill(engine.pid, "SIGCONT");
      assert.equal((await engine.ended).code, 3);
      assert.match(answerTo(runDir, file) ?? "", /changed since/);
      const { reason, steps } = readRun(runDir);
      assert.deepEqual([steps.ask.status, reason.code, reason.attempt], ["waiting", "APPROVAL", 2]);
      await untilGate(runDir, "ask", 2);
    });
  });

  test("one that another engine takes meanwhile: the first ends as it would have", async () => {
    await inProject(async (project, file) => {
      const fault = { on: "lock/free-1", when: "after", does: "stop" } as const;
      const engine = project.start(["run", file], { fault });
      const runDir = await project.untilRun();
      await untilGate(runDir, "ask");
      await untilStopped(engine);
      decideByHand(runDir, "ask", 1, "approve");
      const other = await project.wf(["resume", runDir]);
      process.kill(engine.pid, "SIGCONT");
      const { code, stdout, stderr } = await engine.ended;
      assert.equal(other.code, 0, other.stdout + other.stderr);
      assert.ok(code === 3 || code === 0, `exit ${code}: ${stdout}${stderr}`);
      assert.deepEqual(decisionsOf(runDir), ["ask/1 approve"]);
      sound(runDir);
    });
  });

  test("one that another engine has taken, which still drives: the first ends as it would have", {}, async () => {
    const held = `${ASK.slice(0, ASK.indexOf("  - { id: publish"))}  - id: publish\n    run: |\n      ${hold()}\n`;
    await inProject(async (project) => {
      const fault = { on: "lock/free-1", when: "after", does: "stop" } as const;
      const engine = project.start(["run", project.write("held.yaml", held)], { fault });
      const runDir = await project.untilRun();
      await untilGate(runDir, "ask");
      await untilStopped(engine);
      decideByHand(runDir, "ask", 1, "approve");
      const other = project.start(["resume", runDir]);
      await untilAtWork(project, "publish");
      process.kill(engine.pid, "SIGCONT");
      const { code, stdout, stderr } = await engine.ended;
      letGo(project, "publish");
      assert.equal((await other.ended).code, 0);
      assert.equal(code, 3, stdout + stderr);
      await untilEvent(runDir, "run_ended");
      sound(runDir);
    });
  });

  test("wf next takes a late decision, and still makes one attempt at most", {}, async () => {
    await inProject(async (project, file) => {
      await project.wf(["run", file, "--until", "build"]);
      const runDir = project.onlyRun();
      const fault = { on: "lock/free-2", when: "before", does: "stop" } as const;
      const engine = project.start(["next", runDir], { fault });
      await untilGate(runDir, "ask");
      await untilStopped(engine);
      decideByHand(runDir, "ask", 1, "approve");
      process.kill(engine.pid, "SIGCONT");
      await engine.ended;
      assert.deepEqual(decisionsOf(runDir), ["ask/1 approve"]);
      assert.deepEqual(project.lines("effects"), ["build"]);
      sound(runDir);
    });
  });
});

/** The operations of a run from the append that says that it waits, by their numbers. */
async function operationsOfLeaving(): Promise<number[]> {
  let numbers: number[] = [];
  await inProject(async (project, file) => {
    const trace = project.path("trace");
    await project.wf(["run", file], { fault: { trace } });
    const lines = readFileSync(trace, "utf8").split("\n").filter(Boolean);
    const operations: { n: number; name: string; target: string }[] = lines.map((line) => JSON.parse(line));
    const last = operations.findLast(
      ({ name, target }) => name.startsWith("write") && target.endsWith("progress.ndjson"),
    );
    numbers = operations.filter(({ n }) => n >= (last?.n ?? 0)).map(({ n }) => n);
  });
  return numbers;
}

/** The engine stands still: a gate that is not there now does not come, and nobody could decide it. */
function decideIfOpen(runDir: string): boolean {
  if (readGate(runDir, "ask", 1) === null) return false;
  decideByHand(runDir, "ask", 1, "approve");
  return true;
}

/** False if it ended first. */
async function untilStopped(engine: Background): Promise<boolean> {
  return until(() => {
    if (isGone(engine.pid)) return "ended";
    return stateOf(engine.pid) === "T" ? "stopped" : null;
  }, "the engine to stop").then((state) => state === "stopped");
}
