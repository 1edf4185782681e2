import { placeName } from "../../core/ids.ts";
import type { RootCause } from "../../review/root-cause.ts";
import type { RunTree } from "../../review/tree.ts";
import type { CurrentView } from "../../review/view.ts";
import type { MadeDecision } from "../decisions.ts";
import { displayPath } from "../find-run.ts";
import type { OpenGate } from "../gates.ts";
import type { RunName } from "../run-name.ts";
import { needsResume, resumeCommand } from "./commands.ts";
import { decisionLines } from "./decisions.ts";
import { ancestryText } from "./event.ts";
import { gateLines, openGateJson } from "./gate.ts";
import { inputLines, inputShape, openInputs } from "./inputs.ts";
import { livenessJson, livenessText } from "./liveness.ts";
import { poolsOf, poolsText } from "./pools.ts";
import { stepTable } from "./steps.ts";
import { stepsJson } from "./steps-json.ts";
import { colors, paintStatus } from "./style.ts";
import { rootJson } from "./summary.ts";
import { afterStatus, between, indent, localTime, oneLine, shellWord } from "./text.ts";
import { usageText } from "./usage.ts";

/** What there is to say of a run beside its record. */
export interface StatusDetails {
  /** What it is called in the commands that are printed. */
  readonly name: RunName;
  readonly withInputs: boolean;
  readonly tree: RunTree;
  readonly root: RootCause | null;
  readonly gates: readonly OpenGate[];
  readonly decisions: readonly MadeDecision[];
}

export function statusText(view: CurrentView, details: StatusDetails): string {
  const { record } = view;
  const { tree, name } = details;
  const { source } = record.workflow;
  const { usage, waitingUntil, forkedFrom } = record.volatile;
  const pools = poolsText(tree);
  const lines = [
    field("run", record.runId),
    ...(name.within === "" ? [] : [field("part of", `run ${name.run}: it is the run of ${name.within}`)]),
    field("workflow", `${record.workflow.id}   ${colors().dim(source)}`),
    ...(forkedFrom === undefined ? [] : [field("fork of", ancestryText(forkedFrom))]),
    field("status", headline(view, details)),
    ...(waitingUntil === undefined ? [] : [field("until", localTime(waitingUntil))]),
    field("started", started(view)),
    field("engine", livenessText(view.liveness)),
    field("folder", displayPath(view.runDir)),
    ...(pools === null ? [] : [field("pools", pools)]),
    ...(usage === undefined ? [] : [field("used", usageText(usage))]),
    field("next", nextAction(view)),
    field("inputs", inputLines(record.inputs, details.withInputs).join(`\n${" ".repeat(INDENT)}`)),
    "",
    ...stepTable(tree, name.run),
  ];
  for (const gate of details.gates) lines.push("", ...gateLines(gate, name.run));
  if (details.decisions.length > 0) lines.push("", ...decisionLines(details.decisions));
  if (Object.keys(record.outputs).length > 0) {
    lines.push("", "outputs:");
    for (const [name, value] of Object.entries(record.outputs))
      lines.push(`  ${name} = ${oneLine(JSON.stringify(value))}`);
  }
  for (const note of view.notes) lines.push("", `note: ${note}`);
  const advice = whatToDo(view, details);
  if (advice.length > 0) lines.push("", ...advice);
  return lines.join("\n");
}

const INDENT = 10;

export function field(name: string, value: string): string {
  return `${colors().dim(name.padEnd(INDENT))}${value}`;
}

/** `failed: publish failed on attempt 1: exit status 1   [EXIT_STATUS]`. */
function headline({ record, interrupted }: CurrentView, { root }: StatusDetails): string {
  if (interrupted) return `${paintStatus("interrupted")}: it was cut off, nobody drives it`;
  const { status, reason } = record;
  if (reason === null) return paintStatus(status);
  const { code, message } = root ?? reason;
  return `${paintStatus(status)}: ${afterStatus(status, message)}   ${colors().dim(`[${code}]`)}`;
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
    ? `wf resume settles attempt ${first.attempt} of ${placeName(first)}, then goes on`
    : `wf resume goes on with ${placeName(first)}`;
}

function whatToDo(view: CurrentView, { name, gates, root }: StatusDetails): string[] {
  const { reason } = view.record;
  const run = shellWord(name.run);
  const lines: string[] = [];
  const hint = (root ?? reason)?.hint;
  if (hint !== undefined && gates.length === 0) lines.push(indent(`hint:    ${oneLine(hint)}`, ""));
  if (root !== null) lines.push(`logs:    wf logs ${run} ${shellWord(root.name)}`);
  // A nested run is driven by the engine of the run around it.
  if (name.within !== "") return [...lines, `around:  wf status ${run}`];
  const resume = resumeCommand(view, name.run);
  if (resume !== null && needsResume(reason?.code, gates)) lines.push(`resume:  ${resume}`);
  if (view.liveness.state === "driven")
    lines.push(`follow:  wf progress ${run} --follow`, `stop:    wf cancel ${run}`);
  return lines;
}

/** Described by `schemas/cli/status.schema.json`. */
export function statusJson(view: CurrentView, details: StatusDetails): object {
  const { record } = view;
  const { name, tree, gates, root } = details;
  const { createdAt, startedAt, updatedAt, endedAt, usage, waitingUntil, forkedFrom } = record.volatile;
  return {
    runId: record.runId,
    runDir: view.runDir,
    within: name.within === "" ? null : name.within,
    legacy: false,
    workflow: record.workflow,
    status: record.status,
    interrupted: view.interrupted,
    reason: record.reason,
    rootCause: rootJson(root),
    liveness: livenessJson(view.liveness),
    pointer: record.pointer,
    nextExpectedAction: record.nextExpectedAction,
    steps: stepsJson(tree),
    pools: poolsOf(tree),
    gates: gates.map((gate) => openGateJson(gate, name.run)),
    decisions: details.decisions,
    usage: usage ?? null,
    waitingUntil: waitingUntil ?? null,
    forkedFrom: forkedFrom ?? null,
    inputShape: inputShape(record.inputs),
    inputs: details.withInputs ? openInputs(record.inputs) : null,
    outputs: record.outputs,
    iterations: record.iterations,
    createdAt,
    startedAt,
    updatedAt,
    endedAt,
    resume: name.within === "" ? resumeCommand(view, name.run) : null,
    notes: view.notes,
  };
}
