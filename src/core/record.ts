import type { AnswerSource } from "./answers.ts";
import type { Decision, ForkedFrom, OutputValue, RunOptions, RunReason, RunStatus } from "./event.ts";
import { itemsOf } from "./fold-fan.ts";
import type { ReuseSource } from "./input-parts.ts";
import type { Json, JsonObject } from "./json.ts";
import { describeNext, pointerOf } from "./pointer.ts";
import { isPassed, type RunState, type StepNode, type UsageTotal } from "./state.ts";

export type StepStatus =
  | "pending"
  | "running"
  | "waiting"
  | "retrying"
  | "succeeded"
  | "failed"
  | "skipped"
  | "canceled";

/** A step in `run.json`; a key exists only where it says something. */
export interface StepRecord {
  readonly status: StepStatus;
  readonly attempts: number;
  /** Failed or retrying: what went wrong, in one sentence. */
  readonly error?: { readonly code: string; readonly message: string };
  /** Failed, and the run went on: `allow_failure`. */
  readonly allowed?: true;
  /** Steps with `foreach`: how many items there are, and what has become of them. */
  readonly items?: { readonly total: number } & Readonly<Partial<Record<StepStatus, number>>>;
  /** Skipped: why. */
  readonly because?: string;
  /** Gates: the newest decision. */
  readonly decision?: Decision;
  readonly outputs?: Readonly<Record<string, OutputValue>>;
}

export interface PointerEntry {
  readonly step: string;
  readonly item?: number;
  readonly attempt: number;
  readonly state: "running" | "retrying" | "waiting" | "due";
}

/** `run.json`, the journal folded up to `volatile.seq`; keys in the order they are written. */
export interface RunRecord {
  readonly format: "wf.run/1";
  readonly runId: string;
  readonly workflow: {
    readonly id: string;
    readonly file: string;
    readonly sha256: string;
    readonly source: string;
    readonly step?: string;
  };
  readonly status: RunStatus;
  readonly reason: RunReason | null;
  readonly inputs: JsonObject;
  readonly options: RunOptions;
  readonly pointer: readonly PointerEntry[];
  readonly nextExpectedAction: string;
  readonly steps: Readonly<Record<string, StepRecord>>;
  readonly outputs: JsonObject;
  readonly iterations: number;
  readonly volatile: {
    readonly createdAt: string | null;
    readonly startedAt: string | null;
    readonly updatedAt: string | null;
    readonly endedAt: string | null;
    readonly epoch: number;
    readonly seq: number;
    /** Durable length of the journal when this was written. */
    readonly journalBytes: number;
    readonly project: string;
    /** Agents only: what they have used; `unknown` counts the attempts of which nobody knows. */
    readonly usage?: UsageTotal;
    /** RATE_LIMIT: when it is worth to go on. */
    readonly waitingUntil?: string;
    readonly git?: { readonly commit: string; readonly dirty: boolean };
    readonly forkedFrom?: ForkedFrom;
    /** Where finished attempts may be taken from. */
    readonly reuse?: ReuseSource;
    /** Steps that have succeeded by what was taken over; of a `foreach` how many of its items. */
    readonly reused?: Readonly<Record<string, number>>;
    /** The fixture that answers attempts. */
    readonly answers?: AnswerSource;
    /** Steps whose newest attempt was answered from it; of a `foreach` how many of its items. */
    readonly answered?: Readonly<Record<string, number>>;
  };
}

/** The snapshot of a state. `journalBytes`: the length of the journal up to `state.seq`. */
export function toRecord(state: RunState, journalBytes: number): RunRecord {
  return { ...withoutSteps(state, journalBytes), steps: Object.fromEntries(stepRecords(state)) };
}

/** What `run.json` says of each step, made one after the other: of 100,000 at once it takes more memory than the run. */
export function* stepRecords({ steps }: RunState): Generator<[string, StepRecord]> {
  for (const node of steps) yield [node.step.id, stepRecord(node)];
}

