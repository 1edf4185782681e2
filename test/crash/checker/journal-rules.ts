/* The journal by itself, and against the claims: I4, I5, I6, I7, I10, I11, I12. */
import * as fs from "node:fs";
import { join } from "node:path";
import type { Report } from "../checker.ts";
import { type Folded, type FoldedStep, fold, isPassed, unitOf } from "./fold.ts";
import { bytesOf, type Definition, jsonOf, type Line, type Loose, nameOf, type Run } from "./read.ts";

type Phase = "crashed" | "recovered";

export function checkJournal(run: Run, phase: Phase, report: Report): void {
  checkLines(run, phase, report);
  checkSequence(run, report);
  checkOwners(run, phase, report);
  checkAttempts(run, phase, report);
  checkOrder(run, report);
  checkFinally(run, report);
  checkEnd(run, phase, report);
}

/** I4: at most one partial line, at the end, and none once a resume has gone through. */
function checkLines(run: Run, phase: Phase, report: Report): void {
  const sure = run.snapshot?.volatile?.journalBytes ?? 0;
  run.raw.forEach((line, index) => {
    if (line.value !== null) return;
    const what = `line ${index + 1} of the journal can not be read`;
    if (line.end <= sure) report("I4", `${what}, before journalBytes (${sure})`);
    else if (line.whole || index < run.raw.length - 1) report("I4", `${what}, and is not a partial last one`);
    else if (phase === "recovered") report("I4", `${what} after a recovery`);
  });
}

/** I5: no gap, no epoch that falls; every line is of this run. I6: no engine wrote after its successor. */
function checkSequence(run: Run, report: Report): void {
  run.lines.forEach((line, index) => {
    if (line.seq !== index + 1) report("I5", `line ${index + 1} has the seq ${line.seq}`);
    if (line.run !== run.lines[0]?.run) report("I5", `line ${line.seq} is of the run ${line.run}`);
  });
  const [late] = run.fenced;
  if (late) report("I6", `an engine of epoch ${late.epoch} wrote ${late.event} after a later one had begun`);
}

/** I5: each epoch has one owner, and that owner is the engine that wrote; I6: nobody claims over a live engine. */
function checkOwners(run: Run, phase: Phase, report: Report): void {
  const lock = join(run.dir, "lock");
  const names = fs.existsSync(lock) ? fs.readdirSync(lock) : [];
  const owners = names.flatMap((name) => /^owner-(\d+)\.json$/.exec(name)?.[1] ?? []).map(Number);
  const highest = Math.max(0, ...owners);
  for (let epoch = 1; epoch <= highest; epoch += 1) {
    if (!owners.includes(epoch)) report("I5", `the claim of epoch ${epoch} is gone`);
  }
  const engines = new Map<number, Line>();
  for (const line of run.lines) {
    if (!owners.includes(line.epoch))
      report("I5", `line ${line.seq} is of epoch ${line.epoch}, which nobody claimed`);
    if (line.event !== "engine_started") continue;
    if (engines.has(line.epoch)) report("I5", `two engines started in epoch ${line.epoch}`);
    engines.set(line.epoch, line);
    const owner = claimOf(lock, line.epoch);
    if (owner?.pid !== undefined && owner.pid !== line.volatile?.pid) {
      report("I5", `epoch ${line.epoch} is owned by ${owner.pid} and driven by ${line.volatile?.pid}`);
    }
  }
  for (const name of phase === "recovered" ? names : []) {
    if (!/^(owner-\d+\.json|free-\d+|heartbeat)$/.test(name)) report("I15", `lock/${name} was left behind`);
  }
}

function claimOf(lock: string, epoch: number): Loose {
  const name = `owner-${epoch}.json`;
  return jsonOf(bytesOf(join(lock, name)) ?? bytesOf(join(lock, name, name)));
}

/** I7: one start, then at most one end. I6: no second attempt of a step beside the first. */
function checkAttempts(run: Run, phase: Phase, report: Report): void {
  const open = new Map<string, number>();
  const started = new Map<string, number[]>();
  const ended = new Set<string>();
  for (const line of run.lines) {
    const name = nameOf(line as Loose);
    if (line.event === "attempt_started") {
      const numbers = started.get(name) ?? [];
      if (numbers.includes(line.attempt)) report("I7", `attempt ${line.attempt} of ${name} started twice`);
      else if (line.attempt !== numbers.length + 1) {
        report("I7", `attempt ${line.attempt} of ${name} comes after attempt ${numbers.length}`);
      }
      started.set(name, [...numbers, line.attempt]);
      const other = open.get(name);
      if (other !== undefined)
        report("I6", `attempt ${line.attempt} of ${name} started beside attempt ${other}`);
      open.set(name, line.attempt);
    } else if (line.event === "attempt_ended") {
      const step = nameOf(line.record);
      const { attempt } = line.record;
      const key = `${step}/${attempt}`;
      if (ended.has(key)) report("I7", `attempt ${attempt} of ${step} ended twice`);
      else if (!started.get(step)?.includes(attempt))
        report("I7", `attempt ${attempt} of ${step} ended and never started`);
      ended.add(key);
      if (open.get(step) === attempt) open.delete(step);
    } else if (line.event === "attempt_adopted" && open.get(name) !== line.attempt) {
      report("I7", `attempt ${line.attempt} of ${name} was adopted and is not open`);
    }
  }
  if (phase === "recovered") {
    const waits =
      run.lines.findLast(({ event }) => /^run_(waiting|ended)$/.test(event))?.event === "run_waiting";
    for (const [step, attempt] of open) {
      const isGate = run.definition?.steps.some(
        ({ id, approval, nested }) => id === step.split("/")[0] && (approval || nested),
      );
      if (!isGate || !waits) report("I7", `attempt ${attempt} of ${step} has no end`);
    }
  }
}

