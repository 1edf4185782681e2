import { availableParallelism } from "node:os";
import type { Situation } from "../core/action.ts";
import { decide, nextTime } from "../core/decide.ts";
import { evaluate } from "../core/expression.ts";
import { SETTLED_AFTER_MS } from "../core/limits.ts";
import { WfError } from "../core/problem.ts";
import { nodeAt, nodeOf, type RunState, type StepNode } from "../core/state.ts";
import type { Workflow } from "../core/workflow.ts";
import type { Executor, JobEnd } from "../process/executor.ts";
import { runEnvironment } from "../steps/environment.ts";
import { expressionScope } from "../steps/scope.ts";
import { Answering } from "./answers.ts";
import type { LiveAttempt } from "./attempts.ts";
import { collect, type Harvest } from "./collect.ts";
import { takeRequests, watchControl } from "./control.ts";
import { DriveGroup, type InnerOptions, type Signal } from "./drive-group.ts";
import { createExecutor } from "./executor.ts";
import { Inbox } from "./inbox.ts";
import { type Ending, judge } from "./judge.ts";
import type { NestedEnd } from "./nested.ts";
import { NestedRuns } from "./nested-runs.ts";
import { Performer } from "./perform.ts";
import { recordEnd } from "./record-end.ts";
import { Reuse } from "./reuse.ts";
import type { Session } from "./session.ts";
import { settleOpenAttempts } from "./settle.ts";
import { listenToSignals } from "./signals.ts";

type Message =
  | { readonly about: "ended"; readonly live: LiveAttempt; readonly end: JobEnd }
  | {
      readonly about: "collected";
      readonly live: LiveAttempt;
      readonly ending: Ending;
      readonly collected: Harvest;
    }
  | { readonly about: "nested"; readonly live: LiveAttempt; readonly end: NestedEnd }
  | { readonly about: "error"; readonly error: unknown }
  | { readonly about: "control" };

export interface Driven {
  readonly signal: Signal | null;
}

/**
 * Drives a run until it has ended or waits: the one loop behind `start`, `resume` and `executeNext`. Each turn takes
 * what happened, decides, performs, and makes the turn durable before anything of it takes effect.
 */
export async function drive(session: Session, options: InnerOptions): Promise<Driven> {
  const loop = new Loop(session, options);
  try {
    return await loop.run();
  } catch (error) {
    loop.abandon();
    throw error;
  } finally {
    await loop.close();
  }
}

class Loop {
  readonly #session: Session;
  readonly #options: InnerOptions;
  readonly #inbox = new Inbox<Message>();
  readonly #executor: Executor;
  readonly #performer: Performer;
  readonly #nested: NestedRuns;
  readonly #reuse: Reuse;
  readonly #answering: Answering;
  readonly #group: DriveGroup;
  readonly #maxParallel: number;
  readonly #until: Situation["until"];
  readonly #collecting = new Set<number>();
  readonly #closers: (() => void)[] = [];
  #signal: Signal | null = null;

