/* The journal by itself, and against the claims: I4, I5, I6, I7, I10, I11, I12. */
import * as fs from "node:fs";
import { join } from "node:path";
import type { Report } from "../checker.ts";
import { type Folded, fold, isPassed } from "./fold.ts";
import { bytesOf, type Definition, jsonOf, type Line, type Loose, type Run } from "./read.ts";

type Phase = "crashed" | "recovered";

export function checkJournal(run: Run, phase: Phase, report: Report): void {
  checkLines(run, phase, report);
  checkSequence(run, report);
  checkOwners(run, phase, report);
  checkAttempts(run, phase, report);
  checkOrder(run, report);
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
    if (line.event === "attempt_started") {
      const numbers = started.get(line.step) ?? [];
      if (numbers.includes(line.attempt))
        report("I7", `attempt ${line.attempt} of ${line.step} started twice`);
      else if (line.attempt !== numbers.length + 1) {
        report("I7", `attempt ${line.attempt} of ${line.step} comes after attempt ${numbers.length}`);
      }
      started.set(line.step, [...numbers, line.attempt]);
      const other = open.get(line.step);
      if (other !== undefined)
        report("I6", `attempt ${line.attempt} of ${line.step} started beside attempt ${other}`);
      open.set(line.step, line.attempt);
    } else if (line.event === "attempt_ended") {
      const { step, attempt } = line.record;
      const key = `${step}/${attempt}`;
      if (ended.has(key)) report("I7", `attempt ${attempt} of ${step} ended twice`);
      else if (!started.get(step)?.includes(attempt))
        report("I7", `attempt ${attempt} of ${step} ended and never started`);
      ended.add(key);
      if (open.get(step) === attempt) open.delete(step);
    } else if (line.event === "attempt_adopted" && open.get(line.step) !== line.attempt) {
      report("I7", `attempt ${line.attempt} of ${line.step} was adopted and is not open`);
    }
  }
  if (phase === "recovered") {
    for (const [step, attempt] of open) report("I7", `attempt ${attempt} of ${step} has no end`);
  }
}

/** I10: nothing finished runs again, nothing runs before what it needs. */
function checkOrder(run: Run, report: Report): void {
  const definition = run.definition as Definition;
  const state = fold(definition, run.lines, (line, before) => {
    if (line.event === "attempt_started") checkStart(definition, before, line, report);
    if (
      before.status !== "running" &&
      ["attempt_started", "transition", "retry_scheduled"].includes(line.event)
    ) {
      report("I12", `line ${line.seq} (${line.event}) was written while the run was ${before.status}`);
    }
  });
  for (const sentence of state.impossible) report("I11", sentence);
}

function checkStart(definition: Definition, before: Folded, line: Line, report: Report): void {
  const node = before.steps.get(line.step);
  if (!node) return;
  if (["succeeded", "skipped", "failed"].includes(node.status)) {
    report("I10", `attempt ${line.attempt} of ${line.step} started though the step had ${node.status}`);
  }
  if (definition.shape === "sequence" && before.cursor !== line.step) {
    report("I10", `${line.step} started when ${before.cursor} was next`);
  }
  for (const need of node.step.needs) {
    const needed = before.steps.get(need);
    if (needed && !isPassed(needed))
      report("I10", `${line.step} started while ${need}, which it needs, was ${needed.status}`);
  }
}

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
