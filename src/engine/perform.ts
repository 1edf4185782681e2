import { join } from "node:path";
import type { Action } from "../core/action.ts";
import type { AttemptCause, StopReason } from "../core/event.ts";
import type { Json } from "../core/json.ts";
import { GRACE_MS } from "../core/limits.ts";
import { nodeAt, placeOf, type StepNode } from "../core/state.ts";
import { renderTemplate, TemplateError } from "../core/template.ts";
import type { Executor, Job, JobEnd, KnownJob, Stopping } from "../process/executor.ts";
import { masked } from "../process/mask.ts";
import { isToolCall } from "../providers/running-tool.ts";
import { prepareAgent } from "../steps/agent.ts";
import { prepareCommand } from "../steps/command.ts";
import { type Environment, newCookie } from "../steps/environment.ts";
import { declaresInputs } from "../steps/input-key.ts";
import { type AttemptContext, PreparationError, type Prepared } from "../steps/prepare.ts";
import { pathsOf, runScope, stepScope } from "../steps/scope.ts";
import { ATTEMPT_FILES, attemptDir } from "../store/layout.ts";
import { lastLine } from "../system/last-line.ts";
import type { Answering } from "./answers.ts";
import type { LiveAttempt } from "./attempts.ts";
import type { DriveGroup } from "./drive-group.ts";
import { failAtOnce } from "./fail-at-once.ts";
import { startForeach } from "./foreach.ts";
import { closeGate, startGate } from "./gates.ts";
import { makeAttempt } from "./make-attempt.ts";
import type { NestedRuns } from "./nested-runs.ts";
import { sizeOf } from "./record-end.ts";
import type { Begun, Reuse } from "./reuse.ts";
import type { Session } from "./session.ts";

export interface PerformerParts {
  readonly session: Session;
  readonly executor: Executor;
  readonly environment: Environment;
  /** Cookies of the runs this one is a step of. */
  readonly outerCookie: string | undefined;
  readonly group: DriveGroup;
  readonly nested: NestedRuns;
  readonly reuse: Reuse;
  readonly answering: Answering;
  onEnd(live: LiveAttempt, end: JobEnd): void;
}

/** Turns actions into effects, and effects into journal lines. */
export class Performer {
  readonly #parts: PerformerParts;
  readonly #byJob = new Map<Job, LiveAttempt>();
  readonly #printed = new WeakMap<LiveAttempt, { bytes: number; since: number }>();
  /** Attempts whose job this engine waits for, by the index of the node. */
  readonly live = new Map<number, LiveAttempt & { readonly job: Job }>();

  constructor(parts: PerformerParts) {
    this.#parts = parts;
  }

  perform(action: Action): void {
    const { session } = this.#parts;
    switch (action.do) {
      case "start":
        this.#start(nodeAt(session.state, action.index), action.cause, action.whenError);
        break;
      case "foreach":
        startForeach(session, action.index, action.cause);
        break;
      case "resume":
        this.#parts.nested.resume(action.index);
        break;
      case "skip":
        session.record({
          event: "step_skipped",
          ...placeOf(nodeAt(session.state, action.index)),
          because: action.because,
        });
        break;
      case "stop":
        this.#stop(action.index, action.because);
        break;
      case "schedule_retry":
        session.record({
          event: "retry_scheduled",
          ...placeOf(nodeAt(session.state, action.index)),
          attempt: action.attempt,
          because: action.because,
          volatile: { notBefore: new Date(action.notBefore).toISOString() },
        });
        break;
      case "transition":
        session.record({ event: "transition", from: action.from, to: action.to, because: action.because });
        break;
      case "wait": {
        const { reason, until } = action;
        const volatile = until === undefined ? {} : { volatile: { until: new Date(until).toISOString() } };
        session.record({ event: "run_waiting", reason, ...volatile });
        break;
      }
      case "finally": {
        const { status, reason } = action;
        session.record({ event: "finally_started", status, ...(reason && { reason }) });
        break;
      }
      case "end":
        this.#end(action);
        break;
      default:
        action satisfies never;
    }
  }

