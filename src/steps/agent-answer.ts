import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseDecision } from "../core/decision.ts";
import type { Failure, OutputValue } from "../core/event.ts";
import type { Json, JsonObject } from "../core/json.ts";
import { outputJson } from "../core/output-value.ts";
import { placeOf } from "../core/state.ts";
import type { AgentStep, OutputDeclaration } from "../core/workflow.ts";
import { type Answer, FAILURE_CODES, type FailureClass } from "../providers/provider.ts";
import { ATTEMPT_FILES } from "../store/layout.ts";
import { checkedValue, checkSchema, type Unfit } from "./artifact.ts";
import { type Envelope, readEnvelope } from "./envelope.ts";
import {
  type Collected,
  collectFrom,
  hasOutputFile,
  placeOutputFile,
  readOutputFile,
  sentencesOf,
  type ValueSource,
} from "./outputs.ts";
import type { AttemptContext } from "./prepare.ts";

type AnswerContext = Omit<AttemptContext<AgentStep>, "base" | "cookie">;

export interface Finding {
  readonly collected: Collected;
  /** Null: it succeeded. */
  readonly failureClass: FailureClass | null;
}

/**
 * Whether an attempt whose client ended by itself has succeeded: its final record says so, its status is 0, and every
 * output that is required is there and valid.
 */
export async function judgeAnswer(
  context: AnswerContext,
  answer: Answer,
  exitCode: number,
  sync: boolean,
): Promise<Finding> {
  const { step } = context;
  if (!answer.ok) {
    const { failure, message, hint } = answer;
    return failing(failure, { code: FAILURE_CODES[failure], message, ...(hint && { hint }) });
  }
  if (exitCode !== 0) {
    const message = `the client reported success, but ended with exit status ${exitCode}`;
    return failing("bad_output", { code: FAILURE_CODES.bad_output, message, hint: "see stderr.log" });
  }
  const envelope = readEnvelope(answer.text);
  const values = envelope.kind === "result" ? envelope.values : {};
  if (values.status === "failed") return failing("bad_output", ownFailure(values));
  const collected = await collect(context, values, sync);
  const { failure } = collected;
  if (failure?.code === "OUTPUT_MISSING") return withoutOutputs(collected, failure, envelope, answer.denied);
  if (failure) return { collected, failureClass: "bad_output" };
  return step.gate ? judgeGate(context, collected) : { collected, failureClass: null };
}

function failing(failureClass: FailureClass, failure: Failure): Finding {
  return { collected: { outputs: {}, security: [], failure }, failureClass };
}

function ownFailure({ summary }: JsonObject): Failure {
  const why =
    typeof summary === "string" && summary.trim() !== "" ? `: ${summary.trim()}` : ", and does not say why";
  return { code: "AGENT_FAILED", message: `the agent says that it failed${why}` };
}

/** Why outputs are missing: a tool was denied, or there is no envelope that can be read, or they were just left out. */
function withoutOutputs(
  collected: Collected,
  failure: Failure,
  envelope: Envelope,
  denied: readonly string[],
): Finding {
  const missing = sentencesOf(failure.details ?? {});
  const fail = (failureClass: FailureClass, changed: Pick<Failure, "code" | "message" | "hint">): Finding => {
    return { collected: { ...collected, failure: { ...failure, ...changed } }, failureClass };
  };
  if (denied.length > 0) {
    const message = `the client was not allowed to use ${[...new Set(denied)].join(", ")}, and outputs are missing: ${missing}`;
    return fail("denied", {
      code: FAILURE_CODES.denied,
      message,
      hint: "see permissions and args of the agent",
    });
  }
  if (envelope.kind === "none") {
    const message = `the agent's final message has no result envelope, and outputs are missing: ${missing}`;
    return fail("no_output", { code: "ENVELOPE_MISSING", message, hint: ENVELOPE_HINT });
  }
  if (envelope.kind === "invalid") {
    const message = `${envelope.message}; outputs are missing: ${missing}`;
    return fail("bad_output", { code: "ENVELOPE_INVALID", message, hint: ENVELOPE_HINT });
  }
  return { collected, failureClass: "bad_output" };
}

