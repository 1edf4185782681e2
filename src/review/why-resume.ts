import { spentBudget } from "../core/budget.ts";
import { itemsOf } from "../core/fold-fan.ts";
import { placeName } from "../core/ids.ts";
import { drivenMs, keepsGoing, placeOf, type RunState, type StepNode } from "../core/state.ts";
import { type FoundRequest, listRequests } from "../store/requests.ts";
import {
  decisionOn,
  type Known,
  NO_PLAN,
  planNode,
  planPassed,
  type StepPlan,
  whenText,
} from "./why-plan.ts";
import { type Settling, takeUp } from "./why-settle.ts";
import { names } from "./why-words.ts";

/** What `wf resume` would do with a run. */
export interface ResumePlan {
  /** waits: for somebody, and a resume would come back at once. */
  readonly does: "goes on" | "waits" | "nothing" | "is refused" | "cancels";
  readonly because: string;
}

/** And with its steps and items, by the index of the node. */
export interface WholePlan extends ResumePlan {
  readonly of: ReadonlyMap<number, StepPlan>;
}

/** What the run around a nested one makes of it. */
export type Fate =
  /** It is gone on with, as an outermost run is. */
  | { readonly is: "gone on with" }
  /** A new attempt begins another in its place. */
  | { readonly is: "begun anew"; readonly because: string }
  | { readonly is: "left"; readonly because: string };

/**
 * What a resume would come to now, by the journal and what is found of the jobs that it names. Takes the state for
 * itself: it is another one afterwards. `driven`: by an engine, which does all that itself.
 */
export async function planResume(
  state: RunState,
  runDir: string,
  { driven, ...settling }: Settling & { readonly driven: boolean },
): Promise<WholePlan> {
  const before = new Map(nodesOf(state).map(({ index, state: at }) => [index, at]));
  const requests = pendingRequests(state, runDir);
  const refused = whyRefused(state);
  const isOver = state.status === "succeeded";
  const settled: Known["settled"] = driven || isOver ? new Map() : await takeUp(state, runDir, settling);
  const [stop, spent] = isOver ? [null, null] : [refused ?? whyNothingStarts(state), whyNoneCounts(state)];
  const known: Known = { state, before, settled, requests, now: settling.now, stop, spent };
  const of = planAll(state, (node) => planNode(known, node));
  if (isOver) return { does: "nothing", because: "the run succeeded: nothing is left to do", of };
  return { ...planRun(known, of, { driven, refused }), of };
}

/** Nobody goes on with it. */
export function planLeft(state: RunState, because: string): WholePlan {
  const of = planAll(state, (node) => planPassed(node) ?? { ...NO_PLAN, does: "blocked", because });
  return { does: "nothing", because, of };
}

/** All of it is done again, in a run of its own. */
export function planAnew(state: RunState, because: string): WholePlan {
  const plan = (node: StepNode): StepPlan => {
    const attempt = node.step.foreach ? null : 1;
    return { ...NO_PLAN, does: "run", because: `${because}${whenText(node)}`, attempt };
  };
  return { does: "goes on", because, of: planAll(state, plan) };
}

function planAll(state: RunState, plan: (node: StepNode) => StepPlan): ReadonlyMap<number, StepPlan> {
  return new Map(nodesOf(state).map((node) => [node.index, plan(node)]));
}

/** Steps, and the items of their present lists. */
function nodesOf({ steps }: RunState): StepNode[] {
  return steps.flatMap((node) => [node, ...(node.fan ? itemsOf(node.fan) : [])]);
}

function planRun(
  { state, requests, stop, spent }: Known,
  of: WholePlan["of"],
  { driven, refused }: { readonly driven: boolean; readonly refused: string | null },
): ResumePlan {
  if (driven) return { does: "is refused", because: "an engine drives the run: this is what it will do" };
  if (refused !== null) return { does: "is refused", because: refused };
  const cancel = requests.find((each) => "ok" in each && each.ok.request === "cancel");
  if (cancel) {
    return { does: "cancels", because: `${cancel.file} asks for it, and no engine has looked at it` };
  }
  // What a step with items does, these do.
  const own = nodesOf(state).filter(({ state: at }) => at.status !== "iterating");
  const first = (...plans: readonly StepPlan["does"][]) => {
    const node = own.find(({ index }) => plans.includes(of.get(index)?.does ?? "reuse"));
    return node && { node, plan: of.get(node.index) as StepPlan };
  };
  const moves = first("run", "adopt");
  if (moves) return { does: "goes on", because: moveText(moves.node, moves.plan) };
  const waits = first("wait");
  if (waits) {
    const because = `${placeName(placeOf(waits.node))} waits ${waits.plan.because}`;
    const isOpen = own.some((node) => of.get(node.index)?.does === "wait" && isComing(node, requests));
    return { does: isOpen ? "goes on" : "waits", because };
  }
  return { does: "goes on", because: stop ?? spent ?? "it ends the run" };
}

/** What it waits for comes without anybody, or is there. */
function isComing({ step, state: at }: StepNode, requests: readonly FoundRequest[]): boolean {
  if (at.status === "waiting" && !at.nested) return decisionOn(requests, step.id, at.attempt) !== undefined;
  return at.status === "retrying";
}

function moveText(node: StepNode, { does, attempt, because }: StepPlan): string {
  const name = placeName(placeOf(node));
  if (attempt === null) return `it starts with the list of ${name}`;
  const moves = `it ${does === "run" ? "starts" : "takes over"} attempt ${attempt} of ${name}`;
  return node.step.type === "workflow" ? `${moves}: ${because}` : moves;
}

/** A limit that would stop it again at once. */
function whyRefused(state: RunState): string | null {
  const { reason, limits, iterations } = state;
  if (reason?.code === "ITERATION_LIMIT" && iterations >= limits.max_total_iterations)
    return `max_total_iterations allows no more than ${limits.max_total_iterations}: raise it with --limit max_total_iterations=…`;
  if (reason?.code === "RUN_TIMEOUT" && drivenMs(state, 0) >= (limits.run_timeout_ms ?? 0))
    return "the run's run_timeout is used up: raise it with --limit run_timeout=…";
  const budget = reason?.code === "BUDGET" ? spentBudget(state) : null;
  return budget === null ? null : `${budget.message}: ${budget.hint ?? "raise it with --limit"}`;
}

/** Why nothing new is started although steps are due. */
function whyNothingStarts(state: RunState): string | null {
  if (state.failed.size > 0 && !keepsGoing(state)) return `${names(state, [...state.failed])} failed`;
  const budget = spentBudget(state);
  return budget?.message ?? null;
}

function whyNoneCounts({ iterations, limits }: RunState): string | null {
  const most = limits.max_total_iterations;
  return iterations >= most ? `max_total_iterations allows no more than ${most}` : null;
}

function pendingRequests(state: RunState, runDir: string): FoundRequest[] {
  return listRequests(runDir).filter(({ file }) => !state.requests.has(file));
}
