import { join } from "node:path";
import type { AttemptRecord, OutputValue, Usage } from "../../core/event.ts";
import { nameWithin } from "../../core/ids.ts";
import { isJsonObject, type Json, type JsonObject } from "../../core/json.ts";
import { outputJson } from "../../core/output-value.ts";
import type { AttemptView } from "../../review/attempt-view.ts";
import type { RunTree } from "../../review/tree.ts";
import type { GateRecord } from "../../steps/approval.ts";
import { ATTEMPT_FILES, attemptPath } from "../../store/layout.ts";
import type { MadeDecision } from "../decisions.ts";
import { displayPath } from "../find-run.ts";
import type { OpenGate } from "../gates.ts";
import type { RunName } from "../run-name.ts";
import { decisionText } from "./decisions.ts";
import { outcome, placeText } from "./event.ts";
import { gateLines, shownLines } from "./gate.ts";
import { shortValue } from "./inputs.ts";
import { lastLines } from "./log.ts";
import { field } from "./status.ts";
import { stepTable } from "./steps.ts";
import { runJson } from "./steps-json.ts";
import { colors, paintStatus } from "./style.ts";
import { between, bytes, indent, localTime, neutralize, oneLine } from "./text.ts";
import { attemptUsageText } from "./usage.ts";

const LOG_LINES = 10;

export interface AttemptDetails {
  readonly runDir: string;
  readonly view: AttemptView;
  /** Of a `foreach`: the item. */
  readonly value?: Json;
  /** Attempts of the step in all. */
  readonly attempts: number;
  /** What ran; null if it never got that far. */
  readonly script: string | null;
  /** What an agent was asked. */
  readonly prompt: string | null;
  /** `agent.json`, as it stands there. */
  readonly agent: JsonObject | null;
  readonly gate: GateRecord | null;
  readonly decision: MadeDecision | null;
  readonly usage: Usage | null;
  /** The gate, while it is open. */
  readonly asks: OpenGate | null;
  /** The run that the attempt is, if it is one. */
  readonly nested: RunTree | null;
  /** What the run is called in the commands that are printed. */
  readonly name: RunName;
  readonly interrupted: boolean;
}

export function attemptText(details: AttemptDetails): string {
  const { runDir, view, attempts, script, prompt, agent, usage } = details;
  const folder = attemptPath(view);
  const because = view.because === null ? "" : `: ${oneLine(view.because)}`;
  const lines = [
    field("step", nameWithin(details.name.within, view)),
    ...(details.value === undefined ? [] : [field("item", shortValue(details.value))]),
    field("attempt", `${view.attempt} of ${attempts}`),
    field("cause", `${view.cause}${because}`),
    field("status", statusText(details)),
    field("started", localTime(view.startedAt)),
    field("ended", view.endedAt === null ? "not yet" : localTime(view.endedAt)),
  ];
  if (details.decision !== null) lines.push(...decidedLines(details.decision));
  if (agent !== null) lines.push(...agentLines(agent));
  if (usage !== null) lines.push(field("used", attemptUsageText(usage)));
  if (view.record?.exitCode !== undefined) lines.push(field("exit", String(view.record.exitCode)));
  if (view.record?.signal !== undefined) lines.push(field("signal", `${view.record.signal}, sent by wf`));
  if (view.sharedWith !== null)
    lines.push(field("shared", `it ran in ${view.sharedWith}, which this run was forked from`));
  if (view.notAnswered !== null)
    lines.push(field("made", `the fixture does not answer it: ${oneLine(view.notAnswered)}`));
  if (view.adopted) lines.push(field("adopted", "it outlived its engine, and a later one took its result"));
  lines.push(field("then", view.next === null ? "not decided yet" : oneLine(view.next)));
  lines.push(field("folder", displayPath(join(runDir, folder))));
  lines.push(...errorLines(view.record), ...outputLines(view.record));
  lines.push(...gateText(details), ...nestedLines(details));
  for (const [file, text] of [
    [ATTEMPT_FILES.script, script],
    [ATTEMPT_FILES.prompt, prompt],
  ]) {
    if (text !== null) lines.push("", `${file}:`, indent(neutralize((text as string).trimEnd()), "  "));
  }
  for (const stream of ["stdout", "stderr"] as const) {
    const last = lastLines(join(runDir, folder, ATTEMPT_FILES[stream]), LOG_LINES);
    if (last.length === 0) continue;
    const size = view.logs?.[`${stream}Bytes`];
    const all = size === undefined ? "" : `, ${bytes(size)} in all`;
    lines.push("", `${ATTEMPT_FILES[stream]}${all}; the end of it:`, indent(last.join("\n"), "  "));
  }
  return lines.join("\n");
}

