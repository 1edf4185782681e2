import type { RetryPolicy } from "./workflow.ts";

/** Failures that a further attempt of the same definition with the same inputs would only repeat. */
const NEVER_RETRIED: ReadonlySet<string> = new Set([
  "WHEN_ERROR",
  "TEMPLATE_ERROR",
  "SHELL_NOT_FOUND",
  "CWD_NOT_FOUND",
  "INTERRUPTED",
  "FOREACH_INVALID",
  "INPUT_INVALID",
  "NESTED_TOO_DEEP",
  "SECRET_IN_OUTPUT",
  "AGENT_NOT_FOUND",
  "AGENT_DENIED",
  "AGENT_AUTH",
  "AGENT_TURN_LIMIT",
  "AGENT_BUDGET",
  "AGENT_CANCELED",
]);

/** `failures`: how many attempts have failed since the step was entered, this one included. */
export function mayRetry(policy: RetryPolicy, failures: number, code: string): boolean {
  return failures <= policy.max && !NEVER_RETRIED.has(code);
}

/** Milliseconds to wait after the `failures`-th failure: delay × backoff^(failures − 1), at most `maxDelayMs`. */
export function retryDelay(policy: RetryPolicy, failures: number): number {
  return Math.min(
    policy.maxDelayMs,
    Math.round(policy.delayMs * policy.backoff ** Math.max(0, failures - 1)),
  );
}
