import { itemsOf } from "../core/fold-fan.ts";
import { placeName } from "../core/ids.ts";
import { isFinally, isPassed, nodeAt, type RunState, type StepNode, type StepState } from "../core/state.ts";
import type { FoundRequest } from "../store/requests.ts";
import type { Settled } from "./why-settle.ts";
import { names } from "./why-words.ts";

/** What `wf resume` would do with a step, or with an item of one. */
export interface StepPlan {
  readonly does: "reuse" | "adopt" | "run" | "wait" | "blocked";
  readonly because: string;
  /** run: the number of the new attempt; adopt, wait: of the one that is open. Null for a step with `foreach`. */
  readonly attempt: number | null;
  /** wait: not before; ISO 8601, UTC. */
  readonly until: string | null;
  /** blocked: the steps that have to be passed first. */
  readonly by: readonly string[];
}

/** A run as the next engine would find it once it has looked at what is open. */
export interface Known {
  readonly state: RunState;
  /** The state of each node as the journal has it. */
  readonly before: ReadonlyMap<number, StepState>;
  /** What was found of those that were open. */
  readonly settled: ReadonlyMap<number, Settled>;
  readonly requests: readonly FoundRequest[];
  readonly now: number;
  /** Why nothing new is started; null if it is. */
  readonly stop: string | null;
  /** The same for what counts as an iteration: items do not, once their list has begun. */
  readonly spent: string | null;
}

export const NO_PLAN = { attempt: null, until: null, by: [] } as const;

export function planNode(known: Known, node: StepNode): StepPlan {
  const { state: at } = node;
  switch (at.status) {
    case "succeeded":
    case "skipped":
      return planPassed(node) as StepPlan;
    case "failed":
      return planPassed(node) ?? { ...NO_PLAN, does: "blocked", because: whyStaysFailed(known, node) };
    case "running": {
      const because =
        known.settled.get(node.index)?.because ?? "it runs; if its engine dies, a resume takes it over";
      return { ...NO_PLAN, does: "adopt", because, attempt: at.attempt };
    }
    case "waiting":
      return planWaiting(known, node, at);
    case "retrying":
      return planRetry(known, node, at);
    case "canceled":
      return { ...NO_PLAN, does: "blocked", because: "it was canceled" };
    case "iterating":
      return planItems(known, node);
    case "pending":
      return planPending(known, node);
    default:
      return at satisfies never;
  }
}

/** Null if it is not passed: something has to be done with it yet. */
export function planPassed({ state: at, fan }: StepNode): StepPlan | null {
  switch (at.status) {
    case "succeeded": {
      const because = fan ? "all of its items were passed" : `it passed on attempt ${at.attempt}`;
      return { ...NO_PLAN, does: "reuse", because };
    }
    case "skipped":
      return { ...NO_PLAN, does: "reuse", because: "it was skipped, and stays so" };
    case "failed": {
      const how = fan ? "items of it failed" : `it failed on attempt ${at.attempt}`;
      return at.allowed ? { ...NO_PLAN, does: "reuse", because: `${how}, and may` } : null;
    }
    default:
      return null;
  }
}

function whyStaysFailed({ before, settled }: Known, { index }: StepNode): string {
  const own = settled.get(index);
  if (own) return `${own.because}, and its on_interrupt is fail`;
  return before.get(index)?.status === "failed"
    ? "it failed; it runs again with a resume after the run has ended"
    : "it failed";
}

/** A gate, or a nested run that waits. */
function planWaiting(
  { requests, settled }: Known,
  { step, index }: StepNode,
  { attempt, nested }: Extract<StepNode["state"], { status: "waiting" }>,
): StepPlan {
  const until = nested?.until == null ? null : new Date(nested.until).toISOString();
  const own = settled.get(index);
  if (own?.is === "goes on") return { ...NO_PLAN, does: "adopt", because: own.because, attempt };
  if (nested) {
    const because = own?.because ?? `for its run: ${nested.reason.message}`;
    return { ...NO_PLAN, does: "wait", because, attempt, until };
  }
  const decided = decisionOn(requests, step.id, attempt);
  const because = decided
    ? `for an engine: a decision is in ${decided.file}`
    : "for a person: wf approve or wf reject decides";
  return { ...NO_PLAN, does: "wait", because, attempt };
}

/** One that no engine has looked at. */
export function decisionOn(
  requests: readonly FoundRequest[],
  step: string,
  attempt: number,
): FoundRequest | undefined {
  return requests.find(
    (each) =>
      "ok" in each && each.ok.request === "decide" && each.ok.step === step && each.ok.attempt === attempt,
  );
}

