import assert from "node:assert/strict";
import { appendFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { check, sentences } from "../crash/checker.ts";
import {
  answerTo,
  type Decision,
  decideByHand,
  decisionOn,
  decisionsOf,
  type Gate,
  putFile,
  putRequest,
  readGate,
  untilGate,
} from "../rig/gates.ts";
import { endsOf, hold, killEngine, letGo, needsLinux, startHeld, TELL, untilAtWork } from "../rig/held.ts";
import { readJournal, readRun, untilEvent } from "../rig/journal.ts";
import { type Project, projectFor } from "../rig/project.ts";
import { until } from "../rig/wait.ts";

/** `build`, `ask`, `publish`; a rejection goes back to `build`. */
const ASK = `id: ask
steps:
  - id: build
    output_files: { bundle: bundle.txt }
    run: |
      ${TELL}
      echo bundle > "$WF_OUTPUT_BUNDLE"
  - id: ask
    message: 'Publish {{steps.build.outputs.bundle}}?'
    on_reject: build
  - id: publish
    run: ${TELL}
`;

/** A run of the workflow that waits for a decision on `ask`. */
async function waiting(project: Project, text = ASK): Promise<string> {
  const result = await project.wf(["run", project.write("ask.yaml", text)]);
  assert.equal(result.code, 3, result.stdout + result.stderr);
  return project.onlyRun();
}

function sound(runDir: string): void {
  assert.deepEqual(sentences(check({ runDir, phase: "recovered" })), []);
}

/** Ended or waiting with this exit code, and why. */
async function resumed(project: Project, runDir: string, code: number, reason?: string): Promise<void> {
  const result = await project.wf(["resume", runDir]);
  assert.equal(result.code, code, result.stdout + result.stderr);
  assert.equal(readRun(runDir).reason?.code, reason);
}

describe("a gate that a person decides", { skip: needsLinux }, () => {
  test("a reject loop that ends in approval", async (t) => {
    const project = projectFor(t);
    const runDir = await waiting(project);
    assert.deepEqual(readRun(runDir).pointer, [{ step: "ask", attempt: 1, state: "waiting" }]);
    for (const attempt of [1, 2]) {
      decideByHand(runDir, "ask", attempt, "reject", `not yet, ${attempt}`);
      await resumed(project, runDir, 3, "APPROVAL");
      sound(runDir);
    }
    decideByHand(runDir, "ask", 3, "approve");
    await resumed(project, runDir, 0);
    assert.deepEqual(decisionsOf(runDir), ["ask/1 reject", "ask/2 reject", "ask/3 approve"]);
    assert.deepEqual(project.lines("effects"), ["build", "build", "build", "publish"]);
    assert.equal(readRun(runDir).steps.ask.decision, "approve");
    sound(runDir);
  });

  test("wf reject and wf approve do the same, and what is said reaches the record", async (t) => {
    const project = projectFor(t);
    const runDir = await waiting(project);
    assert.equal((await project.wf(["reject", runDir, "--comment", "too short"])).code, 0);
    await resumed(project, runDir, 3, "APPROVAL");
    const [made] = readJournal(runDir).filter(({ event }) => event === "decision");
    assert.equal(made?.comment, "too short");
    assert.notEqual(made?.volatile.by, "");
    const result = await project.wf(["approve", runDir, "ask", "--resume"]);
    assert.equal(result.code, 0, result.stdout + result.stderr);
    assert.deepEqual(decisionsOf(runDir), ["ask/1 reject", "ask/2 approve"]);
    sound(runDir);
  });

  test("a resume without a decision changes nothing but says again that it waits", async (t) => {
    const project = projectFor(t);
    const runDir = await waiting(project);
    const gate = readGate(runDir, "ask", 1);
    await resumed(project, runDir, 3, "APPROVAL");
    assert.deepEqual(readGate(runDir, "ask", 1), gate);
    assert.equal(readJournal(runDir).filter(({ event }) => event === "attempt_started").length, 2);
    sound(runDir);
  });

  test("a loop ends at max_total_iterations, and a raised limit lets it go on", async (t) => {
    const project = projectFor(t);
    const runDir = await waiting(project, `${ASK}limits: { max_total_iterations: 3 }\n`);
    decideByHand(runDir, "ask", 1, "reject", "no");
    await resumed(project, runDir, 1, "ITERATION_LIMIT");
    assert.equal(readRun(runDir).iterations, 3);
    sound(runDir);
    assert.equal((await project.wf(["resume", runDir])).code, 2);
    const raised = await project.wf(["resume", runDir, "--limit", "max_total_iterations=9"]);
    assert.equal(raised.code, 3, raised.stderr);
    decideByHand(runDir, "ask", 2, "approve");
    await resumed(project, runDir, 0);
    sound(runDir);
  });

  test("a rejection without a target fails the run, and a resume asks again", async (t) => {
    const project = projectFor(t);
    const runDir = await waiting(project, ASK.replace("    on_reject: build\n", ""));
    decideByHand(runDir, "ask", 1, "reject", "never");
    await resumed(project, runDir, 1, "REJECTED");
    assert.match(readRun(runDir).reason.message, /never/);
    sound(runDir);
    await resumed(project, runDir, 3, "APPROVAL");
    decideByHand(runDir, "ask", 2, "approve");
    await resumed(project, runDir, 0);
    assert.deepEqual(project.lines("effects"), ["build", "publish"]);
    sound(runDir);
  });

  test("on_reject: fail ends the run as failed, and a resume asks again", async (t) => {
    const project = projectFor(t);
    const runDir = await waiting(project, ASK.replace("on_reject: build", "on_reject: fail"));
    decideByHand(runDir, "ask", 1, "reject", "never");
    await resumed(project, runDir, 1, "REJECTED");
    sound(runDir);
    await resumed(project, runDir, 3, "APPROVAL");
    sound(runDir);
  });

  test("what does not fit is refused with its reason, and what fits is taken after it", async (t) => {
    const project = projectFor(t);
    const runDir = await waiting(project);
    const gate = await untilGate(runDir, "ask");
    const refused: [Record<string, unknown> | string, RegExp][] = [
      [
        decisionOn(gate, "approve", "", { nonce: "0000000000000000" }),
        /made for another gate: nonce or digest/,
      ],
      [decisionOn(gate, "approve", "", { digest: "0".repeat(64) }), /made for another gate: nonce or digest/],
      [decisionOn(gate, "approve", "", { urgent: true }), /a key that is not known: "urgent"/],
      [decisionOn(gate, "reject"), /a rejection needs a comment/],
      [decisionOn(gate, "reject", " \n"), /a rejection needs a comment/],
      [decisionOn(gate, "approve", "", { decision: "yes" }), /neither approves nor rejects/],
      [decisionOn(gate, "approve", "", { attempt: "1" }), /"attempt" is not a number/],
      [decisionOn(gate, "approve", "", { attempt: 2 }), /attempt 2 of ask does not wait/],
      [decisionOn(gate, "approve", "", { step: "other" }), /there is no step other/],
      [decisionOn(gate, "approve", "", { request: "cancel" }), /"request" is not "decide"/],
      ["approve", /it is not JSON/],
      ["[]\n", /it is not a JSON object/],
    ];
    const files = refused.map(([request], n) => {
      const file = `control/decide-ask-1-${n + 1}.json`;
      return putFile(runDir, file, typeof request === "string" ? request : `${JSON.stringify(request)}\n`);
    });
    const odd = putFile(runDir, "control/decide-ask.json", "{}");
    const taken = putRequest(runDir, decisionOn(gate, "approve", "well done"), 100);
    await resumed(project, runDir, 0);
    for (const [n, file] of files.entries())
      assert.match(answerTo(runDir, file) ?? "", refused[n]?.[1] as RegExp);
    assert.match(answerTo(runDir, odd) ?? "", /its name is not that of a request/);
    assert.equal(answerTo(runDir, taken), "taken");
    assert.deepEqual(decisionsOf(runDir), ["ask/1 approve"]);
    sound(runDir);
  });

  test("a decision on bytes that have changed since is refused, and the gate asks anew", async (t) => {
    const project = projectFor(t);
    const runDir = await waiting(project);
    const first = await untilGate(runDir, "ask");
    const shown = first.shows[0]?.file as string;
    writeFileSync(join(runDir, shown), "something else\n");
    const file = decideByHand(runDir, "ask", 1, "approve");
    await resumed(project, runDir, 3, "APPROVAL");
    assert.match(
      answerTo(runDir, file) ?? "",
      new RegExp(`changed since: ${shown}; the gate is opened again`),
    );
    assert.deepEqual(endsOf(runDir, "ask"), ["canceled"]);
    const second = (await untilGate(runDir, "ask", 2)) as Gate;
    assert.notEqual(second.digest, first.digest);
    assert.notEqual(second.volatile.nonce, first.volatile.nonce);
    const causes = readJournal(runDir).filter(
      ({ event, step }) => event === "attempt_started" && step === "ask",
    );
    assert.deepEqual(
      causes.map(({ cause }) => cause),
      ["first", "stale"],
    );
    // What was decided on the first attempt does not count for the second, whatever it is called.
    const old = putRequest(runDir, { ...decisionOn(first, "approve"), attempt: 2 });
    await resumed(project, runDir, 3, "APPROVAL");
    assert.match(answerTo(runDir, old) ?? "", /made for another gate/);
    putRequest(runDir, decisionOn(second, "approve"), 2);
    await resumed(project, runDir, 0);
    assert.deepEqual(decisionsOf(runDir), ["ask/2 approve"]);
  });

  test("an artifact that is not there any more is a change too", async (t) => {
    const project = projectFor(t);
    const runDir = await waiting(project);
    rmSync(join(runDir, readGate(runDir, "ask", 1)?.shows[0]?.file as string));
    const file = decideByHand(runDir, "ask", 1, "approve");
    const { code } = await project.wf(["resume", runDir]);
    assert.match(answerTo(runDir, file) ?? "", /changed since/);
    assert.notEqual(code, 0);
    assert.deepEqual(decisionsOf(runDir), []);
  });

  test("a gate that lost its file is asked with a new one", async (t) => {
    const project = projectFor(t);
    const runDir = await waiting(project);
    const old = await untilGate(runDir, "ask");
    rmSync(join(runDir, "steps/ask/attempt-1/gate.json"));
    await resumed(project, runDir, 3, "APPROVAL");
    sound(runDir);
    const file = putRequest(runDir, decisionOn(old, "approve"));
    await resumed(project, runDir, 3, "APPROVAL");
    assert.match(answerTo(runDir, file) ?? "", /made for another gate/);
  });

  test("--until a gate: the run waits for the decision, and pauses after it", async (t) => {
    const project = projectFor(t);
    const result = await project.wf(["run", project.write("ask.yaml", ASK), "--until", "ask"]);
    assert.equal(result.code, 3);
    const runDir = project.onlyRun();
    assert.equal(readRun(runDir).reason.code, "APPROVAL");
    decideByHand(runDir, "ask", 1, "approve");
    const further = await project.wf(["resume", runDir, "--until", "ask"]);
    assert.equal(further.code, 3);
    assert.equal(readRun(runDir).reason.code, "PAUSED");
    assert.deepEqual(project.lines("effects"), ["build"]);
    sound(runDir);
    await resumed(project, runDir, 0);
    sound(runDir);
  });

  test("a cancel at an open gate closes it and ends the run; a resume asks again", async (t) => {
    const project = projectFor(t);
    const runDir = await waiting(project);
    assert.equal((await project.wf(["cancel", runDir])).code, 0);
    assert.equal(readRun(runDir).status, "canceled");
    assert.deepEqual(endsOf(runDir, "ask"), ["canceled"]);
    sound(runDir);
    await resumed(project, runDir, 3, "APPROVAL");
    decideByHand(runDir, "ask", 2, "approve");
    await resumed(project, runDir, 0);
    sound(runDir);
  });

  test("a decision that finds the engine dead in mid-run is taken by the next", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project, BESIDE);
    await untilGate(run.runDir, "ask");
    await killEngine(run);
    decideByHand(run.runDir, "ask", 1, "approve");
    letGo(project, "held");
    await resumed(project, run.runDir, 0);
    assert.deepEqual(decisionsOf(run.runDir), ["ask/1 approve"]);
    sound(run.runDir);
  });
});

