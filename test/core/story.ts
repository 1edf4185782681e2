import assert from "node:assert/strict";
import type { Action, Situation } from "../../src/core/action.ts";
import { decide } from "../../src/core/decide.ts";
import type {
  AttemptRecord,
  AttemptStatus,
  Decision,
  JournalLine,
  RunEvent,
  Usage,
} from "../../src/core/event.ts";
import { foldAll } from "../../src/core/fold.ts";
import { placeName } from "../../src/core/ids.ts";
import type { Json } from "../../src/core/json.ts";
import { toRecord } from "../../src/core/record.ts";
import { nodeAt, nodeOf, placeOf, type RunState } from "../../src/core/state.ts";
import type { CommandStep, Step, Target, Workflow } from "../../src/core/workflow.ts";

/** A step in short: what a test says of it, and defaults for the rest. */
export type Short = Partial<Omit<CommandStep, "type" | "needs" | "next" | "when" | "gate">> & {
  /** An approval shows this. */
  message?: string;
  onApprove?: string;
  onReject?: string;
  gate?: true;
  id: string;
  needs?: string[];
  next?: string;
  when?: string;
};

export function workflow(
  shape: Workflow["shape"],
  shorts: Short[],
  more: Partial<Workflow> & { finally?: Short[] } = {},
): Workflow {
  const { finally: last = [], ...rest } = more;
  const all = [...shorts, ...last];
  const indexOf = new Map(all.map(({ id }, index) => [id, index]));
  const target = (name: string): Target => {
    const index = indexOf.get(name);
    return index === undefined ? { to: name as "done" | "fail" } : { to: "step", index };
  };
  const steps = all.map(
    ({ needs = [], next, when, message, onApprove, onReject, gate, ...short }, index): Step => {
      const isGate = gate || message !== undefined || onApprove !== undefined || onReject !== undefined;
      const common = {
        index,
        needs: needs.map((need) => indexOf.get(need) as number),
        env: {},
        workspaceMode: "project" as const,
        retry: { max: 0, delayMs: 0, backoff: 1, maxDelayMs: 60_000 },
        outputs: [],
        pools: {},
        onInterrupt: "rerun" as const,
        allowFailure: false,
        ...(when !== undefined && { when: { source: when } }),
        ...(next !== undefined && { next: target(next) }),
        ...(isGate && {
          gate: {
            ...(onApprove !== undefined && { onApprove: target(onApprove) }),
            ...(onReject !== undefined && { onReject: target(onReject) }),
          },
        }),
      };
      if (message !== undefined) {
        return { ...common, ...short, type: "approval", message: { source: message, parts: [message] } };
      }
      const command = { shell: ["sh", "-e"], script: { text: "true\n", variables: [] } };
      return { ...common, type: "command", ...command, cache: false, ...short };
    },
  );
  const limits = { maxTotalIterations: 100, budget: {} };
  return {
    id: "w",
    tags: [],
    shape,
    inputs: [],
    env: {},
    limits,
    onFailure: "stop",
    redact: [],
    pools: {},
    steps,
    mainSteps: shorts.length,
    outputs: {},
    ...rest,
  };
}

export const chain = (...ids: string[]) =>
  workflow(
    "sequence",
    ids.map((id) => ({ id })),
  );

const T0 = Date.parse("2026-01-01T00:00:00.000Z");

/** A run told line by line; every line is folded, and `decide` is asked what it makes of it. */
export class Story {
  readonly workflow: Workflow;
  readonly lines: JournalLine[] = [];
  /** Milliseconds since the story began. */
  time = 0;
  epoch = 1;

  constructor(
    told: Workflow,
    limits: Partial<{ max_total_iterations: number; run_timeout_ms: number }> = {},
  ) {
    this.workflow = told;
    this.say({
      event: "run_created",
      format: "wf.run/1",
      workflow: { id: told.id, file: "workflow.yaml", sha256: "0", source: "project:w.yaml" },
      inputs: {},
      limits: { max_total_iterations: told.limits.maxTotalIterations, ...limits },
      options: { durability: "power" },
      volatile: { project: "/p" },
    });
    this.engine("start");
  }

  say(event: RunEvent): this {
    const at = new Date(T0 + this.time).toISOString();
    this.lines.push({ seq: this.lines.length + 1, at, epoch: this.epoch, run: "r", ...event } as JournalLine);
    return this;
  }

  engine(how: "start" | "resume" | "next", more: { from?: string; limits?: object } = {}): this {
    if (how !== "start") this.epoch += 1;
    const volatile = { pid: 1, host: "h", machineId: "m", pidNamespace: "n", project: "/p" };
    return this.say({ event: "engine_started", how, version: "0", ...more, volatile });
  }

  /** Freezes the list of a `foreach`. */
  listed(step: string, items: readonly Json[]): this {
    const { index } = nodeOf(this.state, step);
    const action = this.decide().find((each) => each.do === "foreach" && each.index === index);
    assert.ok(action?.do === "foreach", `${step} may not start now: ${JSON.stringify(this.decide())}`);
    return this.say({ event: "foreach_started", step, cause: action.cause, items });
  }

