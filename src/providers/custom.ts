import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import type { Provider } from "../core/workflow.ts";
import { classOf, failed, noFinalRecord, number } from "./failure.ts";
import type { AgentClient, Answer, ClientLog, Outcome } from "./provider.ts";
import { resetTime } from "./reset-time.ts";

type Custom = Extract<Provider, { kind: "custom" }>;

/**
 * A client that the workflow describes. It gets the prompt itself on its standard input, and, since nobody knows its
 * flags, model and permissions as variables; that it keeps to them can not be promised.
 */
export function custom(provider: Custom): AgentClient {
  const { name, command } = provider;
  return {
    name,

    call({ model, args, permissions }) {
      const [program = "", ...own] = command;
      const env = { WF_AGENT_MODEL: model, WF_AGENT_PERMISSIONS: permissions };
      return { program, args: [...own, ...args], env, stdin: "prompt" };
    },

    async read(log) {
      if (provider.output === "text") return answerOf(name, null, plainText(name, log.text()), log);
      const record = await lastRecord(log);
      if (record === null) return answerOf(name, null, noFinalRecord(name, log), log);
      return answerOf(name, { record, fields: provider.fields }, outcomeOf(provider, record), log);
    },
  };
}

function plainText(name: string, text: string | null): Outcome {
  return text === null ? failed(name, "bad_output", "it is too long to be read") : { ok: true, text };
}

async function lastRecord(log: ClientLog): Promise<JsonObject | null> {
  let last: JsonObject | null = null;
  for await (const record of log.records()) last = record;
  return last;
}

/** Where the workflow does not name a field, `text` and `error` are looked for. */
function outcomeOf({ name, fields }: Custom, record: JsonObject): Outcome {
  const error = at(record, fields.error ?? "error");
  if (error !== undefined && error !== null && error !== false && error !== "") {
    const said = typeof error === "string" ? error : JSON.stringify(error);
    return failed(name, classOf(null, said) ?? "no_output", said);
  }
  const said = at(record, fields.text ?? "text");
  if (typeof said === "string") return { ok: true, text: said };
  if (said === undefined || said === null) {
    return failed(name, "bad_output", `its last record has no ${fields.text ?? "text"}`);
  }
  return { ok: true, text: JSON.stringify(said) };
}

interface Found {
  readonly record: JsonObject;
  readonly fields: Custom["fields"];
}

function answerOf(name: string, found: Found | null, outcome: Outcome, log: ClientLog): Answer {
  const field = (key: keyof Custom["fields"]) => {
    const path = found?.fields[key];
    return found && path !== undefined ? at(found.record, path) : undefined;
  };
  const [tokens, costUsd] = [number(field("tokens")), number(field("cost_usd"))];
  const session = field("session");
  // Without a record of its own its exit status is all there is.
  const judged = outcome.ok && log.exitCode !== 0 ? noFinalRecord(name, log) : outcome;
  return {
    ...judged,
    session: typeof session === "string" ? session : null,
    clientVersion: null,
    model: null,
    usage:
      tokens === null && costUsd === null
        ? null
        : { raw: { tokens, cost_usd: costUsd }, tokens, costUsd, scope: "call" },
    denied: [],
    retryAt:
      !judged.ok && judged.failure === "rate_limited"
        ? resetTime(`${judged.message}\n${log.stderr}`, log.endedAt)
        : null,
  };
}

/** `usage.total_tokens`, `choices.0.text` */
function at(record: Json, path: string): Json | undefined {
  let value: Json | undefined = record;
  for (const key of path.split(".")) {
    if (Array.isArray(value)) value = value[Number(key)] as Json | undefined;
    else if (isJsonObject(value) && Object.hasOwn(value, key)) value = value[key];
    else return undefined;
  }
  return value;
}