  constructor(session: Session, options: InnerOptions) {
    this.#session = session;
    this.#options = options;
    const { state, places } = session;
    const limit = options.maxParallel ?? state.limits.max_parallel ?? availableParallelism();
    this.#maxParallel = isOneByOne(state.workflow) ? 1 : limit;
    this.#group = options.inside?.group ?? new DriveGroup(limit, options.attempts);
    this.#signal = this.#group.signal;
    this.#until = options.until === undefined ? undefined : untilOf(state, options.until);
    const parent = options.env ?? process.env;
    const environment = runEnvironment(state, places, parent);
    this.#executor = createExecutor({
      env: environment,
      maxJobs: this.#maxParallel,
      onRoom: () => this.#inbox.poke(),
      onEnd: (job, end) => this.#performer.jobEnded(job, end),
      onBroken: (why) =>
        this.#fail(new WfError({ code: "IO_ERROR", message: `no process can be started: ${why}` })),
    });
    const outer = { group: this.#group, environment, outerCookie: parent.WF_ATTEMPT_ID };
    this.#nested = new NestedRuns({
      session,
      ...outer,
      wait: options.wait ?? false,
      onEnd: (live, end) => this.#inbox.post({ about: "nested", live, end }),
      onError: (error) => this.#fail(error),
    });
    this.#reuse = new Reuse(session, () => this.#inbox.poke());
    this.#answering = new Answering(session, () => this.#inbox.poke());
    this.#performer = new Performer({
      session,
      executor: this.#executor,
      ...outer,
      nested: this.#nested,
      reuse: this.#reuse,
      answering: this.#answering,
      onEnd: (live, end) => this.#inbox.post({ about: "ended", live, end }),
    });
  }

  async run(): Promise<Driven> {
    const session = this.#session;
    // Where all may have been done already, perhaps no process is needed.
    if (session.state.reuse === null && session.answers === null) this.#readyPlaces();
    const lookAtRequests = () => this.#inbox.post({ about: "control" });
    const leave = this.#group.join({
      poke: () => this.#inbox.poke(),
      onSignal: (signal, again) => this.#onSignal(signal, again),
      lookAtRequests,
      abandon: () => this.#fail(new Error("the run around it was given up")),
    });
    this.#closers.push(leave);
    if (!this.#options.inside) {
      this.#closers.push(listenToSignals({ stop: (signal, again) => this.#group.onSignal(signal, again) }));
    }
    const control = watchControl(session.places.runDir, lookAtRequests);
    const settled = setTimeout(() => {
      control.hintToo().catch(() => undefined);
      const lost = () =>
        this.#fail(new WfError({ code: "LOCK_LOST", message: "another engine has taken this run over" }));
      session.claim.startHeartbeat(lost).catch((error) => this.#fail(error));
    }, SETTLED_AFTER_MS);
    this.#closers.push(control.close, () => clearTimeout(settled));

    const parts = { session, executor: this.#executor, performer: this.#performer, nested: this.#nested };
    await settleOpenAttempts(parts, (live, end) => this.#onProcessEnd(live, end));
    this.#answering.decideOpenGates();
    takeRequests(session);
    if (session.state.cancel === null) this.#nested.resumeAll();
    for (;;) {
      for (const message of this.#inbox.take()) this.#handle(message);
      this.#decideAndPerform();
      session.commit();
      if (session.state.status !== "running") return { signal: this.#signal };
      const due = session.snapshotDueIn();
      if (due === 0) session.writeSnapshot();
      this.#readyPlaces();
      await this.#inbox.wait(this.#pause(due));
    }
  }

  /** Something is wrong with this run or one in it: none of those that belong together goes on. */
  abandon(): void {
    this.#group.abandon();
  }

  async close(): Promise<void> {
    for (const close of this.#closers) close();
    await this.#nested.settled();
    await this.#executor.close();
  }

  #handle(message: Message): void {
    switch (message.about) {
      case "ended":
        this.#onProcessEnd(message.live, message.end);
        break;
      case "collected":
        this.#collecting.delete(message.live.index);
        recordEnd(this.#session, message.live, message.ending, message.collected);
        break;
      case "nested":
        this.#nested.ended(message.live, message.end);
        break;
      case "control":
        takeRequests(this.#session);
        this.#nested.resumeAsked();
        break;
      case "error":
        throw message.error;
      default:
        message satisfies never;
    }
  }

  #onProcessEnd(live: LiveAttempt, end: JobEnd): void {
    this.#performer.ended(live);
    const ending = judge(live, nodeAt(this.#session.state, live.index), end);
    const collected = collect(this.#session, live, ending);
    if (!(collected instanceof Promise)) {
      recordEnd(this.#session, live, ending, collected);
      return;
    }
    this.#collecting.add(live.index);
    collected.then(
      (done) => this.#inbox.post({ about: "collected", live, ending, collected: done }),
      (error) => this.#fail(error),
    );
  }

  /** Until a pass records nothing: what is left then has to come from outside, or with time. */
  #decideAndPerform(): void {
    const { state } = this.#session;
    this.#reuse.nextTurn();
    this.#answering.nextTurn();
    for (let before = -1; before !== state.seq; ) {
      before = state.seq;
      for (const action of decide(state, this.#situation())) this.#performer.perform(action);
    }
  }

  #situation(): Situation {
    const { state, clock } = this.#session;
    const { attemptsLeft, room } = this.#group;
    return {
      now: clock.now(),
      slots: Math.min(this.#maxParallel - state.running.size, this.#executor.room, room),
      signal: this.#signal,
      ...(Number.isFinite(attemptsLeft) && { attemptsLeft }),
      ...(this.#until && { until: this.#until }),
      ...(this.#options.wait && { stay: true }),
      quietSince: (index) => this.#performer.quietSince(index),
      ...((this.#reuse.isOfUse || this.#answering.isOfUse) && {
        needsNoPlace: (node) =>
          (this.#reuse.isOfUse && this.#reuse.canTake(node)) || this.#answering.needsNoPlace(node),
      }),
      when: (node) => this.#when(node),
    };
  }

  #when(node: StepNode): { is: boolean } | { error: string } {
    const { when } = node.step;
    if (!when) return { is: true };
    const { state, places } = this.#session;
    try {
      const scope = expressionScope(state, places, node, when, this.#options.env ?? process.env);
      return { is: evaluate(when, scope) };
    } catch (error) {
      return { error: (error as Error).message };
    }
  }

  /** Says how many jobs may be started before long. */
  #readyPlaces(): void {
    const { state } = this.#session;
    if (state.status !== "running" || this.#signal !== null || state.cancel !== null) {
      this.#executor.want(0);
      return;
    }
    const steps =
      state.workflow.shape === "sequence" ? 1 : state.steps.length - state.passed - state.running.size;
    const items = state.due.size === 0 ? 0 : (nodeAt(state, state.due.next()).fan?.due.size ?? 0);
    this.#executor.want(Math.max(0, Math.min(steps + items, this.#maxParallel)));
  }

  #pause(snapshotDue: number | null): number | null {
    const now = this.#session.clock.now();
    const next = nextTime(this.#session.state, now, (index) => this.#performer.quietSince(index));
    const times = [snapshotDue, next === null ? null : next - now].filter((ms) => ms !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  #onSignal(signal: Signal, again: boolean): void {
    this.#signal ??= signal;
    if (again) this.#performer.killAll();
    this.#inbox.poke();
  }

  #fail(error: unknown): void {
    this.#inbox.post({ about: "error", error });
  }
}

/** Whether never more than one attempt runs at a time. */
function isOneByOne({ shape, steps }: Workflow): boolean {
  return shape === "sequence" && !steps.some(({ foreach }) => foreach !== undefined);
}

function untilOf(state: RunState, step: string): Situation["until"] {
  const { index } = nodeOf(state, step).step;
  if (state.workflow.shape === "sequence") return { step: index, within: new Set(state.steps.keys()) };
  const within = new Set([index]);
  for (const member of within) for (const need of nodeAt(state, member).step.needs) within.add(need);
  return { step: index, within };
}
