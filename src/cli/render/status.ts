import type { CurrentView } from "../../review/view.ts";
import type { MadeDecision } from "../decisions.ts";
import { displayPath } from "../find-run.ts";
import type { OpenGate } from "../gates.ts";
import { needsResume, resumeCommand } from "./commands.ts";
import { decisionLines } from "./decisions.ts";
import { ancestryText } from "./event.ts";
import { gateLines, openGateJson } from "./gate.ts";
import { inputLines, inputShape, openInputs } from "./inputs.ts";
import { livenessJson, livenessText } from "./liveness.ts";
import { type StepFacts, stepTable } from "./steps.ts";
import { colors, paintStatus } from "./style.ts";
import { afterStatus, between, indent, localTime, oneLine, shellWord } from "./text.ts";
import { usageText } from "./usage.ts";

export interface StatusOptions {
  /** What the run is called in the commands that are printed. */
  readonly name: string;
  readonly withInputs: boolean;
  readonly facts: StepFacts;
  readonly gates: readonly OpenGate[];
  readonly decisions: readonly MadeDecision[];
}

export function statusText(view: CurrentView, options: StatusOptions): string {
  const { record, interrupted } = view;
  const { source } = record.workflow;
  const { usage, waitingUntil, forkedFrom } = record.volatile;
  const lines = [
    field("run", record.runId),
    field("workflow", `${record.workflow.id}   ${colors().dim(source)}`),
    ...(forkedFrom === undefined ? [] : [field("fork of", ancestryText(forkedFrom))]),
    field("status", headline(view)),
    ...(waitingUntil === undefined ? [] : [field("until", localTime(waitingUntil))]),
    field("started", started(view)),
    field("engine", livenessText(view.liveness)),
    field("folder", displayPath(view.runDir)),
    ...(usage === undefined ? [] : [field("used", usageText(usage))]),
    field("next", nextAction(view)),
    field("inputs", inputLines(record.inputs, options.withInputs).join(`\n${" ".repeat(INDENT)}`)),
    "",
    ...stepTable(record, interrupted, options.facts),
  ];
  for (const gate of options.gates) lines.push("", ...gateLines(gate, view.runDir, options.name));
  if (options.decisions.length > 0) lines.push("", ...decisionLines(options.decisions));
  if (Object.keys(record.outputs).length > 0) {
    lines.push("", "outputs:");
    for (const [name, value] of Object.entries(record.outputs))
      lines.push(`  ${name} = ${oneLine(JSON.stringify(value))}`);
  }
  for (const note of view.notes) lines.push("", `note: ${note}`);
  const advice = whatToDo(view, options);
  if (advice.length > 0) lines.push("", ...advice);
  return lines.join("\n");
}

const INDENT = 10;

export function field(name: string, value: string): string {
  return `${colors().dim(name.padEnd(INDENT))}${value}`;
}

/** `failed: publish failed on attempt 1: exit status 1   [EXIT_STATUS]`. */
function headline({ record, interrupted }: CurrentView): string {
  if (interrupted) return `${paintStatus("interrupted")}: it was cut off, nobody drives it`;
  const { status, reason } = record;
  if (reason === null) return paintStatus(status);
  return `${paintStatus(status)}: ${afterStatus(status, reason.message)}   ${colors().dim(`[${reason.code}]`)}`;
}

function started({ record, interrupted }: CurrentView): string {
  const { startedAt, createdAt, updatedAt, endedAt } = record.volatile;
  if (startedAt === null) return createdAt === null ? "not yet" : `not yet; created ${localTime(createdAt)}`;
  const end = endedAt ?? (interrupted || record.status === "waiting" ? updatedAt : null);
  if (end === null) return localTime(startedAt);
  const word = endedAt === null ? "last event" : "ended";
  return `${localTime(startedAt)}, ${word} after ${between(startedAt, end)}`;
}

function nextAction({ record, interrupted }: CurrentView): string {
  if (!interrupted) return oneLine(record.nextExpectedAction);
  const [first] = record.pointer;
  if (first === undefined) return "wf resume ends the run";
  return first.state === "running"
    ? `wf resume settles attempt ${first.attempt} of ${first.step}, then goes on`
    : `wf resume goes on with ${first.step}`;
}

function whatToDo(view: CurrentView, { name, gates }: StatusOptions): string[] {
  const { reason, status } = view.record;
  const run = shellWord(name);
  const lines: string[] = [];
  if (reason?.hint !== undefined && gates.length === 0)
    lines.push(indent(`hint:    ${oneLine(reason.hint)}`, ""));
  if (status === "failed" && reason?.step !== undefined)
    lines.push(`logs:    wf logs ${run} ${shellWord(reason.step)}`);
  const resume = resumeCommand(view, name);
  if (resume !== null && needsResume(reason?.code, gates)) lines.push(`resume:  ${resume}`);
  if (view.liveness.state === "driven")
    lines.push(`follow:  wf progress ${run} --follow`, `stop:    wf cancel ${run}`);
  return lines;
}

/** Described by `schemas/cli/status.schema.json`. */
export function statusJson(view: CurrentView, options: StatusOptions): object {
  const { record } = view;
  const { createdAt, startedAt, updatedAt, endedAt } = record.volatile;
  const { usage, waitingUntil, forkedFrom, reused } = record.volatile;
  const { allowed, atEnd } = options.facts;
  return {
    runId: record.runId,
    runDir: view.runDir,
    legacy: false,
    workflow: record.workflow,
    status: record.status,
    interrupted: view.interrupted,
    reason: record.reason,
    liveness: livenessJson(view.liveness),
    pointer: record.pointer,
    nextExpectedAction: record.nextExpectedAction,
    steps: Object.fromEntries(
      Object.entries(record.steps).map(([id, step]) => [
        id,
        {
          ...step,
          ...(atEnd.has(id) && { finally: true }),
          ...(reused?.[id] !== undefined && { reused: reused[id] }),
          attemptsAllowed: allowed.get(id) ?? null,
        },
      ]),
    ),
    gates: options.gates.map((gate) => openGateJson(gate, view.runDir, options.name)),
    decisions: options.decisions,
    usage: usage ?? null,
    waitingUntil: waitingUntil ?? null,
    forkedFrom: forkedFrom ?? null,
    inputShape: inputShape(record.inputs),
    inputs: options.withInputs ? openInputs(record.inputs) : null,
    outputs: record.outputs,
    iterations: record.iterations,
    createdAt,
    startedAt,
    updatedAt,
    endedAt,
    resume: resumeCommand(view, options.name),
    notes: view.notes,
  };
}
