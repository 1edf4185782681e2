import { spentBudget } from "../core/budget.ts";
import type { AttemptStatus, JournalLine } from "../core/event.ts";
import { fold } from "../core/fold.ts";
import { drivenMs, isFinally, isPassed, nodeAt, type RunState, type StepNode } from "../core/state.ts";
import { inspect } from "../process/adopt.ts";
import type { Found } from "../process/executor.ts";
import { attemptDir } from "../store/layout.ts";
import { type FoundRequest, listRequests } from "../store/requests.ts";
import { names } from "./why-trace.ts";

/** What `wf resume` would do with a step. */
export interface StepPlan {
  readonly does: "reuse" | "adopt" | "run" | "wait" | "blocked";
  readonly because: string;
  /** run: the number of the new attempt; adopt, wait: of the one that is open. */
  readonly attempt: number | null;
  /** wait: not before; ISO 8601, UTC. */
  readonly until: string | null;
  /** blocked: the steps that have to be passed first. */
  readonly by: readonly string[];
}

/** What it would do with the run. */
export interface ResumePlan {
  readonly does: "goes on" | "nothing" | "is refused" | "cancels";
  readonly because: string;
  /** By index. */
  readonly steps: readonly StepPlan[];
}

/**
 * What a resume would come to now, by the journal and the processes that are there. Takes the state for itself: it is
 * another one afterwards.
 */
export function planResume(
  state: RunState,
  runDir: string,
  { driven, now }: { readonly driven: boolean; readonly now: number },
): ResumePlan {
  const before = state.steps.map(({ state: at }) => at.status);
  const requests = pendingRequests(state, runDir);
  const refused = whyRefused(state);
  const settled = new Map<number, Settled>();
  if (state.status === "succeeded") {
    const steps = state.steps.map((node) =>
      planStep(state, node, { before, settled, requests, now, stop: null }),
    );
    return { does: "nothing", because: "the run succeeded: nothing is left to do", steps };
  }
  if (!driven) {
    takeUp(state, now);
    settle(state, runDir, now, settled);
  }
  const stop = refused ?? whyNothingStarts(state);
  const steps = state.steps.map((node) => planStep(state, node, { before, settled, requests, now, stop }));
  if (driven) {
    return { does: "is refused", because: "an engine drives the run: this is what it will do", steps };
  }
  if (refused !== null) return { does: "is refused", because: refused, steps };
  const cancel = requests.find((each) => "ok" in each && each.ok.request === "cancel");
  if (cancel)
    return { does: "cancels", because: `${cancel.file} asks for it, and no engine has looked at it`, steps };
  const first = steps.findIndex(({ does }) => does === "run" || does === "adopt");
  if (first >= 0) {
    const { does, attempt } = steps[first] as StepPlan;
    const { id } = nodeAt(state, first).step;
    const because =
      does === "run" ? `it starts attempt ${attempt} of ${id}` : `it takes over attempt ${attempt} of ${id}`;
    return { does: "goes on", because, steps };
  }
  const waits = steps.findIndex(({ does }) => does === "wait");
  if (waits >= 0) {
    const because = `${nodeAt(state, waits).step.id} waits ${(steps[waits] as StepPlan).because}`;
    return { does: "goes on", because, steps };
  }
  return { does: "goes on", because: stop ?? "it ends the run", steps };
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
  const goesOn =
    state.workflow.shape === "graph" && (state.options.keep_going ?? state.workflow.onFailure === "continue");
  if (state.failed.size > 0 && !goesOn) return `${names(state, [...state.failed])} failed`;
  const budget = spentBudget(state);
  if (budget !== null) return budget.message;
  if (state.iterations >= state.limits.max_total_iterations)
    return `max_total_iterations allows no more than ${state.limits.max_total_iterations}`;
  return null;
}

function pendingRequests(state: RunState, runDir: string): FoundRequest[] {
  return listRequests(runDir).filter(({ file }) => !state.requests.has(file));
}

