import { availableParallelism } from "node:os";
import type { Situation } from "../core/action.ts";
import { decide, nextTime } from "../core/decide.ts";
import { evaluate } from "../core/expression.ts";
import { SETTLED_AFTER_MS } from "../core/limits.ts";
import { WfError } from "../core/problem.ts";
import { nodeAt, nodeOf, type RunState, type StepNode } from "../core/state.ts";
import type { Executor, JobEnd } from "../process/executor.ts";
import { createLocal } from "../process/local.ts";
import { runEnvironment } from "../steps/environment.ts";
import { expressionScope } from "../steps/scope.ts";
import type { DriveOptions } from "./api.ts";
import type { LiveAttempt } from "./attempts.ts";
import { collect, type Harvest } from "./collect.ts";
import { takeRequests, watchControl } from "./control.ts";
import { Inbox } from "./inbox.ts";
import { type Ending, judge } from "./judge.ts";
import { Performer } from "./perform.ts";
import { recordEnd } from "./record-end.ts";
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
  | { readonly about: "error"; readonly error: unknown }
  | { readonly about: "control" };

export interface Driven {
  readonly signal: "SIGINT" | "SIGTERM" | null;
}

/**
 * Drives a run until it has ended or waits: the one loop behind `start`, `resume` and `executeNext`. Each turn takes
 * what happened, decides, performs, and makes the turn durable before anything of it takes effect.
 */
export async function drive(
  session: Session,
  options: DriveOptions & { readonly attempts?: number },
): Promise<Driven> {
  const loop = new Loop(session, options);
  try {
    return await loop.run();
  } finally {
    await loop.close();
  }
}

class Loop {
  readonly #session: Session;
  readonly #options: DriveOptions & { readonly attempts?: number };
  readonly #inbox = new Inbox<Message>();
  readonly #executor: Executor;
  readonly #performer: Performer;
  readonly #maxParallel: number;
  readonly #until: Situation["until"];
  readonly #collecting = new Set<number>();
  readonly #closers: (() => void)[] = [];
  #signal: "SIGINT" | "SIGTERM" | null = null;

  constructor(session: Session, options: DriveOptions & { readonly attempts?: number }) {
    this.#session = session;
    this.#options = options;
    const { state, places } = session;
    const limit = options.maxParallel ?? state.limits.max_parallel ?? availableParallelism();
    this.#maxParallel = state.workflow.shape === "sequence" ? 1 : limit;
    this.#until = options.until === undefined ? undefined : untilOf(state, options.until);
    const parent = options.env ?? process.env;
    const environment = runEnvironment(state, places, parent);
    this.#executor = createLocal({
      env: environment,
      maxJobs: this.#maxParallel,
      onRoom: () => this.#inbox.poke(),
      onEnd: (job, end) => this.#performer.jobEnded(job, end),
      onBroken: (why) =>
        this.#fail(new WfError({ code: "IO_ERROR", message: `no process can be started: ${why}` })),
    });
    this.#performer = new Performer({
      session,
      executor: this.#executor,
      environment,
      outerCookie: parent.WF_ATTEMPT_ID,
      onEnd: (live, end) => this.#inbox.post({ about: "ended", live, end }),
    });
  }

  async run(): Promise<Driven> {
    const session = this.#session;
    this.#readyPlaces();
    this.#closers.push(listenToSignals({ stop: (signal, again) => this.#onSignal(signal, again) }));
    const control = watchControl(session.places.runDir, () => this.#inbox.post({ about: "control" }));
    const settled = setTimeout(() => {
      control.hintToo().catch(() => undefined);
      const lost = () =>
        this.#fail(new WfError({ code: "LOCK_LOST", message: "another engine has taken this run over" }));
      session.claim.startHeartbeat(lost).catch((error) => this.#fail(error));
    }, SETTLED_AFTER_MS);
    this.#closers.push(control.close, () => clearTimeout(settled));

    const parts = { session, executor: this.#executor, performer: this.#performer };
    await settleOpenAttempts(parts, (live, end) => this.#onProcessEnd(live, end));
    takeRequests(session);
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

  async close(): Promise<void> {
    for (const close of this.#closers) close();
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
      case "control":
        takeRequests(this.#session);
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
    for (let before = -1; before !== state.seq; ) {
      before = state.seq;
      for (const action of decide(state, this.#situation())) this.#performer.perform(action);
    }
  }

  #situation(): Situation {
    const { state, clock } = this.#session;
    const { attempts } = this.#options;
    return {
      now: clock.now(),
      slots: Math.min(this.#maxParallel - state.running.size, this.#executor.room),
      signal: this.#signal,
      ...(attempts !== undefined && { attemptsLeft: attempts - this.#performer.started }),
      ...(this.#until && { until: this.#until }),
      ...(this.#options.wait && { stay: true }),
      quietSince: (index) => this.#performer.quietSince(index),
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
    const open =
      state.workflow.shape === "sequence" ? 1 : state.steps.length - state.passed - state.running.size;
    this.#executor.want(Math.max(0, Math.min(open, this.#maxParallel)));
  }

  #pause(snapshotDue: number | null): number | null {
    const now = this.#session.clock.now();
    const next = nextTime(this.#session.state, now, (index) => this.#performer.quietSince(index));
    const times = [snapshotDue, next === null ? null : next - now].filter((ms) => ms !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  #onSignal(signal: "SIGINT" | "SIGTERM", again: boolean): void {
    this.#signal ??= signal;
    if (again) this.#performer.killAll();
    this.#inbox.poke();
  }

  #fail(error: unknown): void {
    this.#inbox.post({ about: "error", error });
  }
}

function untilOf(state: RunState, step: string): Situation["until"] {
  const { index } = nodeOf(state, step).step;
  if (state.workflow.shape === "sequence") return { step: index, within: new Set(state.steps.keys()) };
  const within = new Set([index]);
  for (const member of within) for (const need of nodeAt(state, member).step.needs) within.add(need);
  return { step: index, within };
}
