/* Small workflows, and records of them that no engine made: every outcome comes from a tape of numbers. */
import { decide } from "../../src/core/decide.ts";
import type { AttemptRecord, JournalLine, RunEvent } from "../../src/core/event.ts";
import { evaluate } from "../../src/core/expression.ts";
import { fold } from "../../src/core/fold.ts";
import { nestedRunId } from "../../src/core/ids.ts";
import { initialState } from "../../src/core/initial-state.ts";
import type { Json, JsonObject } from "../../src/core/json.ts";
import { nodeAt, placeOf, type RunState } from "../../src/core/state.ts";
import type { Workflow } from "../../src/core/workflow.ts";
import { loadWorkflow } from "../../src/language/load.ts";
import type { CanonFile } from "../../src/review/canon-form.ts";
import { ordered, orderOf } from "../../src/review/canon-order.ts";
import { type Replayed, replayOn } from "../../src/review/replay.ts";
import { recordedDefinition } from "../../src/review/replay-definition.ts";
import { type Recorded, readRecorded } from "../../src/review/replay-record.ts";
import { attemptPath } from "../../src/store/layout.ts";

/** A step in short; the order of its lines in the file is that of the keys. */
export interface Drawn {
  readonly id: string;
  readonly run: string;
  readonly needs?: readonly string[];
  readonly when?: string;
  readonly retry?: number;
  readonly allowFailure?: boolean;
  readonly next?: string;
  /** A gate: where a rejection leads. */
  readonly onReject?: string;
  /** The items that it is done for. */
  readonly foreach?: readonly number[];
  /** It runs this workflow, a file of its own, instead of a script. */
  readonly nested?: DrawnWorkflow;
}

export interface DrawnWorkflow {
  readonly steps: readonly Drawn[];
  readonly flags: readonly boolean[];
  readonly keepGoing: boolean;
}

/** The file of the workflow that a step runs. */
export const fileOf = (step: string) => `${step}.yaml`;

/** One key a line. */
export function yamlOf({ steps, flags, keepGoing }: DrawnWorkflow): string {
  const isGraph = steps.some(({ needs }) => needs);
  const lines = [
    "id: drawn",
    "inputs:",
    ...flags.map((flag, n) => `  f${n}: { type: boolean, default: ${flag} }`),
  ];
  lines.push("limits:", "  max_total_iterations: 25");
  if (isGraph && keepGoing) lines.push("on_failure: continue");
  lines.push("steps:");
  for (const step of steps) {
    lines.push(`  - id: ${step.id}`);
    if (step.needs) lines.push(`    needs: [${step.needs.join(", ")}]`);
    if (step.when !== undefined) lines.push(`    when: '${step.when}'`);
    if (step.foreach) lines.push(`    foreach: [${step.foreach.join(", ")}]`);
    if (step.nested) {
      const given = flags.map((_, n) => `f${n}: '{{inputs.f${n}}}'`);
      lines.push(`    workflow: ${fileOf(step.id)}`, `    with: { ${given.join(", ")} }`);
    } else lines.push(`    run: ${step.run}`);
    if (step.retry !== undefined) lines.push(`    retry: { max: ${step.retry}, delay: 1s }`);
    if (step.allowFailure) lines.push("    allow_failure: true");
    if (step.next !== undefined) lines.push(`    next: ${step.next}`);
    if (step.onReject !== undefined) lines.push(`    on_reject: ${step.onReject}`);
  }
  return `${lines.join("\n")}\n`;
}

/** Of a key of a step, or of the step itself; from 1. */
export function lineOf(yaml: string, step: string, key?: string): number {
  const lines = yaml.split("\n");
  const at = lines.indexOf(`  - id: ${step}`);
  if (key === undefined) return at + 1;
  const end = lines.findIndex((line, index) => index > at && line.startsWith("  - id: "));
  const found = lines.findIndex(
    (line, index) => index > at && (end < 0 || index < end) && line.startsWith(`    ${key}:`),
  );
  return found < 0 ? at + 1 : found + 1;
}

/** The files of the workflows that its steps run, by name. */
export function filesOf({ steps }: DrawnWorkflow): Map<string, string> {
  return new Map(
    steps.flatMap(({ id, nested }) => (nested ? [[fileOf(id), yamlOf(nested)], ...filesOf(nested)] : [])),
  );
}

