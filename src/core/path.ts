import type { Action } from "./action.ts";
import type { Decision, RunReason, TransitionCode } from "./event.ts";
import { isPassed, nodeAt, type PassedState, type RunState } from "./state.ts";
import type { Target } from "./workflow.ts";

/** Where a sequence goes after the step at `index` has been passed, with the decision it made if it is a gate. */
export function successor(
  state: RunState,
  index: number,
  how: PassedState["status"],
  decision: Decision | null,
): { to: string; because: { code: TransitionCode; message: string } } {
  const { step } = nodeAt(state, index);
  const { gate } = step;
  // A skipped gate goes on as if it had approved.
  const chosen = how === "failed" ? undefined : decision === "reject" ? gate?.onReject : gate?.onApprove;
  const target = chosen ?? step.next ?? following(state, index);
  const to = target.to === "step" ? nodeAt(state, target.index).step.id : target.to;
  const because = (code: TransitionCode, message: string) => ({ to, because: { code, message } });
  if (how === "skipped") return because("SKIPPED", `${step.id} was skipped`);
  if (how === "failed") return because("ALLOWED_FAILURE", `${step.id} failed, and may`);
  if (decision === "reject") return because("REJECTED", `${step.id} rejected`);
  if (chosen) return because("APPROVED", `${step.id} approved`);
  if (step.next) return because("NEXT_KEY", `the step's next is ${to}`);
  return target.to === "step"
    ? because("NEXT_IN_FILE", "next step in the file")
    : because("LAST_STEP", "last step in the file");
}

function following(state: RunState, index: number): Target {
  return index + 1 < state.workflow.mainSteps ? { to: "step", index: index + 1 } : { to: "done" };
}

/** A transition that is due, or one of the two ends. */
export function atCursor(state: RunState): Action | null {
  if (state.cursor === "done") return { do: "end", status: "succeeded" };
  if (state.cursor === "fail") return { do: "end", status: "failed", reason: whySentToFail(state) };
  if (state.workflow.shape === "graph") return null;
  const node = nodeAt(state, state.cursor);
  if (!isPassed(node.state)) return null;
  return {
    do: "transition",
    from: node.step.id,
    ...successor(state, state.cursor, node.state.status, node.decision),
  };
}

function whySentToFail(state: RunState): RunReason {
  const from = state.cameFrom === null ? undefined : nodeAt(state, state.cameFrom);
  const key =
    from?.decision === "reject" ? "on_reject" : from?.decision === "approve" ? "on_approve" : "next";
  return {
    code: key === "on_reject" ? "REJECTED" : "NEXT_FAIL",
    message: `the workflow ends here as failed: the step's ${key} is fail`,
    ...(from && { step: from.step.id, attempt: from.attempts }),
  };
}