/** The same record with no step in it. */
export function withoutSteps(state: RunState, journalBytes: number): RunRecord {
  return {
    format: "wf.run/1",
    runId: state.runId,
    workflow: { id: state.workflow.id, ...state.source },
    status: state.status,
    reason: state.reason,
    inputs: state.inputs,
    options: state.options,
    pointer: pointerOf(state),
    nextExpectedAction: describeNext(state),
    steps: {},
    outputs: state.outputs as Readonly<Record<string, Json>>,
    iterations: state.iterations,
    volatile: {
      createdAt: state.createdAt,
      startedAt: state.startedAt,
      updatedAt: state.updatedAt,
      endedAt: state.endedAt,
      epoch: state.epoch,
      seq: state.seq,
      journalBytes,
      project: state.project,
      ...(hasUsage(state.usage) && { usage: state.usage }),
      ...(state.waitingUntil !== null && { waitingUntil: state.waitingUntil }),
      ...(state.git && { git: state.git }),
      ...(state.forkedFrom && { forkedFrom: state.forkedFrom }),
      ...(state.reuse && { reuse: state.reuse }),
      ...counted(state, "reused", isReused),
      ...(state.answers && { answers: state.answers }),
      ...counted(state, "answered", ({ answered }) => answered),
    },
  };
}

/** For each step of how many nodes it is so: of itself, or of its items. */
function counted<Key extends string>(
  { steps }: RunState,
  key: Key,
  isSo: (node: StepNode) => boolean,
): { readonly [K in Key]?: Readonly<Record<string, number>> } {
  const counts: Record<string, number> = {};
  for (const node of steps) {
    const count = (node.fan ? itemsOf(node.fan) : [node]).filter(isSo).length;
    if (count > 0) counts[node.step.id] = count;
  }
  return (Object.keys(counts).length > 0 ? { [key]: counts } : {}) as { [K in Key]?: typeof counts };
}

function isReused({ reused, state: { status } }: StepNode): boolean {
  return reused && status === "succeeded";
}

function hasUsage({ tokens, costUsd, unknown, unknownCost }: UsageTotal): boolean {
  return tokens + costUsd + unknown + unknownCost > 0;
}

/** A step, or one item of it. */
export function stepRecord({ state, attempts, outputs, decision, fan }: StepNode): StepRecord {
  const items = fan && fan.size > 0 ? itemsOf(fan) : null;
  const status = state.status === "iterating" ? statusOfItems(items ?? []) : state.status;
  return {
    status,
    attempts: (items ?? []).reduce((sum, item) => sum + item.attempts, attempts),
    ...(items && { items: countItems(items) }),
    ...((state.status === "failed" || state.status === "retrying") && {
      error: { code: state.failure.code, message: state.failure.message },
    }),
    ...(state.status === "failed" && isPassed(state) && { allowed: true as const }),
    ...(state.status === "skipped" && { because: state.because }),
    ...(decision !== null && { decision }),
    ...(Object.keys(outputs).length > 0 && { outputs }),
  };
}

/** What the first of the items does that does something. */
function statusOfItems(items: readonly StepNode[]): StepStatus {
  const ACTIVE = ["running", "waiting", "retrying"] as const;
  return ACTIVE.find((status) => items.some(({ state }) => state.status === status)) ?? "pending";
}

/** In the order of a step's life, and only what there is. */
function countItems(items: readonly StepNode[]): NonNullable<StepRecord["items"]> {
  const counts = new Map<string, number>();
  for (const { state } of items) counts.set(state.status, (counts.get(state.status) ?? 0) + 1);
  return {
    total: items.length,
    ...Object.fromEntries(
      STATUSES.flatMap((status) => {
        const count = counts.get(status);
        return count === undefined ? [] : [[status, count]];
      }),
    ),
  };
}

const STATUSES: readonly StepStatus[] = [
  "pending",
  "running",
  "waiting",
  "retrying",
  "succeeded",
  "failed",
  "skipped",
  "canceled",
];