  /** `name`: a step, or an item of one: `fan/item-0`. */
  started(name: string): this {
    const place = placeNamed(name);
    const node = nodeOf(this.state, place.step, place.item);
    const action = this.decide().find((each) => each.do === "start" && each.index === node.index);
    assert.ok(action?.do === "start", `${name} may not start now: ${JSON.stringify(this.decide())}`);
    const identity = { pid: 2, startTime: "0", bootId: "b", cookie: name };
    return this.say({
      event: "attempt_started",
      ...place,
      attempt: node.attempts + 1,
      cause: action.cause,
      volatile: { process: identity },
    });
  }

  ended(
    name: string,
    status: AttemptStatus,
    code = "EXIT_STATUS",
    more: { decision?: Decision; outputs?: AttemptRecord["outputs"]; usage?: Usage; retryAt?: number } = {},
  ): this {
    const place = placeNamed(name);
    const node = nodeOf(this.state, place.step, place.item);
    const { decision, outputs = {}, usage, retryAt } = more;
    const record: AttemptRecord = {
      ...place,
      attempt: node.attempts,
      cause: "first",
      status,
      ...(status !== "succeeded" && { error: { code, message: code } }),
      outputs,
      ...(decision && { decision }),
    };
    const times = { startedAt: "", endedAt: "", stdoutBytes: 0, stderrBytes: 0 };
    const at = retryAt === undefined ? {} : { retryAt: new Date(T0 + retryAt).toISOString() };
    return this.say({
      event: "attempt_ended",
      record,
      volatile: { ...times, ...at, ...(usage && { usage }) },
    });
  }

  decided(step: string, decision: Decision, feedback = ""): this {
    return this.ended(step, "succeeded", "", { decision, outputs: { feedback: { value: feedback } } });
  }

  ran(step: string, status: AttemptStatus = "succeeded"): this {
    return this.started(step).ended(step, status);
  }

  /** Says what `decide` wants, as long as that needs no process. */
  settle(situation: Partial<Situation> = {}): this {
    for (;;) {
      const isSaid = ({ do: what }: Action) => what !== "start" && what !== "stop" && what !== "foreach";
      const action = this.decide(situation).find(isSaid);
      if (!action) return this;
      this.say(asEvent(this.state, action));
    }
  }

  get state(): RunState {
    return foldAll(this.workflow, this.lines);
  }

  get record() {
    return toRecord(this.state, 0);
  }

  decide(situation: Partial<Situation> = {}): Action[] {
    return decide(this.state, {
      now: T0 + this.time,
      slots: 8,
      signal: null,
      when: () => ({ is: true }),
      ...situation,
    });
  }

  /** In short: `start a (first)`, `skip b`, `end failed: EXIT_STATUS`. */
  next(situation: Partial<Situation> = {}): string[] {
    return this.decide(situation).map((action) => inShort(this.state, action));
  }
}

function placeNamed(name: string): { step: string; item?: number } {
  const [, step = name, item] = /^(.+)\/item-(\d+)$/.exec(name) ?? [];
  return item === undefined ? { step } : { step, item: Number(item) };
}

function asEvent(state: RunState, action: Action): RunEvent {
  const placeAt = (index: number) => placeOf(nodeAt(state, index));
  switch (action.do) {
    case "skip":
      return { event: "step_skipped", ...placeAt(action.index), because: action.because };
    case "schedule_retry": {
      const notBefore = new Date(action.notBefore).toISOString();
      const { attempt, because } = action;
      return {
        event: "retry_scheduled",
        ...placeAt(action.index),
        attempt,
        because,
        volatile: { notBefore },
      };
    }
    case "transition":
      return { event: "transition", from: action.from, to: action.to, because: action.because };
    case "wait": {
      const { reason, until } = action;
      const volatile = until === undefined ? {} : { volatile: { until: new Date(until).toISOString() } };
      return { event: "run_waiting", reason, ...volatile };
    }
    case "finally":
      return {
        event: "finally_started",
        status: action.status,
        ...(action.reason && { reason: action.reason }),
      };
    case "end":
      return {
        event: "run_ended",
        status: action.status,
        ...(action.reason && { reason: action.reason }),
        outputs: {},
      };
    case "foreach":
      throw new Error("needs a list");
    case "start":
    case "stop":
    case "resume":
      throw new Error("needs a process");
    default:
      return action satisfies never;
  }
}

function inShort(state: RunState, action: Action): string {
  const idOf = (index: number) => placeName(placeOf(nodeAt(state, index)));
  switch (action.do) {
    case "start":
      return `start ${idOf(action.index)} (${action.cause})`;
    case "foreach":
      return `foreach ${idOf(action.index)} (${action.cause})`;
    case "resume":
      return `resume ${idOf(action.index)}`;
    case "skip":
      return `skip ${idOf(action.index)}`;
    case "stop":
      return `stop ${idOf(action.index)}: ${action.because}`;
    case "schedule_retry":
      return `retry ${idOf(action.index)} at ${action.notBefore - T0}`;
    case "transition":
      return `${action.from} -> ${action.to}: ${action.because.code}`;
    case "wait":
      return `wait: ${action.reason.code}`;
    case "finally":
      return `finally after ${action.status}`;
    case "end":
      return action.reason ? `end ${action.status}: ${action.reason.code}` : `end ${action.status}`;
    default:
      return action satisfies never;
  }
}
