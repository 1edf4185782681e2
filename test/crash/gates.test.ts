/*
 * Runs with gates, decisions, steps for the end, items of a list and runs in them, broken anywhere.
 *
 * WF_CRASH_CASES=240   how many cases, of all crash tests; `all`: every one
 * WF_CRASH_SEED=1, WF_CRASH_ONLY='…', WF_TEST_KEEP=1, WF_BIN=…/bin/wf.js   as in crash.test.ts
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { decisionsOf } from "../rig/gates.ts";
import { needsLinux } from "../rig/held.ts";
import { type Case, errors, kills, label, type Operation, randomFrom, sample, tears } from "./cases.ts";
import { check, type Facts, sentences } from "./checker.ts";
import { readTrace, runCase, show, type Undisturbed, undisturbed } from "./run-case.ts";
import { drive, EFFECTS, GATE_SCENARIOS, type Scenario, stage, WIDE_SCENARIOS } from "./scenarios.ts";

const ALL: readonly Scenario[] = [...GATE_SCENARIOS, ...WIDE_SCENARIOS];
const AT_ONCE = 2;
const seed = Number(process.env.WF_CRASH_SEED ?? Math.floor(Math.random() * 1e9));
const wanted = process.env.WF_CRASH_CASES === "all" ? Infinity : Number(process.env.WF_CRASH_CASES ?? 120);
const only = process.env.WF_CRASH_ONLY;

/** Of all cases that are wanted, how many go to each kind of fault in each command that drives a run. */
const SHARE = { kills: 0.04, tears: 0.03, errors: 0.015, decider: 0.05, nested: 0.06 };

const plain = new Map<string, Undisturbed>();
let total = 0;
let violations = 0;

describe(`a run with gates, broken anywhere (WF_CRASH_SEED=${seed})`, { skip: needsLinux }, () => {
  before(async () => {
    for (const scenario of ALL) plain.set(scenario.name, await undisturbed(scenario));
  });

  after(async () => {
    for (const { project } of plain.values()) await project.remove();
    console.log(`seed: ${seed}`);
    console.log(`cases: ${total}, violations: ${violations}`);
  });

  test("an undisturbed run breaks no invariant, and equals another one", async () => {
    for (const scenario of ALL) {
      assert.deepEqual(of(scenario).violations, [], scenario.name);
      const never = { at: 1_000_000, when: "before", does: "kill" } as const;
      assert.deepEqual(await runCase(scenario, { scenario: scenario.name, fault: never }, of(scenario)), []);
    }
  });

  for (const scenario of ALL) {
    test(`${scenario.name}: each command that drives it is killed at every operation`, async () => {
      await tryAll(scenario, casesOf(scenario, kills), SHARE.kills);
    });

    test(`${scenario.name}: what each such command appends to the journal is torn anywhere`, async () => {
      await tryAll(scenario, casesOf(scenario, tears), SHARE.tears);
    });

    test(`${scenario.name}: every operation of each such command on a file fails`, async () => {
      await tryAll(scenario, casesOf(scenario, errors), SHARE.errors);
    });
  }
});

describe("a resume that takes a decision, and the next one", { skip: needsLinux }, () => {
  test("both are killed, anywhere", async () => {
    const ask = await undisturbed(ASK);
    try {
      const phase = 1;
      const all = kills(ask.phases[phase]?.operations ?? []);
      const count = Math.max(4, Math.ceil(wanted * SHARE.nested));
      const second = sample(all, count, randomFrom(seed + 1)).reverse();
      const cases: Case[] = [];
      for (const [n, fault] of sample(all, count, randomFrom(seed)).entries()) {
        const then = second[n] as Case["fault"];
        cases.push({ scenario: ASK.name, phase, fault, then });
      }
      const failures: string[] = [];
      for (const one of cases) {
        const found = await runCase(ASK, one, ask);
        if (found.length > 0) failures.push(`${label(one)}\n    ${found.join("\n    ")}`);
      }
      assert.ok(failures.length === 0, failures.join("\n"));
      console.log(`twice killed: ${cases.length} of ${all.length ** 2} cases`);
    } finally {
      await ask.project.remove();
    }
  });
});

describe("a decider that dies", { skip: needsLinux }, () => {
  test("at any operation: the decision is there whole or not at all, and can be made again", async () => {
    const operations = await operationsOfDeciding();
    const cases = sample(kills(operations), Math.max(6, Math.ceil(wanted * SHARE.decider)), randomFrom(seed));
    for (const fault of cases) {
      const what = label({ scenario: "decider", fault });
      const project = stage(ASK);
      try {
        await drive(project, ASK);
        const runDir = project.onlyRun();
        await project.wf(["approve", runDir, "sign_off"], { fault });
        const again = await project.wf(["approve", runDir, "sign_off"]);
        assert.ok(again.code === 0 || again.code === 2, `${what}: ${show(again)}`);
        const resumed = await drive(project, ASK);
        assert.equal(resumed.code, 0, `${what}: ${show(resumed)}`);
        assert.deepEqual(decisionsOf(runDir), ["sign_off/1 approve"], what);
        const facts: Facts = { runDir, phase: "recovered", effects: project.lines(EFFECTS) };
        assert.deepEqual(sentences(check(facts)), [], what);
      } finally {
        await project.remove();
      }
    }
    console.log(`decider: ${cases.length} of ${kills(operations).length} cases`);
  });
});

const ASK = GATE_SCENARIOS[0] as Scenario;

async function operationsOfDeciding(): Promise<readonly Operation[]> {
  const project = stage(ASK);
  try {
    await drive(project, ASK);
    const trace = project.path("trace");
    await project.wf(["approve", project.onlyRun(), "sign_off"], { fault: { trace } });
    return readTrace(trace).operations;
  } finally {
    await project.remove();
  }
}

function of(scenario: Scenario): Undisturbed {
  return plain.get(scenario.name) as Undisturbed;
}

/** The cases of each phase, so that as many are taken of each. */
function casesOf(scenario: Scenario, make: typeof kills): Case[][] {
  return of(scenario).phases.map(({ operations }, phase) =>
    make(operations).map((fault) => ({ scenario: scenario.name, phase, fault })),
  );
}

async function tryAll(scenario: Scenario, phases: readonly Case[][], share: number): Promise<void> {
  const random = randomFrom(seed);
  const chosen = phases.flatMap((cases) =>
    only ? cases.filter((one) => label(one) === only) : sample(cases, Math.ceil(wanted * share), random),
  );
  const failures: string[] = [];
  const queue = [...chosen];
  const work = async () => {
    for (let one = queue.shift(); one; one = queue.shift()) {
      const found = await runCase(scenario, one, of(scenario));
      total += 1;
      violations += found.length;
      if (found.length > 0) failures.push(`${label(one)}\n    ${found.join("\n    ")}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  console.log(`${scenario.name}: ${chosen.length} of ${phases.flat().length} cases`);
  const again = "again, one alone: WF_CRASH_ONLY='…' npm run test:crash";
  assert.ok(failures.length === 0, `${failures.join("\n")}\n(WF_CRASH_SEED=${seed}; ${again})`);
}