/** `ask` is open while `held` is at work. */
const BESIDE = `id: beside
steps:
  - id: held
    needs: []
    run: |
      ${hold()}
  - id: ask
    needs: []
    message: 'Good?'
  - id: publish
    needs: [ask]
    run: ${TELL}
`;

describe("a gate beside an engine that stays", { skip: needsLinux }, () => {
  test("--wait: a decision is taken at once, through a loop", async (t) => {
    const project = projectFor(t);
    const engine = project.start(["run", project.write("ask.yaml", ASK), "--wait"]);
    const runDir = await project.untilRun();
    const decide = async (attempt: number, decision: Decision, comment: string) => {
      await untilGate(runDir, "ask", attempt);
      const file = decideByHand(runDir, "ask", attempt, decision, comment);
      assert.equal(await until(() => answerTo(runDir, file), "an answer"), "taken");
    };
    await decide(1, "reject", "no");
    await decide(2, "approve", "");
    assert.equal((await engine.ended).code, 0);
    assert.ok(!readJournal(runDir).some(({ event }) => event === "run_waiting"));
    sound(runDir);
  });

  test("a decision is taken while other steps run, and what follows starts", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project, BESIDE);
    await untilGate(run.runDir, "ask");
    decideByHand(run.runDir, "ask", 1, "approve");
    await untilAtWork(project, "publish");
    letGo(project, "held");
    assert.equal((await run.engine.ended).code, 0);
    sound(run.runDir);
  });

  test("a failure closes the open gate", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project, BESIDE.replace(hold(), hold("exit 7")));
    await untilGate(run.runDir, "ask");
    letGo(project, "held");
    assert.equal((await run.engine.ended).code, 1);
    assert.deepEqual(endsOf(run.runDir, "ask"), ["canceled"]);
    sound(run.runDir);
  });

  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    test(`${signal} leaves the gate open, and a decision on it counts`, async (t) => {
      const project = projectFor(t);
      const engine = project.start(["run", project.write("ask.yaml", ASK), "--wait"]);
      const runDir = await project.untilRun();
      await untilGate(runDir, "ask");
      process.kill(engine.pid, signal);
      assert.equal((await engine.ended).code, code);
      assert.equal(readRun(runDir).reason.code, "SIGNAL");
      sound(runDir);
      decideByHand(runDir, "ask", 1, "approve");
      await resumed(project, runDir, 0);
      assert.deepEqual(decisionsOf(runDir), ["ask/1 approve"]);
      sound(runDir);
    });
  }

  test("a cancel at an open gate ends the engine that waits", async (t) => {
    const project = projectFor(t);
    const engine = project.start(["run", project.write("ask.yaml", ASK), "--wait"]);
    const runDir = await project.untilRun();
    await untilGate(runDir, "ask");
    await project.wf(["cancel", runDir]);
    assert.equal((await engine.ended).code, 1);
    assert.equal(readRun(runDir).status, "canceled");
    sound(runDir);
  });

  test("run_timeout does not count the time in which a person is waited for", async (t) => {
    const project = projectFor(t);
    const text = `${ASK}limits: { run_timeout: 2s }\n`;
    const engine = project.start(["run", project.write("ask.yaml", text), "--wait"]);
    const runDir = await project.untilRun();
    await untilGate(runDir, "ask");
    const opened = Date.now();
    await until(() => Date.now() - opened > 2_500, "more than the run_timeout to pass");
    decideByHand(runDir, "ask", 1, "approve");
    const result = await engine.ended;
    assert.equal(result.code, 0, result.stdout + result.stderr);
    sound(runDir);
  });
});

