import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type HandMade, handMade, put } from "./checker/hand-made.ts";
import { handMadeGate } from "./checker/hand-made-gate.ts";
import { check, checkRunsFolder, type Facts, sentences } from "./checker.ts";

/** What the checker says of a run with a crash in it, damaged so. */
function said(damage: (run: HandMade) => void, facts: Partial<Facts> = {}, make = handMade): string[] {
  const run = make({ crash: true });
  const other = make({ crash: false });
  try {
    damage(run);
    const runDir = put(run);
    return sentences(check({ runDir, phase: "recovered", undisturbed: put(other), ...facts }));
  } finally {
    fs.rmSync(run.dir, { recursive: true });
    fs.rmSync(other.dir, { recursive: true });
  }
}

function find(
  invariant: string,
  damage: (run: HandMade) => void,
  facts: Partial<Facts> = {},
  make = handMade,
): void {
  const found = said(damage, facts, make);
  assert.ok(
    found.some((sentence) => sentence.startsWith(`${invariant}:`)),
    `${invariant} not found; the checker said: ${found.join("; ") || "nothing"}`,
  );
}

const nothing = () => {};
const event = (run: HandMade, name: string, nth = 0) => run.events.filter((one) => one.event === name)[nth];
const remove = (run: HandMade, name: string) => run.events.splice(run.events.indexOf(event(run, name)), 1);