/** The line that the next engine would begin with. */
function takeUp(state: RunState, now: number): void {
  const { host, machineId, pidNamespace } = state.engine;
  const volatile = { pid: 1, host, machineId, pidNamespace, project: state.project };
  const at = new Date(now).toISOString();
  const head = { seq: state.seq + 1, at, epoch: state.epoch + 1, run: state.runId };
  fold(state, { ...head, event: "engine_started", how: "resume", version: "", volatile });
}

type Settled =
  | { readonly adopts: true; readonly attempt: number; readonly because: string }
  | { readonly adopts: false; readonly because: string };

/** What it finds of each attempt that was started and has not ended. */
function settle(state: RunState, runDir: string, now: number, settled: Map<number, Settled>): void {
  for (const index of [...state.running]) {
    const { step, state: at } = nodeAt(state, index);
    if (at.status !== "running") continue;
    const { attempt, process } = at;
    const found: Found =
      process === null
        ? { found: "never_began" }
        : inspect(attemptDir(runDir, { step: step.id, attempt }), process);
    const adopted = whyAdopted(found);
    if (adopted !== null) {
      settled.set(index, { adopts: true, attempt, because: adopted });
      continue;
    }
    const status = found.found === "never_began" ? "not_run" : "interrupted";
    settled.set(index, { adopts: false, because: `attempt ${attempt}: ${WHY_NOT[found.found] ?? ""}` });
    fold(state, ended(state, index, status, now));
  }
}

function whyAdopted(found: Found): string | null {
  switch (found.found) {
    case "alive":
      return "its process still runs";
    case "unanswered":
      return `it counts as running: ${found.why}`;
    case "exited":
      return `its process has left an exit status, ${found.exitCode}`;
    case "foreign":
      return found.exitCode === null
        ? null
        : `it was started on another machine or in another container, and has left an exit status, ${found.exitCode}`;
    default:
      return null;
  }
}

const WHY_NOT: Readonly<Record<string, string>> = {
  never_began: "its command never began",
  lost: "its process is gone and has left no exit status",
  rebooted: "the machine was restarted while it ran",
  foreign: "it was started on another machine or in another container, and has left no exit status",
};

function ended(state: RunState, index: number, status: AttemptStatus, now: number): JournalLine {
  const { step, state: at } = nodeAt(state, index);
  if (at.status !== "running") throw new Error(`${step.id} does not run`);
  const time = new Date(now).toISOString();
  const { attempt, cause } = at;
  return {
    seq: state.seq + 1,
    at: time,
    epoch: state.epoch,
    run: state.runId,
    event: "attempt_ended",
    record: { step: step.id, attempt, cause, status, outputs: {} },
    volatile: { startedAt: time, endedAt: time, stdoutBytes: 0, stderrBytes: 0 },
  };
}

interface Known {
  /** Each step's status as the journal has it. */
  readonly before: readonly string[];
  readonly settled: ReadonlyMap<number, Settled>;
  readonly requests: readonly FoundRequest[];
  readonly now: number;
  /** Why nothing new is started; null if it is. */
  readonly stop: string | null;
}

const NOTHING = { attempt: null, until: null, by: [] } as const;

function planStep(state: RunState, node: StepNode, known: Known): StepPlan {
  const { step, state: at } = node;
  switch (at.status) {
    case "succeeded":
      return { ...NOTHING, does: "reuse", because: `it passed on attempt ${at.attempt}` };
    case "skipped":
      return { ...NOTHING, does: "reuse", because: "it was skipped, and stays so" };
    case "failed":
      return at.allowed
        ? { ...NOTHING, does: "reuse", because: `it failed on attempt ${at.attempt}, and may` }
        : { ...NOTHING, does: "blocked", because: whyStaysFailed(node, known) };
    case "running": {
      const settled = known.settled.get(step.index);
      const because = settled?.adopts
        ? settled.because
        : "it runs; if its engine dies, a resume takes it over";
      return { ...NOTHING, does: "adopt", because, attempt: at.attempt };
    }
    case "waiting":
      return {
        ...NOTHING,
        does: "wait",
        because: whatDecides(step.id, at.attempt, known),
        attempt: at.attempt,
      };
    case "retrying":
      return planRetry(node, at, known);
    case "canceled":
      return { ...NOTHING, does: "blocked", because: "it was canceled" };
    case "pending":
    case "iterating":
      return planPending(state, node, known);
    default:
      return at satisfies never;
  }
}