/** `review` writes what the file `verdicts` says for its attempt. */
const REVIEW = `id: review
steps:
  - id: draft
    run: ${TELL}
  - id: review
    on_reject: draft
    run: |
      ${TELL}
      sed -n "$WF_ATTEMPT"p verdicts >> "$WF_OUTPUT"
  - id: send
    run: ${TELL}
`;

async function reviewed(project: Project, verdicts: string, limits = ""): Promise<string> {
  project.write("verdicts", verdicts);
  await project.wf(["run", project.write("review.yaml", `${REVIEW}${limits}`)]);
  return project.onlyRun();
}

describe("a gate that a command decides", { skip: needsLinux }, () => {
  test("a reject loop that ends in approval", async (t) => {
    const project = projectFor(t);
    const runDir = await reviewed(project, "decision=reject\ndecision= Reject \ndecision=APPROVE\n");
    const rounds = ["draft", "review", "draft", "review", "draft", "review", "send"];
    assert.deepEqual(project.lines("effects"), rounds);
    assert.equal(readRun(runDir).status, "succeeded");
    sound(runDir);
  });

  test("a loop without end stops at max_total_iterations", async (t) => {
    const project = projectFor(t);
    const runDir = await reviewed(
      project,
      "decision=reject\n".repeat(9),
      "limits: { max_total_iterations: 5 }\n",
    );
    assert.equal(readRun(runDir).reason.code, "ITERATION_LIMIT");
    assert.deepEqual(project.lines("effects"), ["draft", "review", "draft", "review", "draft"]);
    sound(runDir);
  });

  for (const [what, verdict, found] of [
    ["none", "feedback=hm", /there is none/],
    ["an unclear one", "decision=maybe", /it is "maybe"/],
    ["an empty one", "decision=", /it is ""/],
  ] as const) {
    test(`a decision that is missing or unclear fails: ${what}`, async (t) => {
      const project = projectFor(t);
      const runDir = await reviewed(project, `${verdict}\ndecision=approve\n`);
      const { status, reason } = readRun(runDir);
      assert.deepEqual([status, reason.code], ["failed", "BAD_DECISION"]);
      assert.match(reason.message, found);
      sound(runDir);
      await resumed(project, runDir, 0);
      sound(runDir);
    });
  }
});