describe("the checker of the invariants", () => {
  test("has nothing to say of a sound run, with and without a crash in it", () => {
    const effects = ["build", "build", "check", "check"];
    const expected = { build: 2, check: 1 };
    assert.deepEqual(said(nothing, { effects, expected, children: "died", processes: [] }), []);
    const plain = handMade({ crash: false });
    assert.deepEqual(check({ runDir: put(plain), phase: "recovered" }), []);
    fs.rmSync(plain.dir, { recursive: true });
  });

  test("I1: a run directory that is not whole", () => {
    find("I1", ({ files }) => files.delete("workflow.yaml"));
    find("I1", ({ files }) => files.delete("lock/owner-1.json"));
    find("I1", ({ files }) => files.set("workflow.yaml", "id: other\nsteps: [{ id: a, run: b }]\n"));
    find("I1", (run) => {
      run.snapshot = null;
    });
    find("I1", (run) => {
      run.edit = () => "";
    });
  });

  test("I1: a folder left from the making of a run", () => {
    const run = handMade({ crash: false });
    const runs = join(run.dir, "runs");
    fs.mkdirSync(join(runs, ".creating-x/lock"), { recursive: true });
    fs.writeFileSync(join(runs, ".creating-x/lock/owner-1.json"), '{"epoch":1}');
    assert.equal(checkRunsFolder(runs, { quiet: true }).length, 1);
    assert.equal(checkRunsFolder(runs, { quiet: false }).length, 0);
    fs.rmSync(run.dir, { recursive: true });
  });

  test("I2: a run.json that is no JSON or not the fold of a prefix", () => {
    find("I2", ({ files }) => files.set("run.json", "{"));
    for (const change of [
      { status: "running" },
      { iterations: 4 },
      { inputs: {} },
      { reason: { code: "SIGNAL" } },
      { steps: {} },
      { nextExpectedAction: "" },
      { pointer: [{ step: "check", attempt: 2, state: "running" }] },
    ]) {
      find("I2", (run) => Object.assign(run.snapshot, change));
    }
    find("I2", ({ snapshot }) => Object.assign(snapshot.steps.check, { attempts: 1 }));
    find("I2", ({ snapshot }) => Object.assign(snapshot.steps.build, { outputs: {} }));
    find("I2", ({ snapshot }) => Object.assign(snapshot.volatile, { seq: 5 }));
  });

  test("I3: a run.json that is ahead of the journal", () => {
    find("I3", ({ snapshot }) => Object.assign(snapshot.volatile, { seq: 99 }));
    find("I3", ({ snapshot }) => Object.assign(snapshot.volatile, { journalBytes: 99_999 }));
    find("I3", ({ snapshot }) => Object.assign(snapshot.volatile, { journalBytes: 10 }));
  });

  test("I4: a bad line that is not the partial last one, or is there after a recovery", () => {
    const damageLine = (run: HandMade) => {
      run.edit = (journal) => journal.replace('{"seq":4', '{"seq:4');
    };
    find("I4", damageLine);
    find("I4", damageLine, { phase: "crashed" });
    const torn = (run: HandMade) => {
      run.tail = '{"seq":14,"at"';
    };
    find("I4", torn);
    assert.deepEqual(said(torn, { phase: "crashed" }), []);
    find("I4", (run) => Object.assign(run, { tail: "\0\0\0\n" }), { phase: "crashed" });
  });

  test("I5: a gap, a line of another run, an epoch that nobody or somebody else owns", () => {
    find("I5", (run) => remove(run, "retry_scheduled") && Object.assign(run.events[5], { seq: 7 }));
    find("I5", ({ files }) => files.set("lock/owner-2.json", '{"epoch":2,"pid":201}\n'));
    find("I5", ({ files }) => files.delete("lock/owner-2.json"));
    find("I5", ({ files }) => files.set("lock/owner-4.json", "{}"));
    find("I5", (run) => Object.assign(event(run, "engine_started", 1), { epoch: 1 }));
    find("I5", (run) => {
      run.edit = (journal) => journal.replace('"run":"id"', '"run":"other"');
    });
  });

  test("I6: two engines, two executions of one step", () => {
    find("I6", (run) => Object.assign(run.events.at(-1), { epoch: 1 }));
    find("I6", (run) => run.events.splice(3, 0, { ...event(run, "attempt_started"), attempt: 2 }));
    find("I6", nothing, { effects: ["build", "overlap build"] });
  });

  test("I7: an attempt that starts or ends twice, or whose record or outputs are not what was said", () => {
    find("I7", (run) => run.events.splice(3, 0, event(run, "attempt_started")));
    find("I7", (run) => run.events.splice(4, 0, event(run, "attempt_ended")));
    find("I7", (run) => remove(run, "attempt_started"));
    find("I7", (run) => run.events.splice(-2, 1));
    find("I7", ({ files }) => files.delete("steps/build/attempt-1/attempt.json"));
    find("I7", ({ files }) => files.set("steps/build/attempt-1/attempt.json", "{}"));
    find("I7", ({ files }) => files.set("steps/build/attempt-2/outputs/bundle.txt", "contents"));
    find("I7", ({ files }) => files.set("steps/build/attempt-2/outputs/bundle.txt", ""));
    find("I7", ({ files }) => files.delete("steps/build/attempt-2/outputs/bundle.txt"));
    find("I7", ({ files }) => files.set("steps/check/attempt-3/script.sh", "x"));
  });

  test("I8: a command that ran too often, or not at all", () => {
    const expected = { build: 2, check: 1 };
    const effects = ["build", "build", "check", "check"];
    find("I8", nothing, { effects, expected, children: "lived" });
    find("I8", nothing, { effects: ["build", "check"], expected, children: "died" });
    find("I8", nothing, { effects: [...effects, "check"], expected, children: "died" });
  });

  test("I10: a step that runs after it had finished, or before what it needs", () => {
    find("I10", (run) => run.events.splice(-1, 0, { ...event(run, "attempt_started", 1), attempt: 3 }));
    find("I10", (run) => run.events.splice(2, 0, event(run, "attempt_started", 2)));
  });

  test("I11: a resume that leaves the run neither ended nor waiting, or run.json behind", () => {
    find("I11", (run) => run.events.pop());
    find("I11", ({ snapshot }) => Object.assign(snapshot.volatile, { seq: 3 }));
    find("I11", (run) => run.events.push({ ...event(run, "run_ended"), status: "failed" }));
  });

  test("I12: a process that is left, a line after the end", () => {
    find("I12", nothing, { processes: ["4711 sleep 1000"] });
    find("I12", (run) => run.events.push({ ...event(run, "attempt_started"), attempt: 3 }));
  });

  test("I13: not exactly one driver, or a wait for a lease", () => {
    find("I13", nothing, { resumes: [0, 0, 4] });
    find("I13", nothing, { resumes: [4, 4] });
    find("I13", nothing, { takeoverMs: 10_000 });
    assert.deepEqual(said(nothing, { resumes: [4, 0, 4], takeoverMs: 300 }), []);
  });

  test("I14: an error that is hidden, unexplained or shown with a stack trace", () => {
    find("I14", nothing, { injected: { code: 0, stderr: "wf: no space" } });
    find("I14", nothing, { injected: { code: null, stderr: "wf: no space" } });
    find("I14", nothing, { injected: { code: 6, stderr: "\n" } });
    find("I14", nothing, { injected: { code: 6, stderr: "Error: x\n    at write (node:fs:1:1)\n" } });
    assert.deepEqual(said(nothing, { injected: { code: 6, stderr: "wf: no space is left" } }), []);
  });

  test("I15: a run that means something else than the undisturbed one", () => {
    find("I15", ({ files }) => files.set("steps/check/attempt-2/stdout.log", "checked twice\n"));
    find("I15", ({ files }) => files.delete("steps/check/attempt-2/stdout.log"));
    find("I15", ({ files }) => files.set("steps/check/attempt-2/.attempt.json.tmp-1", ""));
    find("I15", ({ files }) => files.set("lock/.owner-2.json.tmp-1", ""));
    find("I15", (run) => Object.assign(event(run, "retry_scheduled"), { because: "retry 2 of 1" }));
    find("I15", (run) => Object.assign(event(run, "attempt_started", 2), { cause: "resume" }));
    find("I15", ({ snapshot }) => Object.assign(snapshot, { nextExpectedAction: "something" }));
  });
});

