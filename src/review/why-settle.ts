import type { AttemptStatus } from "../core/event.ts";
import { fold } from "../core/fold.ts";
import { nodeAt, placeOf, type RunState, type StepNode } from "../core/state.ts";
import type { Executor, Found, KnownJob } from "../process/executor.ts";
import { attemptDir } from "../store/layout.ts";

/** What the next engine finds of an attempt that was started and has not ended. */
export type Settled =
  /** It is adopted, or its nested run is gone on with. */
  | { readonly is: "goes on"; readonly because: string }
  /** A nested run that goes on waiting. */
  | { readonly is: "waits"; readonly because: string }
  | { readonly is: "over"; readonly because: string };

/** Asks what has become of jobs, without touching them. */
export type Find = Executor["find"];

export interface Settling {
  readonly find: Find;
  readonly now: number;
  /** What becomes of the nested run of an attempt that is open. */
  nested(node: StepNode, attempt: number): Promise<Settled>;
}

/** The state becomes what it is when the next engine has taken the run up. By the index of the node. */
export async function takeUp(
  state: RunState,
  runDir: string,
  { find, now, nested }: Settling,
): Promise<ReadonlyMap<number, Settled>> {
  beginEngine(state, now);
  const settled = new Map<number, Settled>();
  const jobs: { readonly node: StepNode; readonly attempt: number; readonly job: KnownJob }[] = [];
  const over = (node: StepNode, attempt: number, status: AttemptStatus, why: string) => {
    settled.set(node.index, { is: "over", because: `attempt ${attempt}: ${why}` });
    end(state, node, status, now);
  };
  for (const index of [...state.running, ...state.waiting]) {
    const node = nodeAt(state, index);
    const { step, state: at } = node;
    if (at.status !== "running" && at.status !== "waiting") continue;
    const { attempt } = at;
    if (step.type === "workflow") settled.set(index, await nested(node, attempt));
    else if (at.status === "running" && at.process === null)
      over(node, attempt, "not_run", WHY_OVER.never_began);
    else if (at.status === "running" && at.process) {
      const dir = attemptDir(runDir, { ...placeOf(node), attempt });
      jobs.push({ node, attempt, job: { reference: at.process, attemptDir: dir } });
    }
  }
  const found = jobs.length === 0 ? [] : await find(jobs.map(({ job }) => job));
  for (const [i, { node, attempt }] of jobs.entries()) {
    const of = found[i] as Found;
    const because = whyAdopted(of);
    if (because !== null) settled.set(node.index, { is: "goes on", because });
    else if (of.found === "never_began") over(node, attempt, "not_run", WHY_OVER.never_began);
    else over(node, attempt, "interrupted", WHY_OVER[of.found as keyof typeof WHY_OVER]);
  }
  return settled;
}

/** The line that the next engine would begin with. */
function beginEngine(state: RunState, now: number): void {
  const { host, machineId, pidNamespace } = state.engine;
  const volatile = { pid: 1, host, machineId, pidNamespace, project: state.project };
  const head = headOf(state, now, state.epoch + 1);
  fold(state, { ...head, event: "engine_started", how: "resume", version: "", volatile });
}

function end(state: RunState, node: StepNode, status: AttemptStatus, now: number): void {
  const { state: at } = node;
  if (at.status !== "running") throw new Error(`${node.step.id} does not run`);
  const { attempt, cause } = at;
  const head = headOf(state, now, state.epoch);
  fold(state, {
    ...head,
    event: "attempt_ended",
    record: { ...placeOf(node), attempt, cause, status, outputs: {} },
    volatile: { startedAt: head.at, endedAt: head.at, stdoutBytes: 0, stderrBytes: 0 },
  });
}

function headOf({ seq, runId }: RunState, now: number, epoch: number) {
  return { seq: seq + 1, at: new Date(now).toISOString(), epoch, run: runId };
}

/** Null if it is not. */
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
    case "never_began":
    case "lost":
    case "rebooted":
      return null;
    default:
      return found satisfies never;
  }
}

const WHY_OVER = {
  never_began: "its command never began",
  lost: "its process is gone and has left no exit status",
  rebooted: "the machine was restarted while it ran",
  foreign: "it was started on another machine or in another container, and has left no exit status",
};
