import { inputsStory } from "../../review/why-inputs.ts";
import type { RunWhy, StepWhy } from "../../review/why-told.ts";
import type { AttemptTrace } from "../../review/why-trace.ts";
import type { WhyNamed } from "../why-named.ts";
import { livenessJson } from "./liveness.ts";
import { rootJson } from "./summary.ts";
import { dirOf, stderrOf } from "./why-step.ts";

/** Described by `schemas/cli/why.schema.json`. `named`: the step that was asked for, with its attempts. */
export function whyJson(why: RunWhy, named: WhyNamed | null): object {
  const { runId, runDir, workflow, status, reason, rootCause, interrupted, forkedFrom, liveness, resume } =
    why;
  return {
    runId,
    runDir,
    workflow,
    status,
    reason,
    rootCause: rootJson(rootCause),
    interrupted,
    forkedFrom,
    liveness: livenessJson(liveness),
    resume,
    steps: named === null ? why.steps.map((step) => stepJson(why, step)) : [namedJson(named)],
  };
}

/** With the attempts that were asked for. */
function namedJson({ run, step, attempt }: WhyNamed): object {
  const shown = step.attempts.filter((each) => attempt === undefined || each.attempt === attempt);
  return { ...stepJson(run, step), story: shown.map((each) => attemptJson(run, step, each)) };
}

function stepJson(run: RunWhy, step: StepWhy): object {
  const { record, attempts, items, run: nested } = step;
  const last = attempts.at(-1);
  return {
    step: step.step,
    name: step.name,
    item: step.item ?? null,
    ...(step.value !== undefined && { value: step.value }),
    status: record.status,
    because: step.because,
    when: step.when,
    needs: step.needs,
    attempts: record.attempts,
    failure: last?.record?.error && record.error ? failureJson(run, step, last) : null,
    rootCause: rootJson(step.rootCause),
    next: last?.next ?? null,
    resume: step.resume,
    inputs: step.inputs,
    changedSince: step.changedSince,
    items: items.map((item) => stepJson(run, item)),
    run: nested && nestedJson(nested),
    story: null,
  };
}

/** The run of the newest attempt. */
function nestedJson(run: RunWhy): object {
  const { runId, runDir, workflow, status, resume, steps } = run;
  return { runId, runDir, workflow, status, resume, steps: steps.map((step) => stepJson(run, step)) };
}

function attemptJson(run: RunWhy, step: StepWhy, attempt: AttemptTrace): object {
  const { record, ...rest } = attempt;
  return {
    ...rest,
    inputs: inputsStory(dirOf(run, step, attempt)),
    answeredFrom: record?.answeredFrom ?? null,
    status: record?.status ?? null,
    exitCode: record?.exitCode ?? null,
    failure: record?.error ? failureJson(run, step, attempt) : null,
  };
}

function failureJson(run: RunWhy, step: StepWhy, attempt: AttemptTrace): object {
  const { code, message, hint, details } = attempt.record?.error ?? {};
  return {
    attempt: attempt.attempt,
    code: code ?? null,
    message: message ?? null,
    hint: hint ?? null,
    details: details ?? {},
    stderr: stderrOf(dirOf(run, step, attempt)),
  };
}
