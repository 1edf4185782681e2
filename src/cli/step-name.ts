import { WfError } from "../core/problem.ts";
import type { RunRecord } from "../core/record.ts";
import { suggest } from "../language/did-you-mean.ts";

export interface NamedAttempt {
  readonly step: string;
  /** Absent: the newest. */
  readonly attempt?: number;
}

/** `STEP` or `STEP/ATTEMPT`. Raises USAGE. */
export function parseStepName(text: string): NamedAttempt {
  const [step = "", attempt, ...more] = text.split("/");
  if (step !== "" && attempt === undefined) return { step };
  if (step !== "" && more.length === 0 && /^[1-9][0-9]{0,8}$/.test(attempt ?? ""))
    return { step, attempt: Number(attempt) };
  throw new WfError({
    code: "USAGE",
    message: `${JSON.stringify(text)} does not name a step or an attempt`,
    hint: "write STEP for its newest attempt or STEP/ATTEMPT, such as build or build/2",
  });
}

/** The step's number of attempts. Raises STEP_NOT_FOUND. */
export function attemptsOf(record: RunRecord, { step, attempt }: NamedAttempt): number {
  const found = Object.hasOwn(record.steps, step) ? record.steps[step] : undefined;
  if (found === undefined) {
    throw new WfError({
      code: "STEP_NOT_FOUND",
      message: `the workflow ${record.workflow.id} has no step "${step}"`,
      hint: suggest(step, Object.keys(record.steps), "steps"),
    });
  }
  if (attempt !== undefined && attempt > found.attempts) {
    const had =
      found.attempts === 0
        ? "no attempt yet"
        : `${found.attempts === 1 ? "one attempt" : `${found.attempts} attempts`}`;
    throw new WfError({
      code: "STEP_NOT_FOUND",
      message: `${step} has had ${had}, there is no attempt ${attempt}`,
    });
  }
  return found.attempts;
}
