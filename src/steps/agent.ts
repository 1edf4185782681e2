import { join } from "node:path";
import { TemplateError } from "../core/template.ts";
import type { AgentStep } from "../core/workflow.ts";
import { openClientLog } from "../providers/client-log.ts";
import { clientOf } from "../providers/index.ts";
import type { Answer } from "../providers/provider.ts";
import { ATTEMPT_FILES } from "../store/layout.ts";
import { type Finding, judgeAnswer } from "./agent-answer.ts";
import { contextText, messageText, promptText } from "./agent-prompt.ts";
import { protectedPatterns } from "./agent-protect.ts";
import { agentRecordText, readArguments, writeAgentRecord } from "./agent-record.ts";
import { spentUsage } from "./agent-usage.ts";
import { refuseNul } from "./command.ts";
import { attemptEnvironment } from "./environment.ts";
import type { Collected } from "./outputs.ts";
import {
  type AttemptContext,
  findProgram,
  outputFolders,
  PreparationError,
  type Prepared,
  workingFolder,
} from "./prepare.ts";
import { attemptScope, pathsOf } from "./scope.ts";

/** Renders the prompt and the call of the agent's client; raises `PreparationError`. */
export function prepareAgent(context: AttemptContext<AgentStep>): Prepared {
  try {
    return prepared(context);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new PreparationError({ code: "TEMPLATE_ERROR", message: error.message });
  }
}

function prepared(context: AttemptContext<AgentStep>): Prepared {
  const { state, places, node, step, attempt, dir, base, cookie } = context;
  const { agent } = step;
  const texts = [
    ...Object.values(step.env),
    ...Object.values(agent.env),
    ...Object.values(state.workflow.env),
  ];
  const paths = [...pathsOf([...texts, step.prompt, ...(step.cwd ? [step.cwd] : [])])];
  const scope = attemptScope(state, places, node, attempt, paths);
  const cwd = workingFolder(places, step, dir, scope);
  const outputsDir = join(dir, ATTEMPT_FILES.outputs);
  const client = clientOf(agent.provider);
  const call = client.call({
    model: agent.model ?? null,
    args: agent.args,
    permissions: agent.permissions,
    workspace: cwd,
    attemptDir: dir,
    outputsDir,
    whereabouts: `$WF_ATTEMPT_DIR is the folder ${dir}, and $WF_OUTPUTS is ${outputsDir}.`,
    protect: protectedPatterns(places),
  });
  const own = attemptEnvironment(node, state.workflow, scope, {
    attemptDir: dir,
    cookie,
    secrets: places.secrets,
  });
  const env = { ...call.env, ...own };
  refuseNul(env);
  const path = "PATH" in env ? env.PATH : base.PATH;
  const program = findProgram(call.program, path ?? undefined, cwd);
  if (program === null) throw notFound(client.name, call.program);
  const argv = [program, ...call.args];
  const files = new Map<string, string>([
    [ATTEMPT_FILES.prompt, promptText(context, scope)],
    [ATTEMPT_FILES.context, contextText(context, scope)],
    [ATTEMPT_FILES.agent, agentRecordText(step, argv)],
  ]);
  if (call.stdin === "message") files.set(ATTEMPT_FILES.stdin, messageText(step));
  const folders = outputFolders(scope, dir);
  if (folders.length === 0 && agent.permissions !== "read") folders.push(outputsDir);
  const stdin = join(dir, call.stdin === "message" ? ATTEMPT_FILES.stdin : ATTEMPT_FILES.prompt);
  return { files, folders, cwd, argv, env, stdin };
}

function notFound(client: string, program: string): PreparationError {
  return new PreparationError({
    code: "AGENT_NOT_FOUND",
    message: `there is no program ${program} on PATH, which calls the agent client ${client}`,
    hint: "install the client, or add its folder to PATH",
  });
}

/** What an agent's attempt left, once its client has gone. */
export interface AgentEnd {
  /** Null: killed, nobody knows. */
  readonly exitCode: number | null;
  /** The engine stopped it. */
  readonly stopped: "TIMEOUT" | "CANCELED" | null;
}

/**
 * Reads what the client answered, writes `agent.json`, and collects the outputs. An attempt without a failure in what
 * is returned has succeeded, if it ended by itself: of one that was stopped, or killed from outside, the engine knows
 * more than its client has said. With `sync`, files that count are on disk when this returns. It may be called again
 * for the same attempt, and comes to the same.
 */
export async function finishAgent(
  context: Omit<AttemptContext<AgentStep>, "base" | "cookie">,
  end: AgentEnd,
  sync: boolean,
): Promise<Collected> {
  const { dir, step } = context;
  const paths = { stdout: join(dir, ATTEMPT_FILES.stdout), stderr: join(dir, ATTEMPT_FILES.stderr) };
  const client = clientOf(step.agent.provider);
  const answer = await client.read(openClientLog(paths, end.exitCode));
  const finding = await judge(context, answer, end, sync);
  const usage = spentUsage(context, answer);
  writeAgentRecord(context, { answer, failure: finding.failureClass, argv: readArguments(dir), usage }, sync);
  const { retryAt } = answer;
  return {
    ...finding.collected,
    usage: { tokens: usage?.tokens ?? null, costUsd: usage?.costUsd ?? null },
    ...(retryAt !== null && { retryAt }),
  };
}

async function judge(
  context: Omit<AttemptContext<AgentStep>, "base" | "cookie">,
  answer: Answer,
  { exitCode, stopped }: AgentEnd,
  sync: boolean,
): Promise<Finding> {
  const collected = { outputs: {}, security: [] };
  if (stopped !== null) return { collected, failureClass: stopped === "TIMEOUT" ? "timeout" : "canceled" };
  if (exitCode === null) return { collected, failureClass: "no_output" };
  return judgeAnswer(context, answer, exitCode, sync);
}
