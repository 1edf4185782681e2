import type { AnsweredFrom, AnswerSource } from "./answers.ts";
import type {
  AttemptCause,
  Decision,
  EffectiveLimits,
  Failure,
  ForkedFrom,
  OutputValue,
  ProcessIdentity,
  RunOptions,
  RunReason,
  RunStatus,
  StopReason,
} from "./event.ts";
import type { IndexSet } from "./index-set.ts";
import type { ReuseSource } from "./input-parts.ts";
import type { Json, JsonObject } from "./json.ts";
import type { Step, Workflow } from "./workflow.ts";

/**
 * One step, as the journal says it is; the edges are journal events.
 *
 *                        step_skipped
 *             ┌───────────────────────────────▶ skipped
 *             │
 *             │      attempt_started (approval)
 *             ├───────────────────▶ waiting ──attempt_ended──▶ succeeded, failed, canceled, pending (stale)
 *             │
 *          pending ──attempt_started──▶ running ──attempt_ended──▶ succeeded
 *             ▲                          ▲  │ │ └──────────────────▶ failed     (no retry left, or rejected)
 *             │   attempt_started        │  │ └────────────────────▶ canceled
 *             │                          │  └──▶ retrying ─ ─ ┐ retry_scheduled sets its time
 *             │                          └──────────┴ ─ ─ ─ ─ ┘
 *             └── attempt_ended (interrupted, not_run) · transition (entered again) · engine_started (resume)
 *
 * A nested run that waits: running ──attempt_waiting──▶ waiting ──attempt_resumed──▶ running.
 * With `foreach`: pending ──foreach_started──▶ iterating, and each item goes its own way as above; when none is open
 * any more the step has succeeded, failed or been canceled as they have.
 */
export type StepState =
  | { readonly status: "pending"; readonly cause: AttemptCause }
  | {
      readonly status: "running";
      readonly attempt: number;
      readonly cause: AttemptCause;
      /** Milliseconds since 1970. */
      readonly startedAt: number;
      /** Null if it fails before a process is needed. */
      readonly process: ProcessIdentity | null;
      /** Of a nested run: for how long it has waited, which counts for no timeout; milliseconds. */
      readonly pausedMs?: number;
      /** Set once an engine, that of `epoch`, has begun to stop it. */
      readonly stopping?: { readonly because: StopReason; readonly epoch: number };
    }
  /** An open gate: a person has to decide; or a nested run that waits. */
  | {
      readonly status: "waiting";
      readonly attempt: number;
      readonly cause: AttemptCause;
      readonly startedAt: number;
      /** An approval that a fixture decides. */
      readonly answeredFrom?: AnsweredFrom;
      /** Of a nested run: why, since when, and until when if that is known; milliseconds since 1970. */
      readonly nested?: {
        readonly reason: RunReason;
        readonly since: number;
        readonly until: number | null;
        readonly pausedMs: number;
      };
    }
  /** With `foreach`: what its items do stands in `fan`. */
  | { readonly status: "iterating"; readonly cause: AttemptCause }
  | {
      readonly status: "retrying";
      readonly attempt: number;
      readonly failure: Failure;
      /** When the failure said that a further attempt may be of use; milliseconds since 1970. */
      readonly retryAt: number | null;
      /** Milliseconds since 1970; null until the retry is scheduled. */
      readonly notBefore: number | null;
    }
  | { readonly status: "succeeded"; readonly attempt: number }
  | {
      readonly status: "failed";
      readonly attempt: number;
      readonly failure: Failure;
      readonly allowed: boolean;
    }
  | { readonly status: "skipped"; readonly because: string }
  | { readonly status: "canceled"; readonly attempt: number };