const ENVELOPE_HINT =
  "the final message ends with [workflow_result]{…}[/workflow_result], a JSON object between two marks";

async function collect(context: AnswerContext, values: JsonObject, sync: boolean): Promise<Collected> {
  const { state, places, node, step, attempt, dir } = context;
  const file = readOutputFile(join(dir, ATTEMPT_FILES.output));
  if (file !== null && "failure" in file) return { outputs: {}, security: [], ...file };
  const at = { ...placeOf(node), attempt };
  const place = { runDir: places.runDir, runId: state.runId, step, at, sync };
  return collectFrom(place, envelopeSource(dir, values, file?.values ?? new Map(), sync));
}

/** What the envelope says, and what a tool of the agent may have written to `$WF_OUTPUT`. */
function envelopeSource(
  dir: string,
  values: JsonObject,
  written: ReadonlyMap<string, string>,
  sync: boolean,
): ValueSource {
  const left = new Map<string, Json>([...written, ...Object.entries(values)]);
  return {
    value(declared) {
      const { key, schema } = declared;
      left.delete(key);
      const text = written.get(key);
      if (text !== undefined) {
        if (Object.hasOwn(values, key)) return { problem: "is in the result envelope and in $WF_OUTPUT" };
        return text === "" ? { absent: "is empty" } : checkedValue(declared, text);
      }
      const value = Object.hasOwn(values, key) ? (values[key] as Json) : undefined;
      if (value === undefined) return { absent: "is not in the result envelope" };
      return isEmpty(value) ? { absent: "is empty" } : checkSchema(schema, value);
    },
    beforeFile(declared, path) {
      const value = left.get(declared.key);
      left.delete(declared.key);
      if (value === undefined || hasOutputFile(dir, path)) return null;
      if (isEmpty(value)) return { absent: "is empty" };
      return fill(dir, declared, path, value, sync);
    },
    rest: () => [...left],
    failure: {
      sentence: "the agent ended well, but its outputs did not pass",
      hint: "an agent writes each declared file, or gives its value in the result envelope",
    },
  };
}

/** A schema has something to say of the value itself; a file without one holds text. */
function fill(
  dir: string,
  { parsed, schema }: OutputDeclaration,
  path: string,
  value: Json,
  sync: boolean,
): Unfit | null {
  if (parsed) {
    const checked = checkSchema(schema, value);
    if ("problem" in checked) return checked;
  }
  const text = typeof value === "string" && !parsed ? value : JSON.stringify(value, null, 2);
  return placeOutputFile(dir, path, text.endsWith("\n") ? text : `${text}\n`, sync);
}

function isEmpty(value: Json): boolean {
  return value === null || (typeof value === "string" && value.trim() === "");
}

function judgeGate({ places, step }: AnswerContext, collected: Collected): Finding {
  const { outputs } = collected;
  const said = outputText(outputs.decision, places.runDir);
  const decision = parseDecision(said);
  const fail = (failure: Failure): Finding => ({
    collected: { ...collected, outputs: {}, failure },
    failureClass: "bad_output",
  });
  if (decision === null) {
    const found = said === null ? "there is none" : `it is ${JSON.stringify(said.slice(0, 200))}`;
    return fail({
      code: "BAD_DECISION",
      message: `the step is a gate, and its output decision must be approve or reject: ${found}`,
      hint: 'an agent gives it in the result envelope: "decision": "approve"',
    });
  }
  if (decision === "reject" && step.gate?.onReject && !outputText(outputs.feedback, places.runDir)?.trim()) {
    return fail({
      code: "FEEDBACK_MISSING",
      message: "it was rejected without feedback, and the step that it goes back to would not know why",
      hint: 'an agent gives it in the result envelope: "feedback": "what has to change"',
    });
  }
  return {
    collected: { ...collected, outputs: { ...outputs, decision: { value: decision } } },
    failureClass: null,
  };
}

function outputText(output: OutputValue | undefined, runDir: string): string | null {
  if (output === undefined) return null;
  const value = outputJson(output, ({ file }) => readFileSync(join(runDir, file), "utf8"));
  return typeof value === "string" ? value : JSON.stringify(value);
}
