import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import { classOf, failed, noFinalRecord, number, sumOf, text } from "./failure.ts";
import type { AgentClient, Answer, CallRequest, ClientLog, ClientUsage, Outcome } from "./provider.ts";
import { resetTime } from "./reset-time.ts";

const NAME = "claude";

/** Claude Code, 2.1.197 and later: `claude -p` with its prompt on standard input. */
export const claude: AgentClient = {
  name: NAME,

  call(request) {
    const args = ["-p", "--output-format", "stream-json", "--verbose"];
    if (request.model !== null) args.push("--model", request.model);
    // It refuses to expand `$WF_…` in a shell command, so it is told where they lead.
    args.push("--append-system-prompt", request.whereabouts);
    args.push(...permissions(request), ...request.args);
    // Set by a claude that `wf` itself was started from; the inner one would take itself for a part of that.
    return { program: NAME, args, env: { CLAUDECODE: null, CLAUDE_CODE_ENTRYPOINT: null }, stdin: "message" };
  },

  async read(log) {
    return answerOf(await gather(log), log);
  },
};

/**
 * A rule can not say "all but", so what is protected is listed. Not covered are the outputs of other attempts (their
 * digests are in the journal) and what a command that is allowed to run writes by itself.
 */
function permissions({ permissions, attemptDir, outputsDir, protect }: CallRequest): string[] {
  const read = ["--allowedTools", rule("Read", `${literal(attemptDir)}/**`)];
  switch (permissions) {
    case "read":
      return ["--permission-mode", "default", ...read, "--disallowedTools", rule("Edit", "/**")];
    case "write": {
      const denied = protect.map((pattern) => rule("Edit", pattern));
      const deny = denied.length > 0 ? ["--disallowedTools", ...denied] : [];
      return ["--permission-mode", "acceptEdits", ...read, "--add-dir", outputsDir, ...deny];
    }
    case "full":
      return ["--dangerously-skip-permissions"];
    default:
      return permissions satisfies never;
  }
}

/** In a rule an absolute path begins with two slashes; `Edit` stands for every tool that writes files. */
const rule = (tool: "Read" | "Edit", pattern: string) => `${tool}(/${pattern})`;

const literal = (path: string) => path.replace(/[\\*?[\]]/g, "\\$&");

interface Gathered {
  init: JsonObject | null;
  final: JsonObject | null;
  /** By the id of the call. */
  readonly denied: Map<string, string>;
  retryAt: number | null;
}

async function gather(log: ClientLog): Promise<Gathered> {
  const found: Gathered = { init: null, final: null, denied: new Map(), retryAt: null };
  const calls = new Map<string, string>();
  for await (const record of log.records()) {
    switch (record.type) {
      case "system":
        if (record.subtype === "init") found.init = record;
        break;
      case "assistant":
        for (const part of contentOf(record)) {
          if (part.type === "tool_use") calls.set(String(part.id), String(part.name));
        }
        break;
      case "user":
        for (const part of contentOf(record)) {
          const id = String(part.tool_use_id);
          if (part.type === "tool_result" && isDenial(part)) found.denied.set(id, calls.get(id) ?? "unknown");
          calls.delete(id);
        }
        break;
      case "rate_limit_event":
        found.retryAt = resetOf(record) ?? found.retryAt;
        break;
      case "result":
        found.final = record;
        break;
      default:
      // Kinds of records that later versions add tell nothing that is needed here.
    }
  }
  return found;
}

function contentOf(record: JsonObject): JsonObject[] {
  const content = isJsonObject(record.message) ? record.message.content : null;
  return Array.isArray(content) ? content.filter(isJsonObject) : [];
}

/** What a rule forbids is not among the `permission_denials` of the final record (2.1.197). */
function isDenial(result: JsonObject): boolean {
  if (result.is_error === false) return false;
  const said = typeof result.content === "string" ? result.content : JSON.stringify(result.content ?? "");
  return said.length < 2000 && /denied by your permission settings|you haven't granted it yet/.test(said);
}

function resetOf({ rate_limit_info: info }: JsonObject): number | null {
  if (!isJsonObject(info) || info.status !== "rejected") return null;
  const seconds = number(info.resetsAt);
  return seconds === null ? null : seconds * 1000;
}

function answerOf({ init, final, denied, retryAt }: Gathered, log: ClientLog): Answer {
  const denials = Array.isArray(final?.permission_denials) ? final.permission_denials : [];
  for (const each of denials.filter(isJsonObject))
    denied.set(String(each.tool_use_id), String(each.tool_name));
  const outcome = outcomeOf(final, log);
  const limited = !outcome.ok && outcome.failure === "rate_limited";
  return {
    ...outcome,
    session: text(final?.session_id) ?? text(init?.session_id),
    clientVersion: text(init?.claude_code_version),
    model: text(init?.model) ?? onlyModel(final),
    usage: final ? usageOf(final, text(init?.claude_code_version)) : null,
    denied: [...denied.values()],
    retryAt: limited ? (retryAt ?? resetTime(saidIn(final), log.endedAt)) : null,
  };
}

function outcomeOf(final: JsonObject | null, log: ClientLog): Outcome {
  if (final === null) return noFinalRecord(NAME, log);
  const said = saidIn(final);
  if (final.subtype === "error_max_turns") return failed(NAME, "turn_limit", said);
  if (final.subtype === "error_max_budget_usd") return failed(NAME, "budget", said);
  // An API error calls itself a success, too, and ends with status 1.
  if (final.subtype === "success" && final.is_error === false) return { ok: true, text: said };
  const failure = classOf(number(final.api_error_status), said);
  // What it says of itself when it is interrupted, with status 0.
  const stopped = final.subtype === "error_during_execution" && log.exitCode === 0;
  return failed(NAME, failure ?? (stopped ? "canceled" : "no_output"), said);
}

function saidIn(final: JsonObject | null): string {
  if (Array.isArray(final?.errors)) return final.errors.map(String).join("; ");
  return text(final?.result) ?? "";
}

function onlyModel(final: JsonObject | null): string | null {
  const models = isJsonObject(final?.modelUsage) ? Object.keys(final.modelUsage) : [];
  return models.length === 1 ? (models[0] ?? null) : null;
}

const MODEL_TOKENS = ["inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens"];
const CALL_TOKENS = [
  "input_tokens",
  "output_tokens",
  "cache_read_input_tokens",
  "cache_creation_input_tokens",
];

/** `modelUsage` counts what `usage` misses (the call that was over the budget, helper models), and, as the cost, for the whole session. */
function usageOf(final: JsonObject, version: string | null): ClientUsage {
  const { total_cost_usd = null, usage = null, modelUsage = null } = final;
  const models = isJsonObject(modelUsage) ? Object.values(modelUsage) : [];
  const counts = models.flatMap((model: Json) => sumOf(model, MODEL_TOKENS) ?? []);
  const tokens = counts.length > 0 ? counts.reduce((a, b) => a + b, 0) : sumOf(usage, CALL_TOKENS);
  return {
    raw: { total_cost_usd, usage, modelUsage },
    tokens,
    costUsd: number(total_cost_usd),
    scope: version !== null && isAtMost(version, PER_CALL) ? "call" : "session",
  };
}

/** The last version that is known to report per call. */
const PER_CALL = "2.1.197";

function isAtMost(version: string, other: string): boolean {
  return version.localeCompare(other, "en", { numeric: true }) <= 0;
}