/** A step, or one item of a step with `foreach`. */
export interface StepNode {
  /** Another once the definition has changed; so is `index` of an item. */
  step: Step;
  /** Its place among all nodes: the step's index, or one beyond those of all steps. */
  index: number;
  readonly item?: Item;
  /** Steps with `foreach`, once they have started. */
  fan: Fan | null;
  state: StepState;
  /** Highest attempt number used; numbers are never used again. */
  attempts: number;
  /** Attempts that count: all but interrupted, canceled and not_run ones. */
  counted: number;
  /** Failed and timed-out attempts since the step was last entered. */
  failures: number;
  /** Of the newest attempt that succeeded since the step was last entered. */
  outputs: Readonly<Record<string, OutputValue>>;
  /** Of the newest attempt that had any, whatever came after: what `state.*` shows to prompts. */
  produced: Readonly<Record<string, OutputValue>>;
  /** Gates: the newest decision since the step was last entered. */
  decision: Decision | null;
  /** Sequences: the gate whose rejection led here. */
  sentBackBy: number | null;
  usage: UsageTotal;
  /** It succeeded by what was taken over; of a step with `foreach` its items say so. */
  reused: boolean;
  /** Its newest attempt was answered from a fixture; the same. */
  answered: boolean;
  /** `--from` named it: until it has been entered otherwise, it is done by itself, and nothing is taken over. */
  afresh: boolean;
  /** Graphs: needs that are not met yet. */
  unmet: number;
}

export interface Item {
  /** From 0. */
  readonly number: number;
  /** Changes if the step is entered again with another list. */
  value: Json;
  of: StepNode;
}

/** The items of a step with `foreach`. */
export interface Fan {
  /** How many items the present list has. */
  size: number;
  /** By number; more than `size` if an earlier list was longer. */
  readonly nodes: StepNode[];
  /** Numbers of the items that may be started. */
  readonly due: IndexSet;
  /** Items that are neither passed nor failed for good nor canceled. */
  open: number;
  /** Items that run or wait. */
  active: number;
  /** Items that failed for good, allowed to or not. */
  failed: number;
  canceled: number;
}

/** What agents have used so far; `unknown` and `unknownCost` count the attempts whose client did not say. */
export interface UsageTotal {
  readonly tokens: number;
  readonly costUsd: number;
  readonly unknown: number;
  readonly unknownCost: number;
}

/** `decision` is null until its own line is there. */
export interface TakenDecision {
  readonly file: string;
  readonly decision: {
    readonly step: string;
    readonly attempt: number;
    readonly decision: Decision;
    readonly comment: string;
    readonly volatile: { readonly by: string };
  } | null;
}

/** How a run ends, once its `finally` steps have run. */
export interface Ending {
  readonly status: "succeeded" | "failed" | "canceled";
  readonly reason?: RunReason;
}

/** Where a sequence is: at a step, or at one of its two ends. A graph is at one of them if a gate sent it there. */
export type Cursor = number | "done" | "fail";

/**
 * A run, folded from its journal. Only `fold.ts` changes it. The sets are indexes over `steps`, kept so that a
 * decision costs what is active and not what the workflow holds.
 */
export interface RunState {
  /** The definition that it goes by now. */
  workflow: Workflow;
  steps: readonly StepNode[];
  /** Nodes of items, in the order in which they came to be; their indexes follow those of the steps. */
  items: StepNode[];
  indexOf: ReadonlyMap<string, number>;
  /** Graphs: the steps that need step i. */
  dependents: readonly (readonly number[])[];
  /** Steps that a change of the definition has taken out. */
  readonly gone: Map<string, StepNode>;
  readonly definitionIn: DefinitionIn;

  runId: string;
  status: RunStatus;
  reason: RunReason | null;
  source: {
    readonly file: string;
    readonly sha256: string;
    readonly source: string;
    readonly step?: string;
  };
  inputs: JsonObject;
  limits: EffectiveLimits;
  options: RunOptions;
  outputs: JsonObject;
  iterations: number;

  /** Sequences. */
  cursor: Cursor;
  /** Sequences: the step that led to the cursor. */
  cameFrom: number | null;

  /** Steps that are pending, or have items that are, and everything they need is met. */
  readonly due: IndexSet;
  /** These, and those down to `failed`, hold nodes: steps and items. */
  readonly running: IndexSet;
  readonly waiting: IndexSet;
  readonly retrying: IndexSet;
  /** Failed for good, not allowed to. */
  readonly failed: IndexSet;
  /** Succeeded, skipped, or failed and allowed to; `finally` steps not counted. */
  passed: number;
  /** The first step that failed for good since the run was last started. */
  rootCause: number | null;
  /** Set while `finally` steps run. */
  ending: Ending | null;
  usage: UsageTotal;
  /** A cancel request that was taken. */
  cancel: { readonly because: string } | null;
  /** A decision that was taken, and whose gate's attempt has not ended yet. */
  takenDecision: TakenDecision | null;
  /** Files in `control/` that were taken or refused. */
  readonly requests: Set<string>;

