import type { AttemptCause, JournalLine } from "../core/event.ts";
import { fold } from "../core/fold.ts";
import { type PlaceName, placeName } from "../core/ids.ts";
import { initialState } from "../core/initial-state.ts";
import { successor } from "../core/path.ts";
import { type RunRecord, toRecord } from "../core/record.ts";
import { isFinally, isPassed, placeOf, type RunState, type StepNode } from "../core/state.ts";
import type { Workflow } from "../core/workflow.ts";
import { RUN_FILES } from "../store/layout.ts";
import type { Definitions } from "./verify-definition.ts";
import type { Findings } from "./verify-rules.ts";

const MAX_FINDINGS = 20;

export interface Story {
  readonly state: RunState;
  /** How many lines could be folded: all, unless one can not follow. */
  readonly folded: number;
  /** What `run.json` is to say as of the line it names; null if it names none that was folded. */
  readonly asOf: RunRecord | null;
}

/**
 * Folds the journal line by line, and says of each whether it can follow.
 *
 * @param snapshot the line that `run.json` names, and the length of the journal that it says
 */
export function checkStory(
  workflow: Workflow,
  definitions: Definitions,
  lines: readonly JournalLine[],
  snapshot: { readonly seq: number; readonly journalBytes: number } | null,
  findings: Findings,
): Story {
  const state = initialState(workflow, definitions.in);
  let asOf: RunRecord | null = null;
  let told = 0;
  const tell = (line: JournalLine, what: string) => {
    told += 1;
    if (told <= MAX_FINDINGS)
      findings.damage("journal-story", RUN_FILES.journal, `${line.event}: ${what}`, { line: line.seq });
  };
  const last = lastChanges(lines);
  for (const line of lines) {
    // What is wrong with that file has been told of; what follows can not be known.
    if (line.event === "definition_changed" && !definitions.has(line.file))
      return { state, folded: line.seq - 1, asOf };
    const why = line.event === "output_changed" ? whyNotChanged(state, line, last) : whyNot(state, line);
    if (why !== null) tell(line, why);
    try {
      fold(state, line);
    } catch (error) {
      if (why === null) tell(line, (error as Error).message);
      return { state, folded: line.seq - 1, asOf };
    }
    if (line.seq === snapshot?.seq) asOf = toRecord(state, snapshot.journalBytes);
  }
  return { state, folded: lines.length, asOf };
}

/** Why a line can not follow; null if it can. What `fold` itself refuses is left to it. */
function whyNot(state: RunState, line: JournalLine): string | null {
  switch (line.event) {
    case "run_created":
      return line.seq === 1 ? null : "the run had been created already";
    case "attempt_started":
      return whyNotStarted(state, line);
    case "attempt_ended":
      return whyNotEnded(state, line);
    case "foreach_started":
      return find(state, line, (node) => whyNotListed(state, node, line.cause));
    case "attempt_adopted":
    case "attempt_stopping":
    case "attempt_waiting":
      return whyNotOpen(state, line, "running");
    case "attempt_resumed":
    case "decision":
      return whyNotOpen(state, line, "waiting");
    case "security":
      return find(state, line, (node) =>
        line.attempt <= node.attempts + 1 ? null : `${placeName(line)} has had ${node.attempts} attempts`,
      );
    case "step_skipped":
      return find(state, line, (node) => whyNotDue(state, node));
    case "retry_scheduled":
      return find(state, line, ({ state: at }) =>
        at.status === "retrying" && at.attempt === line.attempt
          ? null
          : `attempt ${line.attempt} of ${placeName(line)} is not to be tried again`,
      );
    case "transition":
      return find(state, { step: line.from }, (node) => whyNotFrom(state, node, line));
    case "run_ended":
      return state.running.size === 0 || line.status !== "succeeded" ? null : "steps still ran";
    default:
      return null;
  }
}

type Started = JournalLine & { readonly event: "attempt_started" };
type Ended = JournalLine & { readonly event: "attempt_ended" };
type Transition = JournalLine & { readonly event: "transition" };

function whyNotStarted(state: RunState, line: Started): string | null {
  const { attempt, cause } = line;
  return find(state, line, (node) => {
    if (state.status !== "running") return `the run is ${state.status}`;
    if (attempt !== node.attempts + 1)
      return `it is attempt ${attempt} of ${placeName(line)} where ${node.attempts + 1} is due`;
    return whyNotDue(state, node) ?? otherCause(node, cause);
  });
}

function otherCause({ state: at }: StepNode, cause: AttemptCause): string | null {
  const expected: AttemptCause = at.status === "pending" ? at.cause : "retry";
  return cause === expected ? null : `its cause is ${cause} where ${expected} is due`;
}

