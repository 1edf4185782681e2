import type { Action } from "../core/action.ts";
import type { JournalLine } from "../core/event.ts";
import { placeName } from "../core/ids.ts";
import { nodeAt, placeOf, type RunState, type StepNode } from "../core/state.ts";
import type { Diverged, Findings } from "./replay-difference.ts";
import type { Left } from "./replay-left.ts";
import type { Entry } from "./replay-record.ts";

/** What of a step decides where a run goes after it, and what becomes of its failure. */
export const TARGETS = ["next", "on_approve", "on_reject", "allow_failure", "when"];
const REACHING = ["when", "needs", "foreach"];
const AGAIN = [...REACHING, "retry", "limits"];
const FAILING = ["retry", "limits", "allow_failure", "on_interrupt", "on_reject", "outputs"];

/** A step or an item is skipped and ran, or the other way round; or it goes through a list, and did not. */
export function begunOtherwise(
  findings: Findings,
  entry: Entry,
  action: Action & { do: "start" | "skip" },
): Diverged {
  const name = findings.name(entry);
  const place = { ...placeIn(entry), attempt: attemptOf(entry) };
  const actual = action.do === "skip" ? `skipped: ${action.because}` : "it runs";
  if (entry.kind === "list") {
    const message = `${name} runs once, and went through a list`;
    const expected = `a list of ${entry.items.length}`;
    return findings.diverged({ kind: "items", ...place, message, expected, actual, keys: ["foreach"] });
  }
  const message = action.do === "skip" ? `${name} is skipped, and ran` : `${name} runs, and was skipped`;
  const expected = entry.kind === "skip" ? `skipped: ${entry.because}` : `attempt ${entry.attempt}`;
  return findings.diverged({ kind: "path", ...place, message, expected, actual, keys: ["when", "foreach"] });
}

/** `whenError`: why its `when` has no value now. */
export function otherWhen(
  findings: Findings,
  entry: Entry & { kind: "attempt" },
  whenError: string | undefined,
): Diverged {
  const { attempt, record } = entry;
  const value = "when has a value";
  return findings.diverged({
    ...{ kind: "path", ...placeIn(entry), attempt, keys: ["when"] },
    message: `the when of ${findings.name(entry)} comes to something else`,
    expected: whenError === undefined ? String(record?.error?.message) : value,
    actual: whenError === undefined ? value : `when: ${whenError}`,
  });
}

/** A sequence goes on where the record does not. */
export function notFollowed(
  findings: Findings,
  left: Left,
  { from, to }: Action & { do: "transition" },
): Diverged {
  const message = `${findings.name({ step: from })} is followed by ${to}`;
  const expected = left.describe();
  return findings.diverged({ kind: "path", step: from, message, expected, actual: to, keys: TARGETS });
}

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
    const message = `the step ${findings.name({ step: to })} is not in the record`;
    return findings.diverged({ kind: "path", step: to, message, expected, actual });
  }
  const message = `${findings.name({ step: from })} is followed by ${to}, and was by ${recorded.to}`;
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
  const found = { kind: "end", message: `${findings.run} ends otherwise`, expected, actual } as const;
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
  const message = `${findings.run} ends, and the record goes on`;
  const found = { kind: "path", message, expected, actual } as const;
  const idOf = (index: number) => nodeAt(state, index).step.id;
  const failed = [...state.failed].map(idOf);
  const changed = failed.find((step) => blame.isChanged(step, FAILING));
  if (changed !== undefined) return findings.diverged({ ...found, step: changed, keys: FAILING });
  const unreached = left.find(({ step }) => blame.isChanged(step, REACHING));
  if (unreached) return findings.diverged({ ...found, ...placeIn(unreached), keys: REACHING });
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
  const names = due.map(({ node }) => placeName(placeOf(node)));
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
    message: `${findings.run} does not come to what the record has`,
    expected,
    actual,
  } as const;
  const entry = unreached ?? left[0];
  if (!entry) return findings.diverged(found);
  return findings.diverged({ ...found, ...placeIn(entry), attempt: attemptOf(entry), keys: REACHING });
}

function notRecorded(findings: Findings, { node, action }: Due, expected: string): Diverged {
  const place = placeOf(node);
  const name = findings.name(place);
  if (action.do === "skip") {
    const message = `${name} is skipped, and the record does not say so`;
    const actual = `skipped: ${action.because}`;
    return findings.diverged({ kind: "path", ...place, message, expected, actual, keys: REACHING });
  }
  if (action.do === "foreach") {
    const message = `${name} goes through a list, and the record does not say so`;
    const keys = [...REACHING, "foreach"];
    return findings.diverged({
      kind: "items",
      ...place,
      message,
      expected,
      actual: `the list of ${name}`,
      keys,
    });
  }
  const attempt = node.attempts + 1;
  const actual = `attempt ${attempt} of ${name}`;
  const message = `the record does not have ${actual}`;
  const keys = node.failures > 0 ? ["retry", "limits"] : REACHING;
  return findings.diverged({ kind: "attempt", ...place, attempt, message, expected, actual, keys });
}

function placeIn({ step, item }: Entry): { step: string; item: number | undefined } {
  return { step, item };
}

function attemptOf(entry: Entry): number | null {
  return entry.kind === "attempt" ? entry.attempt : null;
}
