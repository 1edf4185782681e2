import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import type { AgentStep } from "../core/workflow.ts";
import { clientOf } from "../providers/index.ts";
import type { Answer, FailureClass } from "../providers/provider.ts";
import { replaceFile } from "../store/atomic-file.ts";
import { ATTEMPT_FILES } from "../store/layout.ts";
import { formatRecord } from "../store/record-text.ts";
import type { AttemptContext } from "./prepare.ts";

/** `agent.json`; it stands there from the start with what is known then: `denied` and `failure` come with the end. */
export interface AgentRecord {
  readonly provider: string;
  /** As the workflow names it; null: the client's default. */
  readonly model: string | null;
  readonly permissions: "read" | "write" | "full";
  /** Tools that the client wanted to use and was not allowed to. */
  readonly denied?: readonly string[];
  /** Null: the attempt succeeded. */
  readonly failure?: FailureClass | null;
  readonly volatile: {
    readonly clientVersion?: string | null;
    /** As the client names it. */
    readonly model?: string | null;
    readonly session?: string | null;
    /** Program and arguments. */
    readonly argv: readonly string[];
    /** Null: the client did not say. */
    readonly usage?: RecordedUsage | null;
  };
}

export interface RecordedUsage {
  /** Of this attempt: what the session has used beyond what it had before. */
  readonly tokens: number | null;
  readonly costUsd: number | null;
  /** What the client counted, for its session or for this call. */
  readonly counted: { readonly tokens: number | null; readonly costUsd: number | null };
  /** As the client said it. */
  readonly raw: Json;
}

/** What can be said before the client has begun. */
export function agentRecordText(step: AgentStep, argv: readonly string[]): string {
  const record: AgentRecord = { ...stablePart(step), volatile: { argv } };
  return formatRecord(record);
}

export function writeAgentRecord(
  { dir, step }: Pick<AttemptContext<AgentStep>, "dir" | "step">,
  end: {
    readonly answer: Answer;
    readonly failure: FailureClass | null;
    readonly argv: readonly string[];
    readonly usage: RecordedUsage | null;
  },
  sync: boolean,
): void {
  const { denied, clientVersion, model, session } = end.answer;
  const record: AgentRecord = {
    ...stablePart(step),
    denied,
    failure: end.failure,
    volatile: { clientVersion, model, session, argv: end.argv, usage: end.usage },
  };
  replaceFile(join(dir, ATTEMPT_FILES.agent), formatRecord(record), { sync, syncFolder: sync });
}

function stablePart({ agent }: AgentStep): Pick<AgentRecord, "provider" | "model" | "permissions"> {
  return {
    provider: clientOf(agent.provider).name,
    model: agent.model ?? null,
    permissions: agent.permissions,
  };
}

/** The record of an attempt, as far as it can be read: the step itself may have written to it. */
export function readAgentRecord(dir: string): (JsonObject & { readonly volatile: JsonObject }) | null {
  try {
    const record: unknown = JSON.parse(readFileSync(join(dir, ATTEMPT_FILES.agent), "utf8"));
    if (!isJsonObject(record) || !isJsonObject(record.volatile)) return null;
    return { ...record, volatile: record.volatile };
  } catch {
    return null;
  }
}

/** What the client was called with. */
export function readArguments(dir: string): string[] {
  const argv = readAgentRecord(dir)?.volatile.argv;
  return Array.isArray(argv) ? argv.map(String) : [];
}