function whyNotListed(state: RunState, node: StepNode, cause: AttemptCause): string | null {
  if (node.step.foreach === undefined) return `${node.step.id} has no foreach`;
  return whyNotDue(state, node) ?? otherCause(node, cause);
}

function whyNotEnded(state: RunState, { record, volatile }: Ended): string | null {
  const { attempt, cause } = record;
  const name = placeName(record);
  return find(state, record, ({ state: at }) => {
    if ((at.status !== "running" && at.status !== "waiting") || at.attempt !== attempt)
      return `attempt ${attempt} of ${name} is not open`;
    if (cause !== at.cause) return `the cause of attempt ${attempt} of ${name} was ${at.cause}, not ${cause}`;
    if (Date.parse(volatile.startedAt) !== at.startedAt)
      return `attempt ${attempt} of ${name} did not start at ${volatile.startedAt}`;
    return null;
  });
}

function whyNotOpen(
  state: RunState,
  line: PlaceName & { readonly attempt: number },
  as: "running" | "waiting",
): string | null {
  return find(state, line, ({ state: at }) =>
    at.status === as && at.attempt === line.attempt
      ? null
      : `attempt ${line.attempt} of ${placeName(line)} is not ${as}`,
  );
}

/** A finished step never runs again, and none before what it needs. */
function whyNotDue(state: RunState, node: StepNode): string | null {
  const { id, index } = node.step;
  const { status } = node.state;
  if (status !== "pending" && status !== "retrying") return `${placeName(placeOf(node))} is ${status}`;
  if (node.item) return whyNotAmong(node.item.number, node.item.of);
  if (isFinally(state, index)) return state.ending ? null : `${id} is a finally step, and the run goes on`;
  if (status === "retrying" || state.due.has(index)) return null;
  const unmet = node.step.needs.filter((need) => !isPassed((state.steps[need] as StepNode).state));
  const names = unmet.map((need) => state.steps[need]?.step.id).join(", ");
  return unmet.length > 0 ? `${id} needs ${names}, not passed yet` : `the sequence is not at ${id}`;
}

type Changed = JournalLine & { readonly event: "output_changed" };

/** By output: the last line that changes it. */
function lastChanges(lines: readonly JournalLine[]): ReadonlyMap<string, number> {
  const last = new Map<string, number>();
  for (const line of lines) if (line.event === "output_changed") last.set(nameOf(line), line.seq);
  return last;
}

function nameOf({ step, attempt, output }: Changed): string {
  return `${step}/${attempt} ${output}`;
}

/** The record that stands before it says already what the output came to be. */
function whyNotChanged(state: RunState, line: Changed, last: ReadonlyMap<string, number>): string | null {
  return find(state, { step: line.step }, ({ state: at, outputs }) => {
    const { step, attempt, output } = line;
    if (at.status !== "succeeded" || at.attempt !== attempt)
      return `attempt ${attempt} of ${step} is not the one that counts`;
    const isSame = JSON.stringify(outputs[output]) === JSON.stringify(line.new);
    if (isSame || last.get(nameOf(line)) !== line.seq) return null;
    return `the output ${output} of ${step} is not what the record of attempt ${attempt} says`;
  });
}

/** An item is due while its step goes through the list that has it. */
function whyNotAmong(item: number, { step, state: at, fan }: StepNode): string | null {
  if (at.status !== "iterating") return `${step.id} is ${at.status}`;
  return item < (fan?.size ?? 0) ? null : `the list of ${step.id} has only ${fan?.size ?? 0} items`;
}

function whyNotFrom(state: RunState, node: StepNode, { to }: Transition): string | null {
  const { id, index } = node.step;
  if (state.workflow.shape !== "sequence") return "a graph has no transitions";
  if (state.cursor !== index) return `the sequence is not at ${id}`;
  if (!isPassed(node.state)) return `${id} is ${node.state.status}`;
  const expected = successor(state, index, node.state.status, node.decision).to;
  return to === expected ? null : `${id} goes on to ${expected}, not to ${to}`;
}

function find(state: RunState, place: PlaceName, judge: (node: StepNode) => string | null): string | null {
  const index = state.indexOf.get(place.step);
  const node = index === undefined ? undefined : state.steps[index];
  if (node === undefined) return `the definition has no step ${place.step}`;
  if (place.item === undefined) return judge(node);
  const item = node.fan?.nodes[place.item];
  return item ? judge(item) : `${place.step} has no item ${place.item}`;
}
