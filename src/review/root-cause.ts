import { type AttemptName, nameWithin, placeName } from "../core/ids.ts";
import type { RunRecord } from "../core/record.ts";
import { viewNestedIfReadable } from "./inside.ts";
import type { ReadableRun } from "./view.ts";

/** The attempt, however deep it lies, that made a run fail. */
export interface RootCause {
  /** From the outermost run: `deploy/item-3/test`. */
  readonly name: string;
  readonly attempt: AttemptName;
  /** The run that the attempt is of. */
  readonly runDir: string;
  readonly code: string;
  /** It names the step by its whole name. */
  readonly message: string;
  readonly hint?: string;
  /** The runs that failed because of it, from the outermost on, each with the steps that it is in. */
  readonly levels: readonly Level[];
}

interface Level {
  readonly within: string;
  readonly record: RunRecord;
}

/** Null if the run has not failed because of a step. `within`: the steps that the run is in, if it is a nested one. */
export async function rootCause(
  { runDir, record }: Omit<ReadableRun, "folded">,
  within = "",
): Promise<RootCause | null> {
  const { reason, status } = record;
  if (status !== "failed" || reason?.step === undefined || reason.attempt === undefined) return null;
  const attempt = { step: reason.step, item: reason.item, attempt: reason.attempt };
  return causeOf({ runDir, record }, attempt, reason, [], within);
}

/** What made an attempt fail, which `said` is what its run says of. */
export async function causeOf(
  { runDir, record }: Omit<ReadableRun, "folded">,
  attempt: AttemptName,
  said: { readonly code: string; readonly message: string; readonly hint?: string },
  above: readonly Level[] = [],
  within = "",
): Promise<RootCause> {
  const name = nameWithin(within, attempt);
  const levels = [...above, { within, record }];
  const nested = await viewNestedIfReadable(runDir, attempt);
  const reason = nested && nested.record.status !== "succeeded" ? nested.record.reason : null;
  if (nested && reason?.step !== undefined && reason.attempt !== undefined) {
    const inner = { step: reason.step, item: reason.item, attempt: reason.attempt };
    return causeOf(nested, inner, reason, levels, name);
  }
  const { code, message, hint } = reason ?? said;
  const told = reason === null ? withWholeName(message, attempt, name) : `${name}: ${message}`;
  return { name, attempt, runDir, code, message: told, ...(hint !== undefined && { hint }), levels };
}

/** `test failed on attempt 1: …` → `deploy/item-3/test failed on attempt 1: …`. */
function withWholeName(message: string, attempt: AttemptName, name: string): string {
  const own = placeName(attempt);
  if (own === name) return message;
  return message.startsWith(`${own} `) ? `${name}${message.slice(own.length)}` : `${name}: ${message}`;
}
