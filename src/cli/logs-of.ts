import { type AttemptName, nameWithin } from "../core/ids.ts";
import type { StepRecord } from "../core/record.ts";
import { itemsOfStep, viewNestedIfReadable } from "../review/inside.ts";
import type { ReadableRun } from "../review/view.ts";
import type { Logged } from "./log-printer.ts";
import type { Named } from "./step-name.ts";

/** The newest attempt of a step, or of an item. */
interface Tried {
  readonly attempt: AttemptName;
  readonly record: StepRecord;
}

/** What a name stands for: one attempt, each of a step's items, and all of the runs nested in them. */
export async function* logsOfName(named: Named): AsyncGenerator<Logged> {
  const { view, within, step, item, attempt, newest, items } = named;
  if (items) {
    for (const tried of triedItems(step, items)) yield* logsOfAttempt(view, within, tried.attempt, "all");
  } else if (newest > 0) {
    yield* logsOfAttempt(view, within, { step, item, attempt: attempt ?? newest }, "all");
  }
}

/** What failed or is active, as deep as that lies; where nothing is, all of the run. */
export async function* logsThatTell(run: ReadableRun, within = ""): AsyncGenerator<Logged> {
  const all: Tried[] = [];
  for await (const each of tried(run)) all.push(each);
  const telling = all.filter(({ record }) => isTelling(record));
  for (const { attempt } of telling) yield* logsOfAttempt(run, within, attempt, "what tells");
  if (telling.length === 0) for (const { attempt } of all) yield* logsOfAttempt(run, within, attempt, "all");
}

async function* logsOfAttempt(
  { runDir }: ReadableRun,
  within: string,
  attempt: AttemptName,
  wanted: "all" | "what tells",
): AsyncGenerator<Logged> {
  const nested = await viewNestedIfReadable(runDir, attempt);
  const inner = nameWithin(within, attempt);
  if (nested === null) yield { runDir, within, attempt };
  else if (wanted === "what tells") yield* logsThatTell(nested, inner);
  else for await (const each of tried(nested)) yield* logsOfAttempt(nested, inner, each.attempt, "all");
}

/** In file order, and items in theirs. */
async function* tried(run: ReadableRun): AsyncGenerator<Tried> {
  for (const [step, record] of Object.entries(run.record.steps)) {
    if (record.items !== undefined) yield* triedItems(step, await itemsOfStep(run, step));
    else if (record.attempts > 0) yield { attempt: { step, attempt: record.attempts }, record };
  }
}

function triedItems(step: string, items: NonNullable<Named["items"]>): Tried[] {
  return items
    .filter(({ record }) => record.attempts > 0)
    .map(({ item, record }) => ({ attempt: { step, item, attempt: record.attempts }, record }));
}

function isTelling({ status, allowed }: StepRecord): boolean {
  return status === "running" || status === "retrying" || (status === "failed" && !allowed);
}