function statusText({ view, interrupted, asks, nested }: AttemptDetails): string {
  if (view.reusedFrom !== null) return `reused from ${placeText(view.reusedFrom)}`;
  if (view.record !== null) return outcome(view.record, between(view.startedAt, view.endedAt));
  if (asks !== null) return "waits for a decision";
  const reason = nested?.view.record.status === "waiting" ? nested.view.record.reason : null;
  if (reason !== null) return `its run waits: ${oneLine(reason.message)}`;
  if (interrupted) return "cut off: nobody drives the run; wf resume settles how it ended";
  return `running${view.pid === null ? "" : `, process ${view.pid}`}`;
}

function decidedLines(made: MadeDecision): string[] {
  const lines = [field("decision", `${decisionText(made)}, ${localTime(made.at)}`)];
  if (made.comment !== "") lines.push(field("comment", oneLine(made.comment)));
  return lines;
}

/** Whatever of it is there: the step itself may have written into its folder. */
function agentLines({ provider, model, permissions, denied, failure, volatile }: JsonObject): string[] {
  const used = isJsonObject(volatile) ? volatile.model : null;
  const own = typeof used === "string" ? `: ${used}` : "";
  const named = typeof model === "string" ? `, model ${model}` : `, the client's default model${own}`;
  const allowed = typeof permissions === "string" ? `, permissions ${permissions}` : "";
  const lines = [field("agent", oneLine(`${String(provider)}${named}${allowed}`))];
  if (Array.isArray(denied) && denied.length > 0) lines.push(field("denied", oneLine(denied.join(", "))));
  if (typeof failure === "string") lines.push(field("failure", oneLine(failure)));
  return lines;
}

/** What was shown; while it is open, how to decide as well. */
function gateText({ gate, asks, runDir, name }: AttemptDetails): string[] {
  if (asks !== null) return ["", ...gateLines(asks, name.run)];
  return gate === null ? [] : ["", `${ATTEMPT_FILES.gate}:`, ...shownLines({ gate, runDir })];
}

/** The steps of the run that the attempt is. */
function nestedLines({ nested, name }: AttemptDetails): string[] {
  if (nested === null) return [];
  const { workflow, status } = nested.view.record;
  return ["", `the workflow ${workflow.id}: ${paintStatus(status)}`, ...stepTable(nested, name.run)];
}

function errorLines(record: AttemptRecord | null): string[] {
  if (record?.error === undefined) return [];
  const { code, message, hint, details } = record.error;
  const lines = ["", `error: ${oneLine(message)}   ${colors().dim(`[${code}]`)}`];
  for (const [key, text] of Object.entries(details ?? {})) lines.push(`  ${key}: ${oneLine(text)}`);
  if (hint !== undefined) lines.push(`  hint: ${oneLine(hint)}`);
  return lines;
}

function outputLines(record: AttemptRecord | null): string[] {
  const outputs = Object.entries(record?.outputs ?? {});
  if (outputs.length === 0) return [];
  return ["", "outputs:", ...outputs.map(([key, value]) => `  ${key} = ${outputText(value)}`)];
}

function outputText(output: OutputValue): string {
  if ("file" in output) return `${output.file}, ${bytes(output.bytes)}, sha256 ${output.sha256}`;
  return shortValue(outputJson(output, ({ file }) => file));
}

/** Described by `schemas/cli/show.schema.json`. */
export function attemptJson(runId: string, details: AttemptDetails): object {
  const { view } = details;
  const folder = attemptPath(view);
  return {
    runId,
    name: nameWithin(details.name.within, view),
    step: view.step,
    ...(view.item !== undefined && { item: view.item, value: details.value ?? null }),
    attempt: view.attempt,
    attempts: details.attempts,
    cause: view.cause,
    because: view.because,
    status:
      view.record?.status ??
      (details.asks !== null || details.nested?.view.record.status === "waiting"
        ? "waiting"
        : details.interrupted
          ? "interrupted"
          : "running"),
    startedAt: view.startedAt,
    endedAt: view.endedAt,
    adopted: view.adopted,
    sharedWith: view.sharedWith,
    reusedFrom: view.reusedFrom,
    notAnswered: view.notAnswered,
    record: view.record,
    next: view.next,
    script: details.script,
    prompt: details.prompt,
    agent: details.agent,
    usage: details.usage,
    gate: details.gate,
    decision: details.decision,
    run: details.nested && runJson(details.nested),
    folder,
    logs: {
      stdout: { file: `${folder}/${ATTEMPT_FILES.stdout}`, bytes: view.logs?.stdoutBytes ?? null },
      stderr: { file: `${folder}/${ATTEMPT_FILES.stderr}`, bytes: view.logs?.stderrBytes ?? null },
    },
  };
}