const ONLY_WHILE_DRIVEN = [
  "attempt_started",
  "attempt_stopping",
  "decision",
  "finally_started",
  "foreach_started",
  "request_taken",
  "retry_scheduled",
  "transition",
];

/** I10: nothing finished runs again, nothing runs before what it needs. */
function checkOrder(run: Run, report: Report): void {
  const definition = run.definition as Definition;
  const state = fold(definition, run.lines, (line, before) => {
    if (line.event === "attempt_started") checkStart(definition, before, line, report);
    if (before.status !== "running" && ONLY_WHILE_DRIVEN.includes(line.event)) {
      report("I12", `line ${line.seq} (${line.event}) was written while the run was ${before.status}`);
    }
  });
  for (const sentence of state.impossible) report("I11", sentence);
}

function checkStart(definition: Definition, before: Folded, line: Line, report: Report): void {
  const node = unitOf(before, line);
  if (!node) {
    report("I10", `attempt ${line.attempt} of ${nameOf(line as Loose)} started, of which nobody knows`);
    return;
  }
  if (OVER.includes(node.status)) {
    report("I10", `attempt ${line.attempt} of ${nameOf(line as Loose)} started though it had ${node.status}`);
  }
  if (node.step.last) checkFinallyStart(before, node, report);
  else if (before.ending !== null) report("I10", `${line.step} started when the run had come to its end`);
  else if (definition.shape === "sequence" && before.cursor !== line.step) {
    report("I10", `${line.step} started when ${before.cursor} was next`);
  }
  for (const need of node.step.needs) {
    const needed = before.steps.get(need);
    if (needed && !isPassed(needed))
      report("I10", `${line.step} started while ${need}, which it needs, was ${needed.status}`);
  }
}

/** `finally` steps come after all else, one after the other. */
function checkFinallyStart(before: Folded, node: FoldedStep, report: Report): void {
  const { id, index } = node.step;
  if (before.ending === null) report("I10", `${id} started before the run had come to its end`);
  for (const other of before.steps.values()) {
    const { step, status, open } = other;
    if (!step.last && open !== null) report("I10", `${id} started while ${step.id} was ${status}`);
    if (step.last && step.index < index && !OVER.includes(status))
      report("I10", `${id} started while ${step.id}, which comes before it, was ${status}`);
  }
}

const OVER = ["succeeded", "failed", "skipped", "canceled"];

/** I11: after a resume the run has ended or waits. */
function checkEnd(run: Run, phase: Phase, report: Report): void {
  if (phase !== "recovered") return;
  const last = run.lines.at(-1);
  if (last?.event !== "run_ended" && last?.event !== "run_waiting") {
    const told = run.lines.findLast(({ event }) => event === "run_ended" || event === "run_waiting");
    const since = told ? run.lines.slice(told.seq) : run.lines;
    if (!told || since.some(({ event }) => event !== "request_refused")) {
      report("I11", `the journal ends with ${last?.event}: the run has neither ended nor does it wait`);
    }
  }
}

/** I11: at each end every step of `finally` has run since the run came to that end, unless a cancel cut it short. */
function checkFinally(run: Run, report: Report): void {
  const definition = run.definition as Definition;
  const last = definition.steps.filter((step) => step.last);
  fold(definition, run.lines, (line, before) => {
    if (line.event !== "run_ended" || last.length === 0) return;
    if (before.ending === null)
      report("I11", `line ${line.seq}: the run ended, and its finally steps did not run`);
    if (line.status === "canceled") return;
    const nodes = last.map(({ id }) => before.steps.get(id) as FoldedStep);
    for (const { step, status } of nodes) {
      if (!OVER.includes(status))
        report("I11", `line ${line.seq}: the run ended while ${step.id} was ${status}`);
    }
    const failed = nodes.some((node) => node.status === "failed" && !isPassed(node));
    const expected = before.ending?.status === "succeeded" && failed ? "failed" : before.ending?.status;
    const badOutputs = line.reason?.code === "RUN_OUTPUT_ERROR";
    if (before.ending !== null && line.status !== expected && !badOutputs)
      report(
        "I11",
        `line ${line.seq}: the run ended as ${line.status}, and had come to its end as ${expected}`,
      );
  });
}