export function parse(drawn: DrawnWorkflow): Workflow {
  const files = filesOf(drawn);
  const readFile = (name: string) => {
    const text = files.get(name);
    return text === undefined ? null : Buffer.from(text);
  };
  const loaded = loadWorkflow({ path: "drawn.yaml", bytes: Buffer.from(yamlOf(drawn)), readFile });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.workflow;
}

const AT = "2026-01-01T00:00:00.000Z";

/** They count for nothing, so that a run might never end. */
const MAX_CUT_OFF = 4;

/** Numbers that decide what comes of all that is tried. */
class Tape {
  readonly #numbers: readonly number[];
  #at = 0;

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers;
  }

  draw(below: number): number {
    return (this.#numbers[this.#at++ % this.#numbers.length] ?? 0) % below;
  }
}

class Simulation {
  readonly lines: JournalLine[] = [];
  readonly files: CanonFile[] = [];
  readonly state: RunState;
  readonly #tape: Tape;
  /** By the folder of the attempt. */
  readonly #nested = new Map<string, Simulation>();
  #cutOff = 0;

  constructor(workflow: Workflow, tape: Tape) {
    this.state = initialState(workflow);
    this.#tape = tape;
  }

  run(inputs: JsonObject, parent?: { step: string; item?: number; attempt: number }): void {
    const { workflow } = this.state;
    this.#say({
      event: "run_created",
      format: "wf.run/1",
      workflow: { id: workflow.id, file: "workflow.yaml", sha256: "0", source: "project:drawn.yaml" },
      ...(parent && { parent }),
      inputs,
      limits: { max_total_iterations: workflow.limits.maxTotalIterations },
      options: { durability: "power" },
      volatile: { project: "/p" },
    });
    this.#engine("start");
    const slots = 1 + this.#draw(3);
    while (this.state.status === "running") {
      const actions = decide(this.state, {
        now: Date.parse(AT),
        slots: workflow.shape === "sequence" ? 1 : slots - this.state.running.size,
        signal: null,
        when: ({ step, item }) => {
          const scope = { inputs, steps: this.#steps(), workflow: {}, env: {}, item: item?.value ?? null };
          return step.when ? { is: evaluate(step.when, scope) } : { is: true };
        },
      });
      const before = this.state.seq;
      for (const action of actions) this.#perform(action);
      if (this.state.seq === before || this.#draw(3) === 0) this.#endOne();
    }
  }

  #perform(action: ReturnType<typeof decide>[number]): void {
    const place = "index" in action ? placeOf(nodeAt(this.state, action.index)) : { step: "" };
    switch (action.do) {
      case "start": {
        const { attempts, step: of } = nodeAt(this.state, action.index);
        const name = { ...place, attempt: attempts + 1 };
        const folder = attemptPath(name);
        if (of.type === "command") {
          this.files.push({ path: `${folder}/script.sh`, text: `${of.script.text}\n` });
        }
        this.#say({ event: "attempt_started", ...name, cause: action.cause });
        if (of.type !== "workflow") return;
        const nested = new Simulation(of.definition.workflow, this.#tape);
        nested.run(this.state.inputs, name);
        this.#nested.set(folder, nested);
        const prefix = `${folder}/run/`;
        this.files.push(...nested.form(nestedRunId(RUN_ID, name)).map((file) => within(prefix, file)));
        return;
      }
      case "foreach": {
        const { foreach } = nodeAt(this.state, action.index).step;
        const items = (foreach && "literal" in foreach ? foreach.literal : []) as readonly Json[];
        this.#say({ event: "foreach_started", step: place.step, cause: action.cause, items });
        return;
      }
      case "skip":
        this.#say({ event: "step_skipped", ...place, because: action.because });
        return;
      case "schedule_retry": {
        const { attempt, because } = action;
        this.#say({ event: "retry_scheduled", ...place, attempt, because, volatile: { notBefore: AT } });
        return;
      }
      case "transition":
        this.#say({ event: "transition", from: action.from, to: action.to, because: action.because });
        return;
      case "end": {
        const { status, reason } = action;
        this.#say({ event: "run_ended", status, ...(reason && { reason }), outputs: {} });
        return;
      }
      default:
        throw new Error(`a drawn workflow does not ${action.do}`);
    }
  }

  /** One of those that run ends; one in eight is cut off, with its engine. */
  #endOne(): void {
    const running = [...this.state.running];
    if (running.length === 0) return;
    const index = running[this.#draw(running.length)] as number;
    const node = nodeAt(this.state, index);
    const { step, attempts } = node;
    const name = { ...placeOf(node), attempt: attempts };
    const nested = this.#nested.get(attemptPath(name));
    const isCutOff = !nested && this.#draw(8) === 0 && this.#cutOff < MAX_CUT_OFF;
    if (isCutOff) {
      this.#cutOff += 1;
      this.#engine("resume");
    }
    const fails = nested ? nested.state.status !== "succeeded" : this.#draw(3) === 0;
    const rejects = this.#draw(2) === 0;
    const base = { ...name, cause: "first" as const };
    const error = { code: nested ? "NESTED_FAILED" : "EXIT_STATUS", message: "it failed" };
    const decision = rejects ? ("reject" as const) : ("approve" as const);
    const record: AttemptRecord = isCutOff
      ? { ...base, status: "interrupted", outputs: {} }
      : fails
        ? { ...base, status: "failed", exitCode: 1, error, outputs: {} }
        : { ...base, status: "succeeded", exitCode: 0, outputs: {}, ...(step.gate && { decision }) };
    const volatile = { startedAt: AT, endedAt: AT, stdoutBytes: 0, stderrBytes: 0 };
    this.#say({ event: "attempt_ended", record, volatile });
  }

  #steps() {
    return Object.fromEntries(
      this.state.steps.map(({ step, state: { status } }) => [step.id, { status, outputs: {} }]),
    );
  }

  #engine(how: "start" | "resume"): void {
    const volatile = { pid: 1, host: "h", machineId: "m", pidNamespace: "", project: "/p" };
    this.#say({ event: "engine_started", how, version: "0", volatile });
  }

  #say(event: RunEvent): void {
    const line = { seq: this.state.seq + 1, at: AT, epoch: 1, run: "r", ...event } as JournalLine;
    fold(this.state, line);
    this.lines.push(line);
  }

  #draw(below: number): number {
    return this.#tape.draw(below);
  }

  /** Its canonical form, but for the definition. */
  form(runId: string): CanonFile[] {
    const { workflow, status } = this.state;
    const lines = ordered(this.lines, orderOf(workflow.shape, workflow.steps));
    const journal = lines.map((line) => {
      const { seq: _, at: __, epoch: ___, run: ____, ...event } = line;
      const { volatile: _____, ...rest } = event as typeof event & { volatile?: object };
      return `${JSON.stringify(rest)}\n`;
    });
    return [
      { path: "run.json", text: JSON.stringify({ runId, status }) },
      { path: "progress.ndjson", text: journal.join("") },
      ...this.files,
    ];
  }
}

