import type {
  AttemptCause,
  Decision,
  EffectiveLimits,
  Failure,
  OutputValue,
  ProcessIdentity,
  RunOptions,
  RunReason,
  RunStatus,
  StopReason,
} from "./event.ts";
import { IndexSet } from "./index-set.ts";
import type { JsonObject } from "./json.ts";
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
      /** Set once an engine, that of `epoch`, has begun to stop it. */
      readonly stopping?: { readonly because: StopReason; readonly epoch: number };
    }
  /** An open gate: a person has to decide. */
  | {
      readonly status: "waiting";
      readonly attempt: number;
      readonly cause: AttemptCause;
      readonly startedAt: number;
    }
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

export interface StepNode {
  readonly step: Step;
  state: StepState;
  /** Highest attempt number used; numbers are never used again. */
  attempts: number;
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
  /** Graphs: needs that are not met yet. */
  unmet: number;
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
  readonly workflow: Workflow;
  readonly steps: readonly StepNode[];
  readonly indexOf: ReadonlyMap<string, number>;
  /** Graphs: the steps that need step i. */
  readonly dependents: readonly (readonly number[])[];

  runId: string;
  status: RunStatus;
  reason: RunReason | null;
  source: { readonly file: string; readonly sha256: string; readonly source: string };
  inputs: JsonObject;
  limits: EffectiveLimits;
  options: RunOptions;
  outputs: JsonObject;
  iterations: number;

  /** Sequences. */
  cursor: Cursor;
  /** Sequences: the step that led to the cursor. */
  cameFrom: number | null;

  /** Pending, and everything they need is met. */
  readonly due: IndexSet;
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

const NO_USAGE: UsageTotal = { tokens: 0, costUsd: 0, unknown: 0, unknownCost: 0 };

export function initialState(workflow: Workflow): RunState {
  const steps = workflow.steps.map(
    (step): StepNode => ({
      step,
      state: { status: "pending", cause: "first" },
      attempts: 0,
      failures: 0,
      outputs: {},
      produced: {},
      decision: null,
      sentBackBy: null,
      usage: NO_USAGE,
      unmet: step.needs.length,
    }),
  );
  const dependents: number[][] = steps.map(() => []);
  for (const { step } of steps) for (const need of step.needs) dependents[need]?.push(step.index);
  const due = new IndexSet(steps.length);
  if (workflow.shape === "sequence") due.add(0);
  else
    for (const { step, unmet } of steps)
      if (unmet === 0 && step.index < workflow.mainSteps) due.add(step.index);
  return {
    workflow,
    steps,
    indexOf: new Map(workflow.steps.map((step) => [step.id, step.index])),
    dependents,
    runId: "",
    status: "queued",
    reason: null,
    source: { file: "", sha256: "", source: "" },
    inputs: {},
    limits: { max_total_iterations: workflow.limits.maxTotalIterations },
    options: { durability: "power" },
    outputs: {},
    iterations: 0,
    cursor: 0,
    cameFrom: null,
    due,
    running: new IndexSet(steps.length),
    waiting: new IndexSet(steps.length),
    retrying: new IndexSet(steps.length),
    failed: new IndexSet(steps.length),
    passed: 0,
    rootCause: null,
    ending: null,
    usage: NO_USAGE,
    cancel: null,
    takenDecision: null,
    requests: new Set(),
    seq: 0,
    epoch: 0,
    project: "",
    projectFromRun: null,
    engine: { host: "", machineId: "", pidNamespace: "" },
    git: null,
    createdAt: null,
    startedAt: null,
    updatedAt: null,
    endedAt: null,
    waitingUntil: null,
    drivenBefore: 0,
    epochBegan: null,
    personSince: null,
    lastEventAt: 0,
  };
}

export function nodeOf(state: RunState, step: string): StepNode {
  const index = state.indexOf.get(step);
  const node = index === undefined ? undefined : state.steps[index];
  if (!node) throw new Error(`the journal names a step that the definition does not have: ${step}`);
  return node;
}

export function nodeAt(state: RunState, index: number): StepNode {
  const node = state.steps[index];
  if (!node) throw new Error(`no step has the index ${index}`);
  return node;
}

/** How a step can have been passed. */
export type PassedState = Extract<StepState, { status: "succeeded" | "skipped" | "failed" }>;

/** Whether what comes after the step may start. */
export function isPassed(state: StepState): state is PassedState {
  return (
    state.status === "succeeded" || state.status === "skipped" || (state.status === "failed" && state.allowed)
  );
}

export function isFinally(state: RunState, index: number): boolean {
  return index >= state.workflow.mainSteps;
}

/** Milliseconds that engines have driven the run; time in which nobody did, or a person was awaited, does not count. */
export function drivenMs(state: RunState, now: number): number {
  if (state.epochBegan === null) return state.drivenBefore;
  return state.drivenBefore + Math.max(0, (state.personSince ?? now) - state.epochBegan);
}
