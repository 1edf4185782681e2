import type { AttemptRecord } from "../core/event.ts";
import { mayRetry } from "../core/retry.ts";
import { nodeAt, type RunState, type StepNode } from "../core/state.ts";
import type { Stretch } from "./replay-record.ts";

/** How an open attempt ends; `index`: of its node. */
export interface Answer {
  readonly index: number;
  readonly record: AttemptRecord;
}

/**
 * Which of the open attempts end next: all after which the run goes on, else one that ends it, and of these the one that
 * the record gives as the reason.
 */
export function endsNow(
  state: RunState,
  open: ReadonlyMap<number, AttemptRecord | null>,
  { lastSteps, end }: Stretch,
): readonly Answer[] {
  const answers = [...open].flatMap(([index, record]) => (record ? [{ index, record }] : []));
  const isLast = ({ index, record }: Answer) => endsAll(nodeAt(state, index), record);
  const last = answers.filter(isLast);
  const others = last.length === 0 ? answers : answers.filter((answer) => !isLast(answer));
  if (others.length > 0) return others;
  const root = lastSteps?.reason ?? end?.reason;
  const first =
    last.find(({ record }) => record.step === root?.step && record.item === root?.item) ?? last[0];
  return first ? [first] : [];
}

/** Whether nothing new starts after it, so that whatever else runs comes first. */
function endsAll({ step, failures }: StepNode, { status, error, decision }: AttemptRecord): boolean {
  if (status === "succeeded") {
    if (!step.gate || !decision) return false;
    const target = decision === "reject" ? step.gate.onReject : step.gate.onApprove;
    return target ? target.to !== "step" : decision === "reject";
  }
  if (status !== "interrupted" && mayRetry(step.retry, failures + 1, error?.code ?? "")) return false;
  return !step.allowFailure;
}
