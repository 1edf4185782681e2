/* One case: break, resume, check. */
import { existsSync, readFileSync } from "node:fs";
import { readJournal } from "../rig/journal.ts";
import type { Project, Result } from "../rig/project.ts";
import { until } from "../rig/wait.ts";
import type { Case, Operation } from "./cases.ts";
import { check, checkRunsFolder, type Facts, sentences, type Violation } from "./checker.ts";
import { decideOpenGates, drive, EFFECTS, isEnded, type Scenario, stage } from "./scenarios.ts";

const TRACE = "trace";

/** The undisturbed run of a scenario, and what the checker says of it. */
export interface Undisturbed {
  readonly project: Project;
  readonly runDir: string;
  /** What the first command did. */
  readonly operations: readonly Operation[];
  /** The commands that drove it, one after the other: what each did, and the code that it ended with. */
  readonly phases: readonly { readonly operations: readonly Operation[]; readonly code: number | null }[];
  readonly violations: readonly string[];
}

/** More commands than any scenario takes, crashes included. */
const MAX_PHASES = 12;

export async function undisturbed(scenario: Scenario): Promise<Undisturbed> {
  const project = stage(scenario);
  const phases: { operations: readonly Operation[]; code: number | null }[] = [];
  let result: Result;
  do {
    await decideOpenGates(project, scenario);
    const trace = project.path(`${TRACE}-of-${phases.length}`);
    result = await drive(project, scenario, { fault: { trace } });
    phases.push({ operations: readTrace(trace).operations, code: result.code });
  } while (goesOn(scenario, result) && phases.length < MAX_PHASES);
  if (result.code !== scenario.exitCode) throw new Error(`undisturbed ${scenario.name}: ${show(result)}`);
  const runDir = project.onlyRun();
  const violations = await checked(project, scenario, { runDir, phase: "recovered", children: "lived" });
  const operations = phases[0]?.operations ?? [];
  return { project, runDir, operations, phases, violations: sentences(violations) };
}

/** Whether a further command is needed to bring the run to its end. */
function goesOn(scenario: Scenario, { code }: Result): boolean {
  return (code === 3 && scenario.decisions !== undefined) || (code === 1 && scenario.resumeFailed === true);
}

/** The operations of a resume after `fault`. */
export async function operationsOfResume(
  scenario: Scenario,
  fault: Case["fault"],
): Promise<readonly Operation[]> {
  const project = stage(scenario);
  try {
    await drive(project, scenario, { fault });
    await drive(project, scenario, { fault: { trace: project.path(TRACE) } });
    return readTrace(project.path(TRACE)).operations;
  } finally {
    await project.remove();
  }
}

export async function runCase(scenario: Scenario, one: Case, plain: Undisturbed): Promise<string[]> {
  const project = stage(scenario);
  const found: Violation[] = [];
  try {
    let died = false;
    const phase = one.phase ?? 0;
    for (let before = 0; before < phase; before += 1) {
      await decideOpenGates(project, scenario);
      await drive(project, scenario);
    }
    await decideOpenGates(project, scenario);
    for (const [index, fault] of [one.fault, ...(one.then ? [one.then] : [])].entries()) {
      if (isOver(project, scenario)) break;
      const trace = project.path(`${TRACE}-${index}`);
      const result = await drive(project, scenario, { fault: { ...fault, trace } });
      const { hit } = readTrace(trace);
      died ||= fault.children === true || fault.does === "error";
      const absorbed = hit !== null && mayBeAbsorbed(hit) && result.code === plain.phases[phase]?.code;
      found.push(
        ...checkRunsFolder(project.runsDir, { quiet: false }),
        ...afterFault(project, fault, absorbed ? null : hit, result),
      );
    }
    const recovers = !isOver(project, scenario);
    if (recovers) found.push(...(await recover(project, scenario)));
    const facts: Facts = {
      runDir: project.onlyRun(),
      phase: recovers ? "recovered" : "crashed",
      children: died ? "died" : "lived",
      undisturbed: plain.runDir,
    };
    found.push(
      ...(await checked(project, scenario, facts)),
      ...checkRunsFolder(project.runsDir, { quiet: true }),
    );
    if (scenario.exitCode === 0) found.push(...(await again(project, scenario, facts)));
    return sentences(found);
  } catch (error) {
    return [...sentences(found), `the case itself failed: ${error instanceof Error ? error.message : error}`];
  } finally {
    if (process.env.WF_TEST_KEEP) process.stderr.write(`kept: ${project.dir}\n`);
    else await project.remove();
  }
}