function planRetry(
  known: Known,
  node: StepNode,
  at: Extract<StepNode["state"], { status: "retrying" }>,
): StepPlan {
  const attempt = node.attempts + 1;
  if (at.notBefore !== null && at.notBefore > known.now) {
    const until = new Date(at.notBefore).toISOString();
    const why = at.retryAt === null ? "the delay of its retry" : "its client's limit";
    return { ...NO_PLAN, does: "wait", because: `until ${why} is over`, attempt, until };
  }
  const stop = whyNotStarted(known, node);
  if (stop !== null) return { ...NO_PLAN, does: "blocked", because: stop };
  const because = `attempt ${at.attempt} failed, and a retry is left`;
  return { ...NO_PLAN, does: "run", because, attempt };
}

function whyNotStarted({ stop, spent }: Known, { item }: StepNode): string | null {
  return stop ?? (item ? null : spent);
}

/** A step does what the first of its items do that do anything. */
function planItems(known: Known, node: StepNode): StepPlan {
  const plans = (node.fan ? itemsOf(node.fan) : []).map((item) => planNode(known, item));
  const count = (does: StepPlan["does"]) => plans.filter((plan) => plan.does === does).length;
  const found = PLANS.filter((does) => count(does) > 0);
  const [does = "blocked"] = found;
  const because = `of its ${plans.length} items ${found.map((each) => `${count(each)} ${each}`).join(", ")}`;
  const until = plans.flatMap((plan) => plan.until ?? []).sort()[0] ?? null;
  return { ...NO_PLAN, does, because, until: does === "wait" ? until : null };
}

const PLANS: readonly StepPlan["does"][] = ["run", "adopt", "wait", "blocked", "reuse"];

function planPending(known: Known, node: StepNode): StepPlan {
  const { state } = known;
  const { step, item } = node;
  const { index } = step;
  if (isFinally(state, index) && !item) return planFinally(known, node);
  if (item?.of.fan?.due.has(item.number) || (!item && state.due.has(index))) {
    const stop = whyNotStarted(known, node);
    if (stop !== null) return { ...NO_PLAN, does: "blocked", because: stop };
    const because = `${whyRun(known, node)}${whenText(node)}`;
    const isList = step.foreach !== undefined && !item;
    return { ...NO_PLAN, does: "run", because, attempt: isList ? null : node.attempts + 1 };
  }
  if (state.workflow.shape === "graph") {
    const unmet = step.needs.filter((need) => !isPassed(nodeAt(state, need).state));
    const by = unmet.map((need) => nodeAt(state, need).step.id);
    return { ...NO_PLAN, does: "blocked", because: `it needs ${names(state, unmet)}`, by };
  }
  if (typeof state.cursor !== "number")
    return { ...NO_PLAN, does: "blocked", because: "the way through the run does not lead to it" };
  const { id } = nodeAt(state, state.cursor).step;
  return index > state.cursor
    ? { ...NO_PLAN, does: "blocked", because: `${id} comes first`, by: [id] }
    : { ...NO_PLAN, does: "blocked", because: `the run is past it, at ${id}` };
}

/** A list is asked for its `when` item by item. */
export function whenText({ step, item }: StepNode): string {
  return step.when && (item || !step.foreach) ? `, if its when is true: ${step.when.source}` : "";
}

function planFinally({ state, before: was }: Known, node: StepNode): StepPlan {
  if (state.ending === null) {
    const again = was.get(node.index)?.status === "pending" ? "" : "again ";
    return { ...NO_PLAN, does: "blocked", because: `it runs ${again}when the run comes to its end` };
  }
  const rest = state.steps.slice(state.workflow.mainSteps, node.step.index);
  const before = rest.find(
    ({ state: { status } }) => status === "pending" || status === "running" || status === "retrying",
  );
  if (before)
    return { ...NO_PLAN, does: "blocked", because: `${before.step.id} comes first`, by: [before.step.id] };
  return { ...NO_PLAN, does: "run", because: "the run comes to its end", attempt: node.attempts + 1 };
}

function whyRun({ before, settled }: Known, node: StepNode): string {
  const { step, item, index, state: at } = node;
  const own = settled.get(index);
  if (own) return own.because;
  if (at.status === "pending" && at.cause === "stale") return "what was shown has changed since";
  const was = before.get(index);
  const then =
    step.type === "workflow" && was && leftRunOpen(was)
      ? "a resume goes on with a copy of its run"
      : "a resume makes a new attempt";
  switch (was?.status) {
    case "failed":
      return `it failed, and ${then}`;
    case "canceled":
      return `it was stopped, and ${then}`;
    case "succeeded":
      return "the run ended here, and a resume asks again";
    default:
      return item ? `it is due, as item ${item.number + 1} of ${placeName({ step: step.id })}` : "it is due";
  }
}

/** Its run came to no success: of any other failure the run had succeeded, or there was none. */
function leftRunOpen(was: StepState): boolean {
  if (was.status !== "failed") return was.status === "canceled";
  return was.failure.code === "NESTED_FAILED" || was.failure.code === "TIMEOUT";
}
