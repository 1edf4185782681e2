import { existsSync, mkdirSync, rmSync } from "node:fs";
import { formatDuration } from "../core/duration.ts";
import type { AttemptCause, RunReason, StopReason } from "../core/event.ts";
import { MAX_NESTING } from "../core/limits.ts";
import { isFinally, nodeAt, placeOf, type StepNode } from "../core/state.ts";
import type { NestedStep } from "../core/workflow.ts";
import { type Environment, newCookie } from "../steps/environment.ts";
import { collectNested, type NestedValues, prepareNested } from "../steps/nested.ts";
import { PreparationError } from "../steps/prepare.ts";
import { attemptDir, nestedDir } from "../store/layout.ts";
import { writeCancelRequest } from "../store/requests.ts";
import type { LiveAttempt } from "./attempts.ts";
import { type Harvest, NOTHING, withDecision } from "./collect.ts";
import type { DriveGroup } from "./drive-group.ts";
import { failAtOnce } from "./fail-at-once.ts";
import { type Ending, WHY_STOPPED } from "./judge.ts";
import type { NestedEnd } from "./nested.ts";
import { hasNew, type Watched, watchedIn } from "./nested-requests.ts";
import { recordEnd } from "./record-end.ts";
import type { Session } from "./session.ts";

export interface NestedRunsParts {
  readonly session: Session;
  readonly group: DriveGroup;
  readonly environment: Environment;
  readonly outerCookie: string | undefined;
  /** Stay at gates and limits. */
  readonly wait: boolean;
  onEnd(live: LiveAttempt, end: NestedEnd): void;
  onError(error: unknown): void;
}

/** The attempts of a run that are runs themselves. */
export class NestedRuns {
  readonly #parts: NestedRunsParts;
  readonly #live = new Map<number, LiveAttempt>();
  readonly #driven = new Set<Promise<void>>();
  /** What the waiting ones may be asked, by the index of the node. */
  readonly #watched = new Map<number, readonly Watched[]>();

  constructor(parts: NestedRunsParts) {
    this.#parts = parts;
  }

  start(node: StepNode, step: NestedStep, cause: AttemptCause): void {
    const { session } = this.#parts;
    const attempt = node.attempts + 1;
    const values = this.#values(node, step, attempt);
    if (values instanceof PreparationError) {
      failAtOnce(session, node, attempt, cause, values.failure);
      return;
    }
    const dir = attemptDir(session.places.runDir, { ...placeOf(node), attempt });
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
    session.record({ event: "attempt_started", ...placeOf(node), attempt, cause });
    this.#drive(node, step, attempt, cause, values);
  }

  /** One that an earlier engine drove or was about to create. */
  takeUp(index: number): void {
    const { session } = this.#parts;
    const node = nodeAt(session.state, index);
    const { step, state: at } = node;
    if (step.type !== "workflow" || at.status !== "running") return;
    const values = this.#values(node, step, at.attempt);
    if (values instanceof PreparationError) {
      recordEnd(session, { index, attempt: at.attempt }, { status: "failed", error: values.failure });
      return;
    }
    this.#drive(node, step, at.attempt, at.cause, values);
  }

  /** One that waits is gone on with. */
  resume(index: number): void {
    const { session } = this.#parts;
    const node = nodeAt(session.state, index);
    if (node.state.status !== "waiting") return;
    session.record({ event: "attempt_resumed", ...placeOf(node), attempt: node.state.attempt });
    this.takeUp(index);
  }

