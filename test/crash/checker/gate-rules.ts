/* Gates and the requests that decide them: nothing is lost, nothing counts twice. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Report } from "../checker.ts";
import { type Folded, fold, unitOf } from "./fold.ts";
import { bytesOf, type Definition, jsonOf, type Line, type Loose, type Run } from "./read.ts";

type Phase = "crashed" | "recovered";

export function checkGates(run: Run, phase: Phase, report: Report): void {
  checkRequests(run, phase, report);
  checkDecisions(run, report);
  if (phase === "recovered") {
    checkTaken(run, report);
    checkOpenGates(run, report);
  }
}

/** I7: a request is looked at once; I9: after a recovery each that stands there has been. */
function checkRequests(run: Run, phase: Phase, report: Report): void {
  const seen = new Set<string>();
  for (const line of run.lines) {
    if (line.event !== "request_taken" && line.event !== "request_refused") continue;
    if (seen.has(line.file)) report("I7", `${line.file} was looked at twice`);
    if (typeof line.because !== "string" || line.because === "")
      report("I7", `${line.file}: nobody knows why`);
    if (bytesOf(join(run.dir, line.file)) === null && line.event === "request_taken")
      report("I9", `${line.file} was taken and is not there`);
    seen.add(line.file);
  }
  if (phase !== "recovered") return;
  for (const name of requestsOf(run)) {
    if (!seen.has(`control/${name}`)) report("I9", `control/${name} was never looked at`);
  }
}

function requestsOf(run: Run): string[] {
  const folder = join(run.dir, "control");
  return existsSync(folder) ? readdirSync(folder).filter((name) => !name.startsWith(".")) : [];
}

/** I7: at most one decision for each attempt of a gate, and it is what ends the attempt. */
function checkDecisions(run: Run, report: Report): void {
  const decided = new Map<string, Line>();
  const approvals = new Set(run.definition?.steps.flatMap(({ id, approval }) => (approval ? [id] : [])));
  for (const line of run.lines) {
    if (line.event === "decision") {
      const gate = `${line.step}/${line.attempt}`;
      if (decided.has(gate)) report("I7", `attempt ${line.attempt} of ${line.step} was decided twice`);
      decided.set(gate, line);
      const shown = gateOf(run, line.step, line.attempt);
      if (shown?.digest !== line.digest)
        report("I7", `attempt ${line.attempt} of ${line.step} was decided by what it did not show`);
    } else if (line.event === "attempt_ended" && approvals.has(line.record.step)) {
      const { step, attempt, status, decision } = line.record;
      const by = decided.get(`${step}/${attempt}`)?.decision;
      const expected = status === "succeeded" ? decision : undefined;
      if (by !== expected || (status === "succeeded" && by === undefined))
        report(
          "I7",
          `attempt ${attempt} of ${step} ended as ${status} ${decision}, and the decision was ${by}`,
        );
    }
  }
}

/** I9: a decision that was taken is in the journal, as its file says, and so is the end that it made. */
function checkTaken(run: Run, report: Report): void {
  for (const line of run.lines) {
    if (line.event !== "request_taken" || line.request !== "decide") continue;
    const request = jsonOf(bytesOf(join(run.dir, line.file)));
    if (request === null) continue;
    const { step, attempt, decision, comment, digest, by } = request;
    const made = run.lines.find(
      (one) => one.event === "decision" && one.step === step && one.attempt === attempt && one.seq > line.seq,
    );
    if (!made) {
      report("I9", `${line.file} was taken, and decided nothing`);
      continue;
    }
    const same = made.decision === decision && made.comment === comment && made.digest === digest;
    if (!same || made.volatile?.by !== by) report("I9", `${line.file} is not what was decided`);
    const ended = run.lines.some(
      ({ event, record }) => event === "attempt_ended" && record.step === step && record.attempt === attempt,
    );
    if (!ended) report("I9", `${line.file} was taken, and attempt ${attempt} of ${step} goes on`);
  }
  const taken = run.lines.filter(
    (line) => line.event === "request_taken" && line.request === "decide",
  ).length;
  const made = run.lines.filter(({ event }) => event === "decision").length;
  if (taken !== made) report("I7", `${taken} decisions were taken, and ${made} were made`);
}

/** I11: whoever is to decide finds what there is to decide; a run that waits for that names an open gate. */
function checkOpenGates(run: Run, report: Report): void {
  const state: Folded = fold(run.definition as Definition, run.lines);
  for (const { step, status, open } of state.steps.values()) {
    if (status !== "waiting" || open === null || step.nested) continue;
    const gate = gateOf(run, step.id, open);
    const whole = typeof gate?.message === "string" && typeof gate?.digest === "string";
    if (!whole || !/^[0-9a-f]{8,}$/.test(gate?.volatile?.nonce ?? ""))
      report("I11", `attempt ${open} of ${step.id} is open, and there is no gate.json to decide it by`);
  }
  if (state.status !== "waiting" || state.reason?.code !== "APPROVAL") return;
  const named = unitOf(state, state.reason);
  if (named?.status !== "waiting" || named.open !== state.reason.attempt)
    report(
      "I11",
      `the run waits for ${state.reason.step}, attempt ${state.reason.attempt}, which is not open`,
    );
}

function gateOf(run: Run, step: string, attempt: number): Loose {
  return jsonOf(bytesOf(join(run.dir, `steps/${step}/attempt-${attempt}/gate.json`)));
}