  seq: number;
  epoch: number;
  project: string;
  projectFromRun: string | null;
  /** Of the engine that is or was last; what it shares with the processes it starts. */
  engine: Pick<ProcessIdentity, "host" | "machineId" | "pidNamespace">;
  git: { readonly commit: string; readonly dirty: boolean } | null;
  forkedFrom: ForkedFrom | null;
  /** Where finished attempts may be taken from. */
  reuse: ReuseSource | null;
  /** What answers attempts, as far as it has them. */
  answers: AnswerSource | null;
  createdAt: string | null;
  startedAt: string | null;
  updatedAt: string | null;
  endedAt: string | null;
  /** RATE_LIMIT: when it is worth to go on. */
  waitingUntil: string | null;
  /** Time driven by earlier engines, and when the present one began; milliseconds. */
  drivenBefore: number;
  epochBegan: number | null;
  /** Since when nothing but a person is waited for, while an engine stays; that time does not count. */
  personSince: number | null;
  lastEventAt: number;
}

/** The definition in a file of the run that `definition_changed` names. */
export type DefinitionIn = (file: string) => Workflow;

export function nodeOf(state: RunState, step: string, item?: number): StepNode {
  const index = state.indexOf.get(step);
  const node = index === undefined ? undefined : state.steps[index];
  if (!node) throw new Error(`the journal names a step that the definition does not have: ${step}`);
  if (item === undefined) return node;
  const found = node.fan?.nodes[item];
  if (!found) throw new Error(`the journal names an item that ${step} does not have: ${item}`);
  return found;
}

export function nodeAt(state: RunState, index: number): StepNode {
  const node = state.steps[index] ?? state.items[index - state.steps.length];
  if (!node) throw new Error(`no step has the index ${index}`);
  return node;
}

/** What names the node in events and records. */
export function placeOf({ step, item }: StepNode): { step: string; item?: number } {
  return item ? { step: step.id, item: item.number } : { step: step.id };
}

/** The node of the step itself. */
export function stepNode(node: StepNode): StepNode {
  return node.item?.of ?? node;
}

/** In file order, and items in theirs. */
export function byPlace(a: StepNode, b: StepNode): number {
  return a.step.index - b.step.index || (a.item?.number ?? -1) - (b.item?.number ?? -1);
}

/** How a step can have been passed. */
export type PassedState = Extract<StepState, { status: "succeeded" | "skipped" | "failed" }>;

/** Whether what comes after the step may start. */
export function isPassed(state: StepState): state is PassedState {
  return (
    state.status === "succeeded" || state.status === "skipped" || (state.status === "failed" && state.allowed)
  );
}

/** A failure that is not allowed stops what does not depend on it, too, unless the workflow or a person said otherwise. */
export function keepsGoing(state: RunState): boolean {
  return (
    state.workflow.shape === "graph" && (state.options.keep_going ?? state.workflow.onFailure === "continue")
  );
}

/** Keeps the sets in agreement with a node. `finally` steps do not count as failed: they come after all that counts. */
export function markNode(state: RunState, { index, step, state: at }: StepNode): void {
  mark(state.running, index, at.status === "running");
  mark(state.waiting, index, at.status === "waiting");
  mark(state.retrying, index, at.status === "retrying");
  mark(state.failed, index, at.status === "failed" && !at.allowed && !isFinally(state, step.index));
}

export function mark(set: IndexSet, index: number, member: boolean): void {
  if (member) set.add(index);
  else set.delete(index);
}

export function isFinally(state: RunState, index: number): boolean {
  return index >= state.workflow.mainSteps;
}

/** Milliseconds that engines have driven the run; time in which nobody did, or a person was awaited, does not count. */
export function drivenMs(state: RunState, now: number): number {
  if (state.epochBegan === null) return state.drivenBefore;
  return state.drivenBefore + Math.max(0, (state.personSince ?? now) - state.epochBegan);
}