describe("the checker of the invariants, on a run with a gate and a step at its end", () => {
  const inGate = (invariant: string, damage: (run: HandMade) => void) =>
    find(invariant, damage, {}, handMadeGate);

  test("has nothing to say of a sound run: a stop and what came of it are taken out", () => {
    assert.deepEqual(said(nothing, {}, handMadeGate), []);
  });

  test("I10: a step that was canceled, and starts again though nobody resumed", () => {
    inGate("I10", (run) => remove(run, "attempt_stopping"));
  });

  test("I7: a gate that is decided twice, by something else, or not at all", () => {
    inGate("I7", (run) => run.events.splice(9, 0, event(run, "decision")));
    inGate("I7", (run) => run.events.splice(8, 0, event(run, "request_taken")));
    inGate("I7", (run) => remove(run, "decision"));
    inGate("I7", (run) => Object.assign(event(run, "decision"), { digest: "0" }));
    inGate("I7", (run) => Object.assign(event(run, "decision"), { decision: "approve" }));
    inGate("I7", ({ files }) => files.delete("steps/ask/attempt-1/gate.json"));
  });

  test("I9: a decision that is lost, or was never asked for", () => {
    inGate("I9", ({ files }) => files.set("control/decide-ask-2-2.json", "{}"));
    inGate("I9", ({ files }) => files.delete("control/decide-ask-2-1.json"));
    inGate("I9", (run) => Object.assign(event(run, "decision"), { comment: "something else" }));
    inGate("I9", (run) => Object.assign(event(run, "decision"), { volatile: { by: "bob" } }));
    inGate("I9", (run) => remove(run, "decision"));
  });

  test("I10: a step that runs after the run has come to its end, or one of the end before it", () => {
    inGate("I10", (run) => run.events.splice(2, 0, event(run, "finally_started")));
    inGate("I10", (run) => remove(run, "finally_started"));
  });

  test("I11: a run that ends without its last steps, or waits for a gate that is not open", () => {
    inGate("I11", (run) => remove(run, "finally_started"));
    inGate("I11", (run) => Object.assign(event(run, "finally_started"), { status: "failed" }));
    inGate("I11", (run) => Object.assign(event(run, "attempt_stopping"), { attempt: 1 }));
    const open = (run: HandMade) => {
      run.events.splice(7);
      run.snapshot = null;
    };
    inGate("I11", (run) => {
      open(run);
      run.files.delete("steps/ask/attempt-1/gate.json");
    });
    inGate("I11", (run) => {
      open(run);
      Object.assign(event(run, "run_waiting").reason, { attempt: 2 });
    });
  });

  test("I12: a decision that is taken while nobody drives", () => {
    inGate("I12", (run) => run.events.splice(7, 1));
  });

  test("I15: another decision, another comment, another thing shown", () => {
    const otherComment = (run: HandMade) => {
      Object.assign(event(run, "decision"), { comment: "never" });
    };
    inGate("I15", otherComment);
    inGate("I15", ({ files }) => files.set("steps/ask/attempt-2/gate.json", "{}"));
    inGate("I15", (run) =>
      run.events.splice(6, 0, { ...event(run, "run_waiting"), reason: { code: "PAUSED" } }),
    );
  });
});