function whyStaysFailed({ step }: StepNode, { before, settled }: Known): string {
  const own = settled.get(step.index);
  if (own) return `${own.because}, and its on_interrupt is fail`;
  return before[step.index] === "failed"
    ? "it failed; it runs again with a resume after the run has ended"
    : "it failed";
}

function whatDecides(step: string, attempt: number, { requests }: Known): string {
  const decided = requests.find(
    (each) =>
      "ok" in each && each.ok.request === "decide" && each.ok.step === step && each.ok.attempt === attempt,
  );
  return decided === undefined
    ? "for a person: wf approve or wf reject decides"
    : `for an engine: a decision is in ${decided.file}`;
}

function planRetry(
  { attempts }: StepNode,
  at: Extract<StepNode["state"], { status: "retrying" }>,
  { now, stop }: Known,
): StepPlan {
  if (at.notBefore !== null && at.notBefore > now) {
    const until = new Date(at.notBefore).toISOString();
    const why = at.retryAt === null ? "the delay of its retry" : "its client's limit";
    return { ...NOTHING, does: "wait", because: `until ${why} is over`, attempt: attempts + 1, until };
  }
  if (stop !== null) return { ...NOTHING, does: "blocked", because: stop };
  return {
    ...NOTHING,
    does: "run",
    because: `attempt ${at.attempt} failed, and a retry is left`,
    attempt: attempts + 1,
  };
}

function planPending(state: RunState, node: StepNode, known: Known): StepPlan {
  const { step } = node;
  const { index } = step;
  if (isFinally(state, index)) return planFinally(state, node, known);
  if (state.due.has(index)) {
    if (known.stop !== null) return { ...NOTHING, does: "blocked", because: known.stop };
    const when = step.when ? `, if its when is true: ${step.when.source}` : "";
    return { ...NOTHING, does: "run", because: `${whyRun(node, known)}${when}`, attempt: node.attempts + 1 };
  }
  if (state.workflow.shape === "graph") {
    const unmet = step.needs.filter((need) => !isPassed(nodeAt(state, need).state));
    const by = unmet.map((need) => nodeAt(state, need).step.id);
    return { ...NOTHING, does: "blocked", because: `it needs ${names(state, unmet)}`, by };
  }
  if (typeof state.cursor !== "number")
    return { ...NOTHING, does: "blocked", because: "the way through the run does not lead to it" };
  const { id } = nodeAt(state, state.cursor).step;
  return index > state.cursor
    ? { ...NOTHING, does: "blocked", because: `${id} comes first`, by: [id] }
    : { ...NOTHING, does: "blocked", because: `the run is past it, at ${id}` };
}

function planFinally(state: RunState, node: StepNode, { before: was }: Known): StepPlan {
  if (state.ending === null) {
    const again = was[node.step.index] === "pending" ? "" : "again ";
    return { ...NOTHING, does: "blocked", because: `it runs ${again}when the run comes to its end` };
  }
  const rest = state.steps.slice(state.workflow.mainSteps, node.step.index);
  const before = rest.find(
    ({ state: { status } }) => status === "pending" || status === "running" || status === "retrying",
  );
  if (before)
    return { ...NOTHING, does: "blocked", because: `${before.step.id} comes first`, by: [before.step.id] };
  return { ...NOTHING, does: "run", because: "the run comes to its end", attempt: node.attempts + 1 };
}

function whyRun({ step, state: at }: StepNode, { before, settled }: Known): string {
  const own = settled.get(step.index);
  if (own) return own.because;
  if (at.status === "pending" && at.cause === "stale") return "what was shown has changed since";
  switch (before[step.index]) {
    case "failed":
      return "it failed, and a resume makes a new attempt";
    case "canceled":
      return "it was stopped, and a resume makes a new attempt";
    case "succeeded":
      return "the run ended here, and a resume asks again";
    default:
      return "it is due";
  }
}
