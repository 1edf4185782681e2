import type { Budget, RetryPolicy } from "../core/workflow.ts";
import { readBudget, readSeconds, type WorkflowLimits } from "./limits.ts";
import type { MapNode } from "./node.ts";
import { checkKeys, type Reader } from "./read.ts";

const RETRY_KEYS = { what: "`retry`", known: ["max", "delay", "backoff", "max_delay"] };
const STEP_LIMIT_KEYS = {
  what: "a step's `limits`",
  known: ["timeout_seconds", "max_retries"],
};
const AGENT_LIMIT_KEYS = {
  what: "an agent step's `limits`",
  known: [...STEP_LIMIT_KEYS.known, "max_tokens", "max_cost_usd"],
};

const DEFAULT_MAX_DELAY_MS = 3_600_000;
const NO_RETRY: RetryPolicy = { max: 0, delayMs: 0, backoff: 1, maxDelayMs: DEFAULT_MAX_DELAY_MS };

export interface StepTiming {
  readonly timeoutMs?: number;
  readonly timeoutClampedFromMs?: number;
  readonly retry: RetryPolicy;
  readonly idleTimeoutMs?: number;
}

/** What a step takes for itself of the workflow's limits, and how often it is retried if nothing says so. */
export type InheritedTiming = Omit<WorkflowLimits, "limits"> & { readonly defaultRetries: number };

/** `timeout`, `idle_timeout`, `retry`, and the older spellings under `limits`. */
export function readTiming(step: MapNode, inherited: InheritedTiming, reader: Reader): StepTiming {
  const limits = limitsOf(step, reader);
  const idleTimeoutMs = reader.duration(step.entries.get("idle_timeout")?.value, "`idle_timeout`");
  return {
    retry: readRetry(step, limits, inherited, reader),
    ...readTimeout(step, limits, inherited, reader),
    ...(idleTimeoutMs === null ? {} : { idleTimeoutMs }),
  };
}

/** A step's `limits`: of an agent's step what it may use, too. */
export function readStepLimits(step: MapNode, callsAgent: boolean, reader: Reader): Budget {
  const limits = limitsOf(step, reader);
  if (limits) checkKeys(limits, callsAgent ? AGENT_LIMIT_KEYS : STEP_LIMIT_KEYS, reader.problems);
  return callsAgent ? readBudget(limits, reader) : {};
}

function limitsOf(step: MapNode, reader: Reader): MapNode | null {
  const node = step.entries.get("limits")?.value;
  return node ? reader.map(node, "`limits`") : null;
}

function readTimeout(
  step: MapNode,
  limits: MapNode | null,
  inherited: InheritedTiming,
  reader: Reader,
): Omit<StepTiming, "retry"> {
  const older = limits?.entries.get("timeout_seconds");
  const entry = reader.oneOf(step, "timeout", older, "limits.timeout_seconds");
  let own: number | null = null;
  if (entry === older) own = readSeconds(older?.value, "timeout_seconds", reader);
  else own = reader.duration(entry?.value, "`timeout`");
  const wanted = own ?? inherited.stepTimeoutMs;
  const most = inherited.maxStepTimeoutMs;
  if (wanted === undefined) return most === undefined ? {} : { timeoutMs: most };
  if (most === undefined || wanted <= most) return { timeoutMs: wanted };
  return { timeoutMs: most, timeoutClampedFromMs: wanted };
}

function readRetry(
  step: MapNode,
  limits: MapNode | null,
  inherited: InheritedTiming,
  reader: Reader,
): RetryPolicy {
  const node = step.entries.get("retry")?.value;
  const retry = node ? reader.map(node, "`retry`", "write `retry: { max: 2 }`") : null;
  if (retry) checkKeys(retry, RETRY_KEYS, reader.problems);
  const get = (key: string) => retry?.entries.get(key)?.value;
  const older = limits?.entries.get("max_retries");
  const usual = inherited.maxRetries ?? inherited.defaultRetries;
  if (!retry && !older) return usual === 0 ? NO_RETRY : { ...NO_RETRY, max: usual };
  const max = retry ? reader.oneOf(retry, "max", older, "limits.max_retries") : older;
  const delayMs = reader.duration(get("delay"), "`delay`", "zero") ?? 0;
  const maxDelayMs =
    reader.duration(get("max_delay"), "`max_delay`", "zero") ?? Math.max(DEFAULT_MAX_DELAY_MS, delayMs);
  return {
    max: reader.integer(max?.value, max === older ? "`max_retries`" : "`max`", 0) ?? usual,
    delayMs,
    backoff: reader.number(get("backoff"), "`backoff`", 1) ?? 1,
    maxDelayMs,
  };
}
