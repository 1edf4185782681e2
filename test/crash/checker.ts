/*
 * Says which invariants of a run directory are broken. It shares no code with the program: it has its own reader,
 * its own fold and its own canonical form.
 */
import * as fs from "node:fs";
import { basename, join } from "node:path";
import { canonical, differences } from "./checker/canonical.ts";
import { checkGates } from "./checker/gate-rules.ts";
import { checkJournal } from "./checker/journal-rules.ts";
import {
  bytesOf,
  jsonOf,
  type Line,
  type Loose,
  nameOf,
  nestedRuns,
  type Run,
  readRun,
  sha256,
} from "./checker/read.ts";
import { checkRecords, checkSnapshot } from "./checker/record-rules.ts";

export interface Violation {
  /** Such as `I5`. */
  readonly invariant: string;
  readonly sentence: string;
}

/** What the test knows and the run directory does not say. */
export interface Facts {
  readonly runDir: string;
  /** `crashed`: nobody has resumed since the engine died; `recovered`: the last command went through. */
  readonly phase: "crashed" | "recovered";
  /** Lines that the run's commands appended: the step's id, or `overlap <id>` if one found another at work. */
  readonly effects?: readonly string[];
  /** How often each step's command runs in an undisturbed run. */
  readonly expected?: Readonly<Record<string, number>>;
  /** Whether the steps lived on when the engine died. */
  readonly children?: "lived" | "died";
  /** Processes of the run that are there now, as a person would name them. */
  readonly processes?: readonly string[];
  /** The run directory of the same workflow and inputs, undisturbed. */
  readonly undisturbed?: string;
  /** Exit codes of resumes that were started at once, and of which one had to drive. */
  readonly resumes?: readonly (number | null)[];
  /** Milliseconds from the start of a resume after SIGKILL until its engine was in the journal. */
  readonly takeoverMs?: number;
  /** How a command ended into which an error was injected. */
  readonly injected?: { readonly code: number | null; readonly stderr: string };
}

export type Report = (invariant: string, sentence: string) => void;

/** A lease would make a resume wait for 10 s or more; a slow machine does not. */
const LEASE_MS = 8_000;

export function check(facts: Facts): Violation[] {
  const violations: Violation[] = [];
  const report: Report = (invariant, sentence) => violations.push({ invariant, sentence });
  const run = readRun(facts.runDir);
  for (const path of nestedRuns(run)) {
    const { effects: _, expected: __, undisturbed: ___, injected: ____, ...rest } = facts;
    const found = check({ ...rest, processes: [], runDir: join(run.dir, path) });
    for (const { invariant, sentence } of found) report(invariant, `${path}: ${sentence}`);
  }
  checkWhole(run, report);
  if (run.lines.length > 0 && run.definition !== null) {
    checkJournal(run, facts.phase, report);
    checkSnapshot(run, facts.phase, report);
    checkRecords(run, facts.phase, report);
    checkGates(run, facts.phase, report);
    checkEffects(run, facts, report);
  }
  checkFacts(facts, report);
  if (facts.undisturbed !== undefined && facts.phase === "recovered") {
    for (const difference of differences(canonical(run), canonical(readRun(facts.undisturbed))))
      report("I15", difference);
  }
  return violations;
}

/** The folder of the runs: what stands in it is a whole run, or one that is being made by a live process. */
export function checkRunsFolder(runsDir: string, options: { readonly quiet: boolean }): Violation[] {
  const violations: Violation[] = [];
  if (!fs.existsSync(runsDir)) return violations;
  for (const name of fs.readdirSync(runsDir)) {
    if (name.startsWith(".")) {
      // Without a whole claim in it nobody can prove that its maker is dead, and nothing in it is worth anything.
      const made = name.startsWith(".creating-") && jsonOf(bytesOf(join(runsDir, name, "lock/owner-1.json")));
      if (made && options.quiet) violations.push({ invariant: "I1", sentence: `${name} was left behind` });
      continue;
    }
    checkWhole(readRun(join(runsDir, name)), (invariant, sentence) =>
      violations.push({ invariant, sentence }),
    );
  }
  return violations;
}

function checkWhole(run: Run, report: Report): void {
  const name = basename(run.dir);
  const said = run.lines[0];
  if (run.journal === null) report("I1", `${name} has no journal`);
  else if (said?.event !== "run_created")
    report("I1", `${name}: the journal does not begin with run_created`);
  if (!fs.existsSync(join(run.dir, "run.json"))) report("I1", `${name} has no run.json`);
  if (run.definitionBytes === null) report("I1", `${name} has no workflow.yaml`);
  else if (run.definition === null) report("I1", `${name}: workflow.yaml has no steps`);
  else if (said && sha256(run.definitionBytes) !== said.workflow?.sha256) {
    report("I1", `${name}: workflow.yaml is not what run_created says`);
  }
  if (!fs.existsSync(join(run.dir, "lock/owner-1.json"))) report("I1", `${name} has no first claim`);
}

function checkEffects(run: Run, facts: Facts, report: Report): void {
  if (facts.effects === undefined) return;
  const overlap = facts.effects.find((line) => line.startsWith("overlap"));
  if (overlap) report("I6", `two executions at once: ${overlap}`);
  if (facts.phase !== "recovered") return;
  for (const [step, expected] of Object.entries(facts.expected ?? {})) {
    const count = facts.effects.filter((line) => line === step).length;
    const attempts = linesOf(run).filter(
      (line) => line.event === "attempt_started" && nameOf(line as Loose) === step,
    ).length;
    const most = facts.children === "died" ? Math.max(expected, attempts) : expected;
    if (count < expected || count > most) {
      report(
        "I8",
        `the command of ${step} ran ${count} times in ${attempts} attempts, and not ${expected} times`,
      );
    }
  }
}

/** Its own, and those of the runs in it. */
function linesOf(run: Run): readonly Line[] {
  return [...run.lines, ...nestedRuns(run).flatMap((path) => linesOf(readRun(join(run.dir, path))))];
}

function checkFacts(facts: Facts, report: Report): void {
  if (facts.phase === "recovered" && (facts.processes?.length ?? 0) > 0) {
    report("I12", `left after the end: ${facts.processes?.join("; ")}`);
  }
  if (facts.resumes !== undefined) {
    const drivers = facts.resumes.filter((code) => code !== 4).length;
    if (drivers !== 1)
      report(
        "I13",
        `${drivers} of ${facts.resumes.length} resumes drove: exit codes ${facts.resumes.join(" ")}`,
      );
  }
  if (facts.takeoverMs !== undefined && facts.takeoverMs > LEASE_MS) {
    report("I13", `a resume took ${facts.takeoverMs} ms to take over`);
  }
  if (facts.injected !== undefined) checkInjected(facts.injected, report);
}

function checkInjected({ code, stderr }: NonNullable<Facts["injected"]>, report: Report): void {
  if (code === 0) report("I14", "the command with the injected error exited with 0");
  if (code === null) report("I14", "the command with the injected error was killed");
  if (stderr.trim() === "") report("I14", "the command with the injected error said nothing");
  if (/^\s+at .*[:(]/m.test(stderr)) report("I14", `a stack trace: ${stderr.trim().split("\n")[0]}`);
}

/** Violations as a test prints them. */
export function sentences(violations: readonly Violation[]): string[] {
  return violations.map(({ invariant, sentence }) => `${invariant}: ${sentence}`);
}

export type { Loose };
