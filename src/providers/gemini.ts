import { isJsonObject, type JsonObject } from "../core/json.ts";
import { classOf, failed, noFinalRecord, number, sumOf, text } from "./failure.ts";
import type { AgentClient, CallRequest, ClientLog, ClientUsage, FailureClass, Outcome } from "./provider.ts";
import { resetTime } from "./reset-time.ts";

const NAME = "gemini";

/** Gemini CLI, 0.61 and later. What `-p` says comes after what is on its standard input. */
export const gemini: AgentClient = {
  name: NAME,

  call(request) {
    const args = ["-o", "stream-json"];
    if (request.model !== null) args.push("-m", request.model);
    args.push(...permissions(request), ...request.args, "-p", request.whereabouts);
    return { program: NAME, args, env: {}, stdin: "message" };
  },

  async read(log) {
    const found = await gather(log);
    const outcome = outcomeOf(found, log);
    const limited = !outcome.ok && outcome.failure === "rate_limited";
    return {
      ...outcome,
      session: found.session,
      clientVersion: null,
      model: found.model,
      usage: found.stats && usageOf(found.stats),
      denied: found.denied,
      retryAt: limited ? resetTime(`${errorOf(found.final)} ${log.stderr}`, log.endedAt) : null,
    };
  },
};

/**
 * It reads files only in its folders, so the attempt's has to be one of them; with `write` all of it is writable, and
 * so is the workspace with what is in its `.wf/`. What it changes there shows, since the journal holds the digests.
 */
function permissions({ permissions, attemptDir }: CallRequest): string[] {
  const folders = ["--include-directories", attemptDir];
  switch (permissions) {
    case "read":
      return ["--approval-mode", "default", ...folders];
    case "write":
      return ["--approval-mode", "auto_edit", ...folders];
    case "full":
      return ["--yolo", ...folders];
    default:
      return permissions satisfies never;
  }
}

interface Gathered {
  session: string | null;
  model: string | null;
  text: string;
  final: JsonObject | null;
  stats: JsonObject | null;
  readonly denied: string[];
}

async function gather(log: ClientLog): Promise<Gathered> {
  const found: Gathered = { session: null, model: null, text: "", final: null, stats: null, denied: [] };
  const calls = new Map<string, string>();
  for await (const record of log.records()) {
    switch (record.type) {
      case "init":
        found.session = text(record.session_id);
        found.model = text(record.model);
        break;
      case "message":
        if (record.role !== "assistant") break;
        found.text = (record.delta === true ? found.text : "") + (text(record.content) ?? "");
        break;
      case "tool_use":
        found.text = "";
        calls.set(String(record.tool_id), String(record.tool_name));
        break;
      case "tool_result":
        if (isDenial(record)) found.denied.push(calls.get(String(record.tool_id)) ?? "unknown");
        calls.delete(String(record.tool_id));
        break;
      case "result":
        found.final = record;
        break;
      case undefined:
        takeDocument(found, record);
        break;
      default:
      // Kinds of records that later versions add tell nothing that is needed here.
    }
  }
  if (isJsonObject(found.final?.stats)) found.stats = found.final.stats;
  return found;
}

/** What `-o json` prints, which the agent's `args` may ask for. */
function takeDocument(found: Gathered, record: JsonObject): void {
  if (!("response" in record) && !("error" in record)) return;
  found.session = text(record.session_id) ?? found.session;
  found.text = text(record.response) ?? "";
  found.final = { ...record, status: isJsonObject(record.error) ? "error" : "success" };
}

function isDenial(record: JsonObject): boolean {
  if (record.status !== "error") return false;
  return /denied|not allowed|policy|not (?:found|registered)/i.test(
    JSON.stringify(record.error ?? record.output),
  );
}

/** Its own exit statuses; beyond them it ends with the status of the HTTP answer modulo 256. */
const EXIT_CLASSES: Readonly<Record<number, FailureClass>> = {
  41: "auth",
  53: "turn_limit",
  55: "denied",
  130: "canceled",
};

function outcomeOf(found: Gathered, log: ClientLog): Outcome {
  const { exitCode } = log;
  if (found.final?.status === "success") return { ok: true, text: found.text };
  const said = errorOf(found.final);
  const byExit = exitCode === null ? null : (EXIT_CLASSES[exitCode] ?? null);
  if (byExit !== null) return failed(NAME, byExit, said || log.stderr.trim().split("\n").at(-1));
  const status = exitCode !== null && exitCode >= 144 ? exitCode + 256 : null;
  if (found.final === null && status === null) return noFinalRecord(NAME, log);
  const failure = classOf(codeIn(said), said) ?? classOf(status, said);
  return failed(NAME, failure ?? "no_output", said);
}

function errorOf(final: JsonObject | null): string {
  return (isJsonObject(final?.error) && text(final.error.message)) || "";
}

/** `[API Error: {"error":{"code":400,…}}]` */
function codeIn(said: string): number | null {
  const code = /"code"\s*:\s*(\d{3})\b/.exec(said)?.[1];
  return code === undefined ? null : Number(code);
}

function usageOf(stats: JsonObject): ClientUsage {
  const models = isJsonObject(stats.models) ? Object.values(stats.models) : [];
  const counts = models.flatMap((model) =>
    isJsonObject(model) && isJsonObject(model.tokens) ? (sumOf(model.tokens, ["total"]) ?? []) : [],
  );
  const summed = counts.length > 0 ? counts.reduce((a, b) => a + b, 0) : null;
  const raw = { models: stats.models ?? null, total_tokens: stats.total_tokens ?? null };
  return { raw, tokens: number(stats.total_tokens) ?? summed, costUsd: null, scope: "call" };
}