  /** All that wait, when an engine takes the run up again. */
  resumeAll(): void {
    for (const index of [...this.#parts.session.state.waiting]) {
      if (nodeAt(this.#parts.session.state, index).step.type === "workflow") this.resume(index);
    }
  }

  /** Those that have been asked for something since they began to wait. */
  resumeAsked(): void {
    const { session } = this.#parts;
    for (const [index, watched] of this.#watched) {
      const { state } = nodeAt(session.state, index);
      if (state.status === "waiting" && hasNew(watched)) this.resume(index);
    }
  }

  /** A signal reaches nested runs by itself; for all else they are asked to cancel. */
  stop(index: number, because: StopReason): void {
    const { session, group } = this.#parts;
    this.resume(index);
    const live = this.#live.get(index);
    if (!live || live.stop) return;
    live.stop = { because, killNow: () => undefined };
    if (because === "SIGNAL") return;
    const { attempt } = live;
    session.record({ event: "attempt_stopping", ...placeOf(nodeAt(session.state, index)), attempt, because });
    session.afterCommit(() => {
      const runDir = nestedDir(session.places.runDir, live);
      if (!existsSync(runDir)) return;
      writeCancelRequest(runDir, { reason: whyStopped(because), by: "wf" });
      group.lookAtRequests();
    });
  }

  has(index: number): boolean {
    return this.#live.has(index);
  }

  /** Records what has become of one. */
  ended(live: LiveAttempt, end: NestedEnd): void {
    const { session } = this.#parts;
    const node = nodeAt(session.state, live.index);
    this.#live.delete(live.index);
    if (!("waiting" in end)) {
      const { ending, harvest } = judge(live, node, end);
      recordEnd(session, live, ending, harvest);
      return;
    }
    if (live.stop && live.stop.because !== "SIGNAL") {
      // It had just let go when it was asked.
      this.takeUp(live.index);
      const again = this.#live.get(live.index);
      if (again) again.stop = live.stop;
      return;
    }
    this.#watched.set(live.index, watchedIn(nestedDir(session.places.runDir, live)));
    const volatile = end.until === null ? {} : { volatile: { until: end.until } };
    const { attempt } = live;
    session.record({ event: "attempt_waiting", ...placeOf(node), attempt, reason: end.waiting, ...volatile });
  }

  /** Resolves when none is driven any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#driven);
  }

  #drive(node: StepNode, step: NestedStep, attempt: number, cause: AttemptCause, values: NestedValues): void {
    const { session, group, wait, onEnd, onError } = this.#parts;
    // A `finally` step belongs to one end of the run: to another one it has something else to say.
    const goesOn = cause === "resume" && !isFinally(session.state, node.step.index);
    const live: LiveAttempt = { index: node.index, ...placeOf(node), attempt, adopted: false };
    this.#live.set(node.index, live);
    this.#watched.delete(node.index);
    const driven = async () => {
      try {
        const { driveNested } = await import("./nested.ts");
        const end = await driveNested({
          ...{ outer: session, group, step, name: live, goesOn, ...values, wait },
          isStopped: () => live.stop !== undefined,
        });
        onEnd(live, end);
      } catch (error) {
        onError(error);
      }
    };
    session.afterCommit(() => {
      const promise = driven().finally(() => this.#driven.delete(promise));
      this.#driven.add(promise);
    });
  }

  #values(node: StepNode, step: NestedStep, attempt: number): NestedValues | PreparationError {
    const { session, environment, outerCookie } = this.#parts;
    const { state, places } = session;
    if (places.depth >= MAX_NESTING) return tooDeep(step);
    const name = { ...placeOf(node), attempt };
    const cookie = newCookie(state.runId, name, outerCookie);
    const dir = attemptDir(places.runDir, name);
    try {
      return prepareNested({ state, places, node, step, attempt, dir, base: environment, cookie });
    } catch (error) {
      if (error instanceof PreparationError) return error;
      throw error;
    }
  }
}

function tooDeep({ definition }: NestedStep): PreparationError {
  return new PreparationError({
    code: "NESTED_TOO_DEEP",
    message: `the workflow ${definition.workflow.id} would be nested in ${MAX_NESTING} others: no run goes deeper`,
    hint: "a workflow that runs itself needs a when that ends it",
  });
}

function judge(
  live: LiveAttempt,
  node: StepNode,
  end: Exclude<NestedEnd, { waiting: unknown }>,
): { ending: Ending; harvest: Harvest } {
  const { step, state: at } = node;
  if (step.type !== "workflow") throw new Error(`${step.id} has no run of its own`);
  const usage = "ended" in end && end.usage ? { usage: end.usage } : {};
  if ("ended" in end && end.ended.status === "succeeded") {
    const collected = withDecision(step, collectNested(step, live, end.ended));
    return { ending: { status: "succeeded" }, harvest: { ...collected, ...usage } };
  }
  const because = live.stop?.because ?? (at.status === "running" ? at.stopping?.because : undefined);
  const harvest = { ...NOTHING, ...usage };
  if (because === "TIMEOUT") {
    const message = `it took longer than its timeout of ${formatDuration(step.timeoutMs ?? 0)}`;
    return { ending: { status: "timed_out", error: { code: "TIMEOUT", message } }, harvest };
  }
  if (because !== undefined) {
    const error = { code: "CANCELED", message: whyStopped(because) };
    return { ending: { status: "canceled", error }, harvest };
  }
  if ("failure" in end) return { ending: { status: "failed", error: end.failure }, harvest };
  if ("notRun" in end) return { ending: { status: "not_run" }, harvest };
  const { reason, status } = end.ended;
  const how = status === "canceled" ? "was canceled" : "failed";
  const message = `its run ${how}: ${reason ? innermost(reason) : "no reason is known"}`;
  const hint = reason?.hint === undefined ? {} : { hint: reason.hint };
  return { ending: { status: "failed", error: { code: "NESTED_FAILED", message, ...hint } }, harvest };
}

/** `a failed on attempt 1: its run failed: b failed …` is told as `a/b failed …`. */
function innermost({ code, message }: RunReason): string {
  if (code !== "NESTED_FAILED") return message;
  return message.replace(/^(\S+) failed on attempt \d+: its run (?:failed|was canceled): /, "$1/");
}

function whyStopped(because: StopReason): string {
  return because === "TIMEOUT" || because === "IDLE_TIMEOUT"
    ? "the step's time is over"
    : WHY_STOPPED[because];
}
