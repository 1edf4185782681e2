/*
 * WF_CRASH_CASES=240   how many cases, spread evenly over all of them; `all`: every one (an hour)
 * WF_CRASH_SEED=1      which of them
 * WF_CRASH_ONLY='…'    a single one, by the label that a failure prints
 * WF_TEST_KEEP=1       keeps the folders
 * WF_BIN=…/bin/wf.js   another build
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { needsLinux } from "../rig/held.ts";
import { type Case, errors, kills, label, randomFrom, sample } from "./cases.ts";
import { operationsOfResume, runCase, type Undisturbed, undisturbed } from "./run-case.ts";
import { SCENARIOS, type Scenario } from "./scenarios.ts";

const AT_ONCE = 2;
const seed = Number(process.env.WF_CRASH_SEED ?? Math.floor(Math.random() * 1e9));
const wanted = process.env.WF_CRASH_CASES === "all" ? Infinity : Number(process.env.WF_CRASH_CASES ?? 120);
const only = process.env.WF_CRASH_ONLY;

/** How many crashes of a run each have every crash of its resume tried on them. */
const NESTED_FROM = 6;

/** Of all cases that are wanted, how many go to each kind; a canceled run takes longer than others. */
const SHARE = { kills: 0.22, errors: 0.1, nested: 0.1, canceled: 0.4 };

const plain = new Map<string, Undisturbed>();
let total = 0;
let violations = 0;

describe(`a run, broken anywhere (WF_CRASH_SEED=${seed})`, { skip: needsLinux }, () => {
  before(async () => {
    for (const scenario of SCENARIOS) plain.set(scenario.name, await undisturbed(scenario));
  });

  after(async () => {
    for (const { project } of plain.values()) await project.remove();
    console.log(`seed: ${seed}`);
    console.log(`cases: ${total}, violations: ${violations}`);
  });

  test("an undisturbed run breaks no invariant, and equals another one", async () => {
    for (const scenario of SCENARIOS) {
      assert.deepEqual(of(scenario).violations, []);
      const never = { at: 1_000_000, when: "before", does: "kill" } as const;
      assert.deepEqual(await runCase(scenario, { scenario: scenario.name, fault: never }, of(scenario)), []);
    }
  });

  for (const scenario of SCENARIOS) {
    test(`${scenario.name}: killed before, within and after every operation`, async () => {
      await tryAll(
        scenario,
        kills(of(scenario).operations).map((fault) => ({ scenario: scenario.name, fault })),
        SHARE.kills,
      );
    });

    test(`${scenario.name}: every operation on a file fails`, async () => {
      await tryAll(
        scenario,
        errors(of(scenario).operations).map((fault) => ({ scenario: scenario.name, fault })),
        SHARE.errors,
      );
    });
  }

  for (const scenario of SCENARIOS.slice(0, 2)) {
    test(`${scenario.name}: the resume is killed too`, async () => {
      const first = sample(kills(of(scenario).operations), NESTED_FROM, randomFrom(seed));
      const cases: Case[] = [];
      for (const fault of first) {
        for (const then of kills(await operationsOfResume(scenario, fault))) {
          cases.push({ scenario: scenario.name, fault, then });
        }
      }
      await tryAll(scenario, cases, SHARE.nested);
    });
  }
});

function of(scenario: Scenario): Undisturbed {
  return plain.get(scenario.name) as Undisturbed;
}

/** Tries a share of what is wanted in all, evenly spread over the cases. */
async function tryAll(scenario: Scenario, cases: readonly Case[], share: number): Promise<void> {
  const chosen = only
    ? cases.filter((one) => label(one) === only)
    : sample(cases, Math.ceil(wanted * share * (scenario.cancelAt ? SHARE.canceled : 1)), randomFrom(seed));
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
  console.log(`${scenario.name}: ${chosen.length} of ${cases.length} cases`);
  const again = "again, one alone: WF_CRASH_ONLY='…' npm run test:crash";
  assert.ok(failures.length === 0, `${failures.join("\n")}\n(WF_CRASH_SEED=${seed}; ${again})`);
}
