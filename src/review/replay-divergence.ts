import type { Action } from "../core/action.ts";
import type { JournalLine } from "../core/event.ts";
import { nodeAt, type RunState, type StepNode } from "../core/state.ts";
import type { Diverged, Findings } from "./replay-difference.ts";
import type { Left } from "./replay-left.ts";
import type { Entry } from "./replay-record.ts";

/** What of a step decides where a run goes after it, and what becomes of its failure. */
export const TARGETS = ["next", "on_approve", "on_reject", "allow_failure", "when"];
const REACHING = ["when", "needs"];
const AGAIN = [...REACHING, "retry", "limits"];
const FAILING = ["retry", "limits", "allow_failure", "on_interrupt", "on_reject", "outputs"];

/** A sequence goes on with another step. */
export function otherWay(
  findings: Findings,
  recorded: JournalLine & { event: "transition" },
  { from, to, because }: Action & { do: "transition" },
): Diverged {
  const { blame } = findings;
  const expected = `${recorded.from} → ${recorded.to} (${recorded.because.message})`;
  const actual = `${from} → ${to} (${because.message})`;
  const isStep = (name: string) => name !== "done" && name !== "fail";
  const gone = [recorded.from, recorded.to].find((name) => isStep(name) && blame.isGone(name));
  if (gone !== undefined) return findings.gone(gone, expected, actual);
  if (isStep(to) && blame.isNew(to)) {
    const message = `the step ${to} is not in the record`;
    return findings.diverged({ kind: "path", step: to, message, expected, actual });
  }
  const message = `${from} is followed by ${to}, and was by ${recorded.to}`;
  return findings.diverged({ kind: "path", step: from, message, expected, actual, keys: TARGETS });
}

/** The run comes to its end where it did, and otherwise. `key`: of the workflow, if no step is the reason. */
export function otherEnd(
  findings: Findings,
  {
    expected,
    actual,
    step,
    key,
  }: { expected: string; actual: string; step: string | undefined; key: string },
): Diverged {
  const found = { kind: "end", message: "the run ends otherwise", expected, actual } as const;
  if (step === undefined) return findings.diverged({ ...found, place: findings.blame.workflow(key) });
  return findings.diverged({ ...found, step, keys: FAILING });
}

/** The run comes to its end where it went on. */
export function endsEarly(findings: Findings, rest: Left, state: RunState, actual: string): Diverged {
  const { blame } = findings;
  const left = rest.all();
  const expected = rest.describe();
  const gone = left.find(({ step }) => blame.isGone(step));
  if (gone) return findings.gone(gone.step, expected, actual, attemptOf(gone));
  const found = { kind: "path", message: "the run ends, and the record goes on", expected, actual } as const;
  const idOf = (index: number) => nodeAt(state, index).step.id;
  const failed = [...state.failed].map(idOf);
  const changed = failed.find((step) => blame.isChanged(step, FAILING));
  if (changed !== undefined) return findings.diverged({ ...found, step: changed, keys: FAILING });
  const unreached = left.find(({ step }) => blame.isChanged(step, REACHING));
  if (unreached) return findings.diverged({ ...found, step: unreached.step, keys: REACHING });
  if (failed[0] !== undefined) return findings.diverged({ ...found, step: failed[0], keys: FAILING });
  if (state.iterations >= state.limits.max_total_iterations) {
    return findings.diverged({ ...found, place: blame.workflow("limits") });
  }
  const step = state.cameFrom === null ? left[0]?.step : idOf(state.cameFrom);
  return findings.diverged({ ...found, ...(step !== undefined && { step }), keys: TARGETS });
}

/** What is due, and the record has nothing of. */
export interface Due {
  readonly node: StepNode;
  readonly action: Action;
}

/** The run does not come to its end. */
export function stuck(findings: Findings, rest: Left, due: readonly Due[]): Diverged {
  const { blame } = findings;
  const left = rest.all();
  const expected = rest.describe();
  const names = due.map(({ node }) => node.step.id);
  const actual = names.length > 0 ? `due: ${names.join(", ")}` : "nothing is due";
  const gone = left.find(({ step }) => blame.isGone(step));
  if (gone) return findings.gone(gone.step, expected, actual, attemptOf(gone));
  // What has been changed is likelier to be the cause than what only comes of it.
  const changed = due.find(({ node }) => blame.isNew(node.step.id) || blame.isChanged(node.step.id, AGAIN));
  const unreached = left.find(({ step }) => blame.isChanged(step, REACHING));
  const [first] = changed || !unreached ? [changed ?? due[0]] : [];
  if (first) return notRecorded(findings, first, expected);
  const found = {
    kind: "path",
    message: "the run does not come to what the record has",
    expected,
    actual,
  } as const;
  const entry = unreached ?? left[0];
  if (!entry) return findings.diverged(found);
  return findings.diverged({ ...found, step: entry.step, attempt: attemptOf(entry), keys: REACHING });
}

function notRecorded(findings: Findings, { node, action }: Due, expected: string): Diverged {
  const { id } = node.step;
  if (action.do === "skip") {
    const message = `${id} is skipped, and the record does not say so`;
    const actual = `skipped: ${action.because}`;
    return findings.diverged({ kind: "path", step: id, message, expected, actual, keys: REACHING });
  }
  const attempt = node.attempts + 1;
  const actual = `attempt ${attempt} of ${id}`;
  const message = `the record does not have ${actual}`;
  const keys = node.failures > 0 ? ["retry", "limits"] : REACHING;
  return findings.diverged({ kind: "attempt", step: id, attempt, message, expected, actual, keys });
}

function attemptOf(entry: Entry): number | null {
  return entry.kind === "attempt" ? entry.attempt : null;
}