  /** An attempt of an earlier engine that still runs. */
  adopt(live: LiveAttempt, known: KnownJob): void {
    this.#wait(live, this.#parts.executor.adopt(known));
  }

  /** What the executor calls when a job has ended. */
  jobEnded(job: Job, end: JobEnd): void {
    const live = this.#byJob.get(job);
    this.#byJob.delete(job);
    if (live) this.#parts.onEnd(live, end);
  }

  /** The process of an attempt is gone; what it left is looked at next. */
  ended(live: LiveAttempt): void {
    if (this.live.delete(live.index)) this.#parts.group.freeRoom();
  }

  /** When a running step was last seen to print something; milliseconds since 1970. */
  quietSince(index: number): number {
    const { session } = this.#parts;
    const live = this.live.get(index);
    const now = session.clock.now();
    if (!live) return now;
    const dir = attemptDir(session.places.runDir, live);
    const printed = sizeOf(join(dir, ATTEMPT_FILES.stdout)) + sizeOf(join(dir, ATTEMPT_FILES.stderr));
    const last = this.#printed.get(live);
    if (last?.bytes === printed && !this.#runsTool(live, now - last.since)) return last.since;
    this.#printed.set(live, { bytes: printed, since: now });
    return now;
  }

  /** Looked at only when the silence has lasted: an agent's client may be waiting for a tool. */
  #runsTool(live: LiveAttempt, quietMs: number): boolean {
    const { state, places } = this.#parts.session;
    const { step } = nodeAt(state, live.index);
    if (!("agent" in step) || quietMs < (step.idleTimeoutMs ?? Number.POSITIVE_INFINITY)) return false;
    return isToolCall(lastLine(join(attemptDir(places.runDir, live), ATTEMPT_FILES.stdout)));
  }

  /** The second signal: what is being stopped gets no more grace. */
  killAll(): void {
    for (const live of this.live.values()) live.stop?.killNow();
  }