/** A step's command, then `clean` and `report`, which says how the run ended. */
const tidy = (command: string) => `id: tidy
steps:
  - id: held
    run: |
      ${command}
finally:
  - id: clean
    run: ${TELL}
  - id: report
    run: |
      ${TELL}
      echo "{{workflow.status}} {{workflow.reason}} {{steps.held.status}}" >> reports
`;

describe("steps for the end of a run", { skip: needsLinux }, () => {
  test("after a success", async (t) => {
    const project = projectFor(t);
    await project.wf(["run", project.write("tidy.yaml", tidy(TELL))]);
    assert.deepEqual(project.lines("effects"), ["held", "clean", "report"]);
    assert.deepEqual(project.lines("reports"), ["succeeded  succeeded"]);
    sound(project.onlyRun());
  });

  test("after a failure, and again after the next one", async (t) => {
    const project = projectFor(t);
    const result = await project.wf(["run", project.write("tidy.yaml", tidy(`${TELL}; exit 3`))]);
    assert.equal(result.code, 1);
    const runDir = project.onlyRun();
    assert.deepEqual(project.lines("reports"), ["failed held failed on attempt 1: exit status 3 failed"]);
    await resumed(project, runDir, 1, "EXIT_STATUS");
    assert.deepEqual(project.lines("effects"), ["held", "clean", "report", "held", "clean", "report"]);
    sound(runDir);
  });

  test("after a cancel", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project, tidy(hold()));
    await project.wf(["cancel", run.runDir, "--reason", "enough"]);
    assert.equal((await run.engine.ended).code, 1);
    assert.equal(readRun(run.runDir).status, "canceled");
    assert.deepEqual(project.lines("effects"), ["held", "clean", "report"]);
    assert.deepEqual(project.lines("reports"), ["canceled canceled: enough canceled"]);
    sound(run.runDir);
  });

  test("after a cancel at an open gate, without a live engine", async (t) => {
    const project = projectFor(t);
    const runDir = await waiting(project, `${ASK}finally: [{ id: clean, run: '${TELL}' }]\n`);
    assert.deepEqual(project.lines("effects"), ["build"]);
    await project.wf(["cancel", runDir]);
    assert.equal(readRun(runDir).status, "canceled");
    assert.deepEqual(project.lines("effects"), ["build", "clean"]);
    sound(runDir);
  });

  test("not after a signal: the run is not at its end, and comes to it with the resume", async (t) => {
    const project = projectFor(t);
    const run = await startHeld(project, tidy(hold()));
    process.kill(run.engine.pid, "SIGTERM");
    assert.equal((await run.engine.ended).code, 143);
    assert.deepEqual(project.lines("effects"), ["held"]);
    sound(run.runDir);
    letGo(project, "held");
    await resumed(project, run.runDir, 0);
    assert.deepEqual(project.lines("effects"), ["held", "held", "clean", "report"]);
    sound(run.runDir);
  });

  test("after a rejection", async (t) => {
    const project = projectFor(t);
    const text = `${ASK.replace("on_reject: build", "on_reject: fail")}finally: [{ id: clean, run: '${TELL}' }]\n`;
    const runDir = await waiting(project, text);
    decideByHand(runDir, "ask", 1, "reject", "no");
    await resumed(project, runDir, 1, "REJECTED");
    assert.deepEqual(project.lines("effects"), ["build", "clean"]);
    sound(runDir);
  });

  /** `work` succeeds, `clean` fails until there is a file `good`. */
  const CLEAN_FAILS = `id: clean-fails
steps:
  - { id: first, run: '${TELL}' }
  - { id: work, run: '${TELL}' }
finally:
  - { id: clean, run: '${TELL}; test -e good' }
`;

  test("one that fails, fails the run; a resume repeats it, and nothing that has succeeded", {}, async (t) => {
    const project = projectFor(t);
    const result = await project.wf(["run", project.write("clean.yaml", CLEAN_FAILS)]);
    assert.equal(result.code, 1);
    const runDir = project.onlyRun();
    assert.equal(readRun(runDir).reason.step, "clean");
    sound(runDir);
    project.write("good", "");
    await resumed(project, runDir, 0);
    assert.deepEqual(project.lines("effects"), ["first", "work", "clean", "clean"]);
    sound(runDir);
  });

  test("a cancel while they run ends them, and the run as canceled", async (t) => {
    const project = projectFor(t);
    const text = `id: slow\nsteps: [{ id: work, run: '${TELL}' }]\nfinally:\n  - id: held\n    run: |\n      ${hold()}\n  - { id: more, run: '${TELL}' }\n`;
    const run = await startHeld(project, text);
    await project.wf(["cancel", run.runDir]);
    assert.equal((await run.engine.ended).code, 1);
    assert.equal(readRun(run.runDir).status, "canceled");
    assert.deepEqual(project.lines("effects"), ["work", "held"]);
    sound(run.runDir);
  });

  test("an engine that dies among them: the next goes on where it was", async (t) => {
    const project = projectFor(t);
    const text = `id: slow\nsteps: [{ id: work, run: '${TELL}' }]\nfinally:\n  - { id: clean, run: '${TELL}' }\n  - id: held\n    run: |\n      ${hold()}\n  - { id: more, run: '${TELL}' }\n`;
    const run = await startHeld(project, text);
    await killEngine(run);
    letGo(project, "held");
    await resumed(project, run.runDir, 0);
    assert.deepEqual(project.lines("effects"), ["work", "clean", "held", "more"]);
    await untilEvent(run.runDir, "attempt_adopted");
    sound(run.runDir);
  });
});

test("an edit of a log or of a file that the gate does not show is no change", {
  skip: needsLinux,
}, async (t) => {
  const project = projectFor(t);
  const runDir = await waiting(project);
  appendFileSync(join(runDir, "steps/build/attempt-1/stdout.log"), "a note\n");
  decideByHand(runDir, "ask", 1, "approve");
  await resumed(project, runDir, 0);
});
