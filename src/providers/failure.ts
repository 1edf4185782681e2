import { isJsonObject, type Json } from "../core/json.ts";
import type { ClientLog, FailureClass, Outcome } from "./provider.ts";

/** A client's failure of a class; `detail` is what the client said. All its sentences are made here. */
export function failed(client: string, failure: FailureClass, detail?: string): Outcome & { ok: false } {
  // What a client says of its limits is full of times.
  const said = failure === "rate_limited" || !detail ? "" : `: ${stable(detail)}`;
  const { sentence, hint } = SENTENCES[failure];
  return { ok: false, failure, message: `${client} ${sentence}${said}`, ...(hint && { hint }) };
}

/** A client that ended without its final record; what it said on standard error may tell why. */
export function noFinalRecord(client: string, log: ClientLog, said = ""): Outcome & { ok: false } {
  const detail = said || lastLine(log.stderr);
  // With status 0 what it said was no reason for it to end.
  const failure = log.exitCode === 0 ? null : classOf(null, `${said}\n${log.stderr}`);
  return failed(client, failure ?? "no_output", detail);
}

const SENTENCES: Readonly<Record<FailureClass, { readonly sentence: string; readonly hint?: string }>> = {
  denied: {
    sentence: "was not allowed to do what the task needs",
    hint: "see permissions and args of the agent",
  },
  auth: {
    sentence: "could not log in",
    hint: "log the client in, or give it its key with env: of the agent",
  },
  rate_limited: { sentence: "has reached its rate or usage limit" },
  server: { sentence: "was answered by its server with an error" },
  network: { sentence: "could not reach its server" },
  timeout: { sentence: "was stopped because it took too long" },
  turn_limit: { sentence: "used up its turns", hint: "raise the limit in args of the agent" },
  budget: { sentence: "used up its budget", hint: "raise the limit in args of the agent" },
  no_output: { sentence: "ended without a final answer", hint: "see stdout.log and stderr.log" },
  bad_output: { sentence: "gave an answer that can not be used", hint: "see stdout.log and stderr.log" },
  canceled: { sentence: "was stopped" },
};

/** The class of a failure by the status of an HTTP answer, or else by what the client said; null: it can not be told. */
export function classOf(status: number | null, said: string): FailureClass | null {
  const known = status ?? statusIn(said);
  if (known !== null) {
    if (known === 401 || known === 403) return "auth";
    if (known === 429) return "rate_limited";
    if (known >= 400) return "server";
  }
  return PATTERNS.find(([pattern]) => pattern.test(said))?.[1] ?? null;
}

function statusIn(said: string): number | null {
  const found =
    /\b(?:API Error|HTTP|status(?: code)?|"code"|"status")[\s:=]*"?([45]\d\d)\b/i.exec(said)?.[1] ?? null;
  return found === null ? null : Number(found);
}

const PATTERNS: readonly (readonly [RegExp, FailureClass])[] = [
  [/rate.?limit|usage limit|hit your limit|quota|resource.exhausted|too many requests/i, "rate_limited"],
  [
    /not logged in|unauthori[sz]ed|unauthenticated|invalid (?:api )?key|missing environment variable|api key|\/login|log in|authenticat/i,
    "auth",
  ],
  [/internal server error|server_error|overloaded|high demand|unavailable/i, "server"],
  [
    /ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EPIPE|fetch failed|network|connection (?:error|refused|reset|closed)|unable to connect|stream disconnected|error sending request|timed? ?out/i,
    "network",
  ],
];

const MAX_DETAIL = 300;

/**
 * What a client said as it may stand in a record: on one line, and without what differs between two equal runs (ports,
 * paths, ids, times).
 */
export function stable(said: string): string {
  const text = said
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
    .replace(/\u001b\[[0-9;]*[A-Za-z]/g, "")
    .replace(/\b\d{4}-\d\d-\d\dT[\d:.]+Z?/g, "<time>")
    .replace(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi, "<id>")
    .replace(/\b(req|msg|resp|call|toolu)_\w+/g, "$1_<id>")
    .replace(/(^|[\s"'`(=:])(?:\/[\w.@+-]+){2,}\/?/g, "$1<path>")
    .replace(/((?:\d{1,3}\.){3}\d{1,3}|localhost|\]):\d{2,5}\b/g, "$1:<port>")
    .replace(/\s+/g, " ")
    .trim();
  return text.length > MAX_DETAIL ? `${text.slice(0, MAX_DETAIL)}…` : text;
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1)?.trim() ?? "";
}

export const text = (value: Json | undefined): string | null => (typeof value === "string" ? value : null);

export const number = (value: Json | undefined): number | null =>
  typeof value === "number" && Number.isFinite(value) ? value : null;

/** The sum of some members; null if none of them is a number. */
export function sumOf(record: Json | undefined, keys: readonly string[]): number | null {
  if (!isJsonObject(record)) return null;
  const values = keys.flatMap((key) => number(record[key]) ?? []);
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
}