const RUN_ID = "<run-id>";

function within(folder: string, { path, text }: CanonFile): CanonFile {
  return { path: `${folder}${path}`, text };
}

function definitionFiles(drawn: DrawnWorkflow): CanonFile[] {
  const nested = [...filesOf(drawn)].map(([path, text]) => ({ path: `workflows/${path}`, text }));
  return [{ path: "workflow.yaml", text: yamlOf(drawn) }, ...nested];
}

/** The canonical form of a run of it that never was. */
export function record(drawn: DrawnWorkflow, tape: readonly number[]): Recorded {
  const simulation = new Simulation(parse(drawn), new Tape(tape));
  simulation.run(Object.fromEntries(drawn.flags.map((flag, n) => [`f${n}`, flag])));
  return readRecorded([...simulation.form(RUN_ID), ...definitionFiles(drawn)], "recorded");
}

/** Replays a record on its own definition, or on another one. */
export async function replayOf(recorded: Recorded, changed?: DrawnWorkflow): Promise<Replayed> {
  const before = recordedDefinition(recorded, "recorded");
  const files = new Map(recorded.files);
  for (const { path, text } of changed ? definitionFiles(changed) : []) files.set(path, text);
  const present = changed === undefined ? before : recordedDefinition({ ...recorded, files }, "changed");
  return await replayOn(recorded, { present, before, folder: "/nowhere" });
}