/** By its journal the run is at its end; a resume would start it afresh, so that nothing is left to recover. */
function isOver(project: Project, scenario: Scenario): boolean {
  const [runDir] = project.runDirs();
  return runDir !== undefined && isEnded(runDir, scenario);
}

function afterFault(project: Project, fault: Case["fault"], hit: string | null, result: Result): Violation[] {
  const [runDir] = project.runDirs();
  const found: Violation[] = [];
  if (runDir) found.push(...check({ runDir, phase: "crashed", effects: project.lines(EFFECTS) }));
  if (hit === null) return found;
  if (fault.does === "kill" && result.signal !== "SIGKILL") {
    found.push({ invariant: "rig", sentence: `it was to be killed: ${show(result)}` });
  }
  if (fault.does !== "error" || !isOnFile(hit)) return found;
  const injected = { code: result.code, stderr: result.stderr };
  for (const violation of check({ runDir: runDir ?? "/nonexistent", phase: "crashed", injected })) {
    if (violation.invariant !== "I14") continue;
    found.push({ ...violation, sentence: `${violation.sentence} (${hit}; ${show(result)})` });
  }
  return found;
}

/**
 * A failure that loses nothing may go unsaid: of clearing away a temporary file, of the heartbeat, which is a courtesy
 * to other hosts.
 */
function mayBeAbsorbed(hit: string): boolean {
  return /lock\/heartbeat| (rm|unlink|rmdir)(Sync)? /.test(hit);
}

/** A call that is no file operation is not made to fail; which call is the n-th varies a little from run to run. */
function isOnFile(hit: string): boolean {
  return !/ (spawn|kill|pipe\.\w+) /.test(hit);
}

async function recover(project: Project, scenario: Scenario): Promise<Violation[]> {
  await decideOpenGates(project, scenario);
  const resumes = project.runDirs().length > 0;
  const before = Date.now();
  let result = await drive(project, scenario);
  const started = readJournal(project.onlyRun()).findLast(({ event }) => event === "engine_started");
  for (let n = 0; n < MAX_PHASES && goesOn(scenario, result); n += 1) {
    await decideOpenGates(project, scenario);
    result = await drive(project, scenario);
  }
  if (result.code !== scenario.exitCode) {
    return [{ invariant: "I11", sentence: `the last command did not go through: ${show(result)}` }];
  }
  const takeoverMs = started && resumes ? Date.parse(started.at) - before : 0;
  const facts: Facts = { runDir: project.onlyRun(), phase: "crashed", takeoverMs };
  return check(facts).filter(({ invariant }) => invariant === "I13");
}

/** A resume of a run that is done changes nothing. */
async function again(project: Project, scenario: Scenario, facts: Facts): Promise<Violation[]> {
  const attempts = () => readJournal(facts.runDir).filter(({ event }) => event.startsWith("attempt_")).length;
  const before = attempts();
  const result = await drive(project, scenario);
  const found = await checked(project, scenario, facts);
  if (result.code !== 0) found.push({ invariant: "I11", sentence: `a second resume: ${show(result)}` });
  if (attempts() !== before) found.push({ invariant: "I11", sentence: "a second resume made attempts" });
  return found;
}

async function checked(project: Project, scenario: Scenario, facts: Facts): Promise<Violation[]> {
  // What is ending needs a moment to be gone; what is left after this does not end by itself.
  await until(() => project.processes().length === 0, "the processes to end", 3_000).catch(() => {});
  const processes = project.processes().map(({ pid, command }) => `${pid} ${command}`);
  return check({ ...facts, effects: project.lines(EFFECTS), expected: scenario.expected, processes });
}

export function readTrace(path: string): { operations: Operation[]; hit: string | null } {
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n").filter(Boolean) : [];
  const hit = lines.findLast((line) => line === "MISS" || line.startsWith("HIT "));
  return {
    operations: lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line)),
    hit: hit === undefined || hit === "MISS" ? null : hit,
  };
}

export function show({ code, signal, stdout, stderr }: Result): string {
  const text = `${stdout}${stderr}`.trim().split("\n").slice(-6).join(" | ");
  return `exit ${code ?? signal}, ${text || "without a word"}`;
}
