import { readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import type { AttemptCause, Failure, OutputValue } from "../core/event.ts";
import { isJsonObject, type Json } from "../core/json.ts";
import { MAX_PROMPT_FILE_BYTES } from "../core/limits.ts";
import { outputJson } from "../core/output-value.ts";
import { nodeAt, placeOf, type RunState, type StepNode } from "../core/state.ts";
import { renderTemplate, TemplateError, type TemplateScope, textOf } from "../core/template.ts";
import type { AgentStep, TemplatePath } from "../core/workflow.ts";
import { ATTEMPT_FILES, attemptDir } from "../store/layout.ts";
import { formatRecord } from "../store/record-text.ts";
import type { AttemptContext } from "./prepare.ts";
import { namedSteps, type Places, pathsOf, stepScope, visibleSteps } from "./scope.ts";

type PromptContext = Omit<AttemptContext<AgentStep>, "base" | "cookie">;

/** `prompt.md`: the rendered prompt, and what became of the attempts before, unless the prompt says that itself. */
export function promptText(context: PromptContext, scope: TemplateScope): string {
  const { state, places, node, step } = context;
  const paths = [...pathsOf([step.prompt])];
  const textual: TemplateScope = {
    ...scope,
    steps: stepScope(state, places, namedSteps(paths), (outputs) => textMembers(outputs, places.runDir)),
    ...(paths.some(({ segments }) => segments[0] === "state") && {
      state: outputsSoFar(state, places, node),
    }),
  };
  const parts = [textOf(renderTemplate(step.prompt, textual))];
  const feedback = feedbackPart(context, paths);
  if (feedback !== null) parts.push(feedback);
  const failure = failureBefore(context);
  if (failure !== null) parts.push(failurePart(failure));
  return `${parts.map((part) => part.replace(/\n+$/, "")).join("\n\n")}\n`;
}

/** Read only when a template asks for it: a step may have outputs of any size. */
function textMembers(
  outputs: Readonly<Record<string, OutputValue>>,
  runDir: string,
  prefix = "",
  members: Record<string, Json> = {},
): Record<string, Json> {
  for (const [key, output] of Object.entries(outputs)) {
    const get = () => outputJson(output, ({ file }) => fileText(file, runDir));
    Object.defineProperty(members, `${prefix}${key}`, { get, enumerable: true, configurable: true });
  }
  return members;
}

function fileText(file: string, runDir: string): string {
  const path = join(runDir, file);
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) throw new TemplateError(`the output file ${file} is not there any more`);
  if (size > MAX_PROMPT_FILE_BYTES) {
    throw new TemplateError(
      `${file} holds ${size} bytes; a prompt takes files of at most ${MAX_PROMPT_FILE_BYTES}`,
    );
  }
  return readFileSync(path, "utf8");
}

/** `state.*`: every output so far as `<step>_<key>`; in a graph those of ancestors, so that timing decides nothing. */
function outputsSoFar(state: RunState, { runDir }: Places, node: StepNode): Record<string, Json> {
  const members: Record<string, Json> = {};
  for (const id of visibleSteps(state, node)) {
    const index = state.indexOf.get(id);
    if (index !== undefined) textMembers(nodeAt(state, index).produced, runDir, `${id}_`, members);
  }
  return members;
}

/** Why a gate sent the run back here; null if none did, or if the prompt shows it in a place of its own. */
function feedbackPart({ state, places, node }: PromptContext, paths: readonly TemplatePath[]): string | null {
  if (node.sentBackBy === null) return null;
  const gate = nodeAt(state, node.sentBackBy);
  const { id } = gate.step;
  const shown = new Set([`state.${id}_feedback`, `steps.${id}.outputs.feedback`]);
  if (paths.some(({ segments }) => shown.has(segments.join(".")))) return null;
  const feedback = textOf(textMembers(gate.produced, places.runDir).feedback ?? null).trim();
  return `# Feedback of ${id}\n\nThe result before this was rejected${feedback === "" ? ", with no reason given." : `:\n\n${feedback}`}`;
}