  #wait(live: LiveAttempt, job: Job): void {
    const waiting = Object.assign(live, { job });
    this.live.set(live.index, waiting);
    this.#byJob.set(job, waiting);
    this.#parts.group.takeRoom();
  }

  #start(node: StepNode, cause: AttemptCause, whenError: string | undefined): void {
    const { session, executor, environment, outerCookie, group, nested, answering } = this.#parts;
    const { state, places } = session;
    const name = { ...placeOf(node), attempt: node.attempts + 1 };
    const { attempt } = name;
    const dir = attemptDir(places.runDir, name);
    if (whenError !== undefined) {
      group.countAttempt();
      failAtOnce(session, node, attempt, cause, { code: "WHEN_ERROR", message: `when: ${whenError}` });
      return;
    }
    if (node.step.type === "workflow") {
      // The attempts in it count, and not it.
      nested.start(node, node.step, cause);
      return;
    }
    if (node.step.type === "approval") {
      group.countAttempt();
      startGate(session, node, node.step, cause, answering);
      return;
    }
    const cookie = newCookie(state.runId, name, outerCookie);
    let command: Prepared;
    let notAnswered: string | undefined;
    try {
      const begun = this.#beginInputs(node, cause);
      if (begun === "later" || begun === "taken") return;
      const found = answering.find(node, begun?.files);
      if (found && "record" in found) {
        if (answering.take(node, cause, found, begun)) group.countAttempt();
        return;
      }
      notAnswered = found?.because;
      command = prepare({ state, places, node, step: node.step, attempt, dir, base: environment, cookie });
      if (begun !== null) command = withFile(command, ATTEMPT_FILES.inputs, begun.text);
    } catch (error) {
      if (!(error instanceof PreparationError)) throw error;
      group.countAttempt();
      failAtOnce(session, node, attempt, cause, error.failure);
      return;
    }
    const job = executor.reserve(cookie);
    if (job === null) return;
    makeAttempt(dir, command, node.step.workspaceMode === "attempt" ? command.cwd : null);
    group.countAttempt();
    const volatile = { process: job.reference, ...(notAnswered !== undefined && { notAnswered }) };
    session.record({ event: "attempt_started", ...name, cause, volatile });
    this.#launch({ index: node.index, ...name, adopted: false }, dir, job, command);
  }

  /** Null if the step declares nothing that it depends on. */
  #beginInputs(node: StepNode, cause: AttemptCause): Begun | null {
    const { step } = node;
    const { group, reuse } = this.#parts;
    if (step.type !== "command" || !declaresInputs(step)) return null;
    const begun = reuse.begin(node, step, cause);
    if (begun === "taken") group.countAttempt();
    return begun;
  }

  #launch(live: LiveAttempt, dir: string, job: Job, command: Prepared): void {
    const { session, executor, environment } = this.#parts;
    const { secrets } = session.places;
    this.#wait(live, job);
    const { cwd, stdin } = command;
    const { argv, env } = secrets.none ? command : masked(command, environment, [...secrets.values.values()]);
    executor.handOver(job, { attemptDir: dir, cwd, argv, env, ...(stdin !== undefined && { stdin }) });
    session.afterCommit(() => executor.open(job));
  }

  #stop(index: number, because: StopReason): void {
    const { session, executor, nested } = this.#parts;
    const node = nodeAt(session.state, index);
    if (node.step.type === "workflow") {
      nested.stop(index, because);
      return;
    }
    if (node.state.status === "waiting") {
      closeGate(session, index, because);
      return;
    }
    const live = this.live.get(index);
    if (!live || live.stop || executor.hasExited(live.job)) return;
    let stopping: Stopping | undefined;
    let inHaste = false;
    live.stop = {
      because,
      killNow: () => {
        inHaste = true;
        stopping?.killNow();
      },
    };
    const { attempt } = live;
    session.record({ event: "attempt_stopping", ...placeOf(node), attempt, because });
    session.afterCommit(() => {
      stopping = executor.stop(live.job, { graceMs: GRACE_MS });
      if (inHaste) stopping.killNow();
    });
  }

  #end(action: Action & { do: "end" }): void {
    const { session } = this.#parts;
    const { status, reason } = action;
    const outputs = status === "succeeded" ? this.#outputs() : {};
    if (outputs instanceof TemplateError) {
      const failure = { code: "RUN_OUTPUT_ERROR", message: `the run's outputs: ${outputs.message}` };
      session.record({ event: "run_ended", status: "failed", reason: failure, outputs: {} });
    } else session.record({ event: "run_ended", status, ...(reason && { reason }), outputs });
  }

  #outputs(): Record<string, Json> | TemplateError {
    const { state, places } = this.#parts.session;
    const templates = Object.entries(state.workflow.outputs);
    const named = [...pathsOf(templates.map(([, template]) => template))].flatMap(
      ({ segments }) => segments[1] ?? [],
    );
    // Artifacts by their path in the run: an absolute one would differ from place to place.
    const scope = { ...runScope(state, places), steps: stepScope(state, { ...places, runDir: "" }, named) };
    try {
      return Object.fromEntries(templates.map(([name, template]) => [name, renderTemplate(template, scope)]));
    } catch (error) {
      if (error instanceof TemplateError) return error;
      throw error;
    }
  }
}

function withFile(command: Prepared, name: string, text: string): Prepared {
  return { ...command, files: new Map([...command.files, [name, text]]) };
}

function prepare(context: AttemptContext): Prepared {
  const { step } = context;
  switch (step.type) {
    case "command":
      return prepareCommand({ ...context, step });
    case "agent_task":
    case "agent_review":
      return prepareAgent({ ...context, step });
    case "approval":
    case "workflow":
      throw new Error(`a step of the type ${step.type} has no process`);
    default:
      return step satisfies never;
  }
}
