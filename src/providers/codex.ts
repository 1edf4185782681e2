import { isJsonObject, type JsonObject } from "../core/json.ts";
import { classOf, failed, noFinalRecord, sumOf, text } from "./failure.ts";
import type { AgentClient, CallRequest, ClientLog, ClientUsage, Outcome } from "./provider.ts";
import { resetTime } from "./reset-time.ts";

const NAME = "codex";

/** Codex CLI, 0.169 and later: `codex exec` with its prompt on standard input. */
export const codex: AgentClient = {
  name: NAME,

  call(request) {
    const args = ["exec", "--json", "--skip-git-repo-check", "-C", request.workspace];
    if (request.model !== null) args.push("-m", request.model);
    // A JSON string is a TOML string.
    args.push("-c", `developer_instructions=${JSON.stringify(request.whereabouts)}`);
    args.push(...permissions(request), ...request.args, "-");
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
      model: null,
      usage: found.usage,
      denied: [...found.denied, ...deniedPatches(log.stderr)],
      retryAt: limited ? resetTime(found.error, log.endedAt) : null,
    };
  },
};

/**
 * Its sandbox knows folders only: with `write` the whole workspace is writable, and so, if the run lies in it, are the
 * records of the run. What it changes there shows, since the journal holds the digests.
 */
function permissions({ permissions, outputsDir }: CallRequest): string[] {
  switch (permissions) {
    case "read":
      return ["-s", "read-only"];
    case "write":
      return ["-s", "workspace-write", "--add-dir", outputsDir];
    case "full":
      return ["--dangerously-bypass-approvals-and-sandbox"];
    default:
      return permissions satisfies never;
  }
}

interface Gathered {
  session: string | null;
  text: string;
  /** The last thing it said of an error; it may have gone on after it. */
  error: string;
  final: JsonObject | null;
  usage: ClientUsage | null;
  readonly denied: string[];
}

async function gather(log: ClientLog): Promise<Gathered> {
  const found: Gathered = { session: null, text: "", error: "", final: null, usage: null, denied: [] };
  for await (const record of log.records()) {
    switch (record.type) {
      case "thread.started":
        found.session = text(record.thread_id);
        break;
      case "turn.started":
        found.final = null;
        break;
      case "item.completed":
        if (isJsonObject(record.item)) takeItem(found, record.item);
        break;
      case "error":
        // One for each "Reconnecting... n/5": none of them is final.
        found.error = text(record.message) ?? found.error;
        break;
      case "turn.completed":
        found.final = record;
        found.usage = usageOf(record) ?? found.usage;
        break;
      case "turn.failed":
        found.final = record;
        found.error = (isJsonObject(record.error) && text(record.error.message)) || found.error;
        break;
      default:
      // Kinds of records that later versions add tell nothing that is needed here.
    }
  }
  return found;
}

function takeItem(found: Gathered, item: JsonObject): void {
  if (item.type === "agent_message") found.text = text(item.text) ?? "";
  const output = text(item.aggregated_output) ?? "";
  const refused = item.status === "failed" && /Read-only file system/.test(output);
  if (item.status === "declined" || refused) found.denied.push(String(item.type));
}

/**
 * A patch that the sandbox refused leaves no item, only a line of its log. A command that fails at once leaves neither
 * (0.169): what it was denied can not be told.
 */
function deniedPatches(stderr: string): string[] {
  return [...stderr.matchAll(/patch rejected: .*(?:sandbox|approval)/g)].map(() => "apply_patch");
}

function outcomeOf({ final, text, error }: Gathered, log: ClientLog): Outcome {
  if (final === null) return noFinalRecord(NAME, log, error);
  if (final.type === "turn.completed") return { ok: true, text };
  return failed(NAME, classOf(null, error) ?? "no_output", error);
}

/** Totals of the thread. The input counts what came from the cache, the output what was reasoned. No cost is said. */
function usageOf({ usage }: JsonObject): ClientUsage | null {
  if (!isJsonObject(usage)) return null;
  return {
    raw: usage,
    tokens: sumOf(usage, ["input_tokens", "output_tokens"]),
    costUsd: null,
    scope: "session",
  };
}
