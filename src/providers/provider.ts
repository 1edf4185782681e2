import type { Json, JsonObject } from "../core/json.ts";
import type { ProblemCode } from "../core/problem.ts";
import type { Agent } from "../core/workflow.ts";

/** Why an agent's attempt failed, as `agent.json` names it. */
export type FailureClass =
  | "denied"
  | "auth"
  | "rate_limited"
  | "server"
  | "network"
  | "timeout"
  | "turn_limit"
  | "budget"
  | "no_output"
  | "bad_output"
  | "canceled";

export const FAILURE_CODES = {
  denied: "AGENT_DENIED",
  auth: "AGENT_AUTH",
  rate_limited: "AGENT_RATE_LIMITED",
  server: "AGENT_SERVER",
  network: "AGENT_NETWORK",
  timeout: "TIMEOUT",
  turn_limit: "AGENT_TURN_LIMIT",
  budget: "AGENT_BUDGET",
  no_output: "AGENT_NO_OUTPUT",
  bad_output: "AGENT_BAD_OUTPUT",
  canceled: "AGENT_CANCELED",
} as const satisfies Record<FailureClass, ProblemCode>;

/** What a client is called with; paths are absolute. */
export interface CallRequest {
  /** As the workflow names it; null: the client's default. */
  readonly model: string | null;
  /** The agent's own arguments; they come after those of `wf`, so that they win. */
  readonly args: readonly string[];
  readonly permissions: Agent["permissions"];
  /** The folder the client works in. */
  readonly workspace: string;
  readonly attemptDir: string;
  readonly outputsDir: string;
  /** Says where the attempt's folders are, for a client that does not expand variables. */
  readonly whereabouts: string;
  /** What of `.wf/` nobody but `wf` writes: patterns in the grammar of `.gitignore`, absolute. */
  readonly protect: readonly string[];
}

export interface Call {
  /** A name on PATH, or a path. */
  readonly program: string;
  readonly args: readonly string[];
  /** Null takes a variable away. */
  readonly env: Readonly<Record<string, string | null>>;
  /** What its standard input is: the short message that points to the prompt, or the prompt itself. */
  readonly stdin: "message" | "prompt";
}

/** What a client left behind. */
export interface ClientLog {
  /** The JSON objects on its standard output, one by one; all else is passed over. */
  records(): AsyncIterable<JsonObject>;
  /** All of its standard output; null if it is larger than a line may be. */
  text(): string | null;
  /** The end of its standard error. */
  readonly stderr: string;
  /** Null: killed, nobody knows. */
  readonly exitCode: number | null;
  /** Milliseconds since 1970: what "try again in an hour" counts from. */
  readonly endedAt: number;
}

/** What a client says it used. */
export interface ClientUsage {
  /** As the client said it. */
  readonly raw: Json;
  /** Null: it did not say. */
  readonly tokens: number | null;
  readonly costUsd: number | null;
  /** Whether the two are totals of the session, or of this call alone. */
  readonly scope: "session" | "call";
}

/** What a client's output says, whether it succeeded or not; null where it does not. */
export interface ClientReport {
  readonly session: string | null;
  readonly clientVersion: string | null;
  readonly model: string | null;
  readonly usage: ClientUsage | null;
  /** Tools that it wanted to use and was not allowed to. */
  readonly denied: readonly string[];
  /** When its limit ends, milliseconds since 1970. */
  readonly retryAt: number | null;
}

export type Outcome =
  /** `text`: the final message. */
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly failure: FailureClass; readonly message: string; readonly hint?: string };

export type Answer = ClientReport & Outcome;

/** One agent client: how it is called, and how its answer is read. It does neither itself. */
export interface AgentClient {
  readonly name: string;
  call(request: CallRequest): Call;
  /** Success is what the client's own final record says, never an exit status alone. */
  read(log: ClientLog): Promise<Answer>;
}