function failurePart({ code, message, details }: Failure): string {
  const lines = Object.entries(details ?? {}).map(([key, sentence]) => `- ${key} ${sentence}`);
  const list = lines.length > 0 ? `\n\n${lines.join("\n")}` : "";
  return `# What was wrong with the attempt before this one\n\n${message} [${code}]${list}`;
}

/** Of these a new attempt knows nothing of what went before. */
const AFRESH: ReadonlySet<AttemptCause> = new Set(["first", "rework", "redo", "stale"]);

/**
 * The failure that this attempt is to do better than. Attempts that were cut off count for nothing: what takes the
 * place of one is told what that one was told, so that a crash changes no prompt.
 */
function failureBefore({ places, node, attempt }: PromptContext): Failure | null {
  const { state } = node;
  if (state.status === "retrying") return state.failure;
  if (state.status !== "pending" && state.status !== "running") return null;
  let cause: AttemptCause = state.cause;
  for (let n = attempt - 1; n > 0 && !AFRESH.has(cause); n--) {
    const record = readAttempt(attemptDir(places.runDir, { ...placeOf(node), attempt: n }));
    if (record === null || record.status === "succeeded") return null;
    if (record.status === "failed" || record.status === "timed_out") return record.error;
    cause = record.cause;
  }
  return null;
}

function readAttempt(dir: string): { status: string; cause: AttemptCause; error: Failure | null } | null {
  try {
    const record: unknown = JSON.parse(readFileSync(join(dir, ATTEMPT_FILES.record), "utf8"));
    if (!isJsonObject(record)) return null;
    const { status, cause, error = null } = record;
    return { status: String(status), cause: cause as AttemptCause, error: error as Failure | null };
  } catch {
    return null;
  }
}

/** `context.json`: what the step is given and what is expected of it. Paths are relative to the attempt's folder. */
export function contextText({ state, step, attempt, dir }: PromptContext, scope: TemplateScope): string {
  const outputs = step.outputs.map(({ key, required, schema }) => {
    const path = scope.workflow.output_paths?.[key];
    const file = path === undefined ? {} : { file: relative(dir, path) };
    return [key, { ...file, required, ...(schema && { schema }) }];
  });
  return formatRecord({
    workflow: state.workflow.id,
    run: "$WF_RUN_ID",
    step: step.id,
    attempt,
    inputs: state.inputs,
    outputs: Object.fromEntries(outputs),
  });
}

/** `stdin.txt`: the short message that the client is given. It is the same in each run, so it names folders by their variables. */
export function messageText(step: AgentStep): string {
  const lines = [
    "Your task is in the file prompt.md in the folder $WF_ATTEMPT_DIR. Read it first, and do what it says.",
    "context.json in the same folder holds the inputs and the outputs that are expected.",
  ];
  const files = step.outputs.filter(({ file }) => file !== undefined);
  if (files.length > 0 && step.agent.permissions !== "read") {
    lines.push(
      "Write each output that has a file there to that file; its path is relative to the same folder.",
    );
  }
  lines.push(
    "",
    files.length > 0
      ? "End your last message with the values of the outputs that you have not written to a file, in this form:"
      : "End your last message with the values of the outputs, in this form:",
    exampleOf(step),
    "It is one JSON object between the two marks, once, with nothing else between them and no Markdown fence.",
    'If you can not do the task, write "status": "failed" there, and why in "summary".',
  );
  return `${lines.join("\n")}\n`;
}

function exampleOf(step: AgentStep): string {
  const keys = step.outputs.map(({ key }) => key);
  const values: Record<string, string> = { status: "succeeded", summary: "…" };
  for (const key of keys) values[key] = key === "decision" && step.gate ? "approve or reject" : "…";
  return `[workflow_result]${JSON.stringify(values)}[/workflow_result]`;
}
