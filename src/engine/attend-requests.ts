import { WfError } from "../core/problem.ts";
import type { Outcome } from "./api.ts";
import { checkResume } from "./check-resume.ts";
import { driveAndRelease, letGo } from "./conclude.ts";
import { hasNewRequests, takeRequests } from "./control.ts";
import type { InnerOptions } from "./drive-group.ts";
import { hasNewWithin } from "./nested-requests.ts";
import { engineStarted } from "./new-run.ts";
import { reopen } from "./reopen.ts";

/**
 * Claims a run once more for requests that came when its engine had already let go, until there are none: decisions
 * and a cancel of a run that waits are carried out, everything else is refused.
 */
export async function attendRequests(outcome: Outcome, options: InnerOptions): Promise<Outcome> {
  let latest: Outcome & { readonly moreRequests?: boolean } = outcome;
  do {
    try {
      latest = await attendOnce(latest, options);
    } catch (error) {
      // Another engine was faster: they are its business now.
      if (error instanceof WfError && error.code === "RUN_LOCKED") return outcome;
      throw error;
    }
  } while (latest.moreRequests);
  return latest;
}

async function attendOnce(
  outcome: Outcome,
  options: InnerOptions,
): Promise<Outcome & { readonly moreRequests?: boolean }> {
  const { runDir } = outcome;
  const { secrets, env, inside } = options;
  const request = { runDir, ...(secrets && { secrets }), ...(env && { env }), ...(inside && { inside }) };
  const checked = await checkResume(runDir, request);
  const session = await reopen(runDir, checked, options);
  const { state } = session;
  const { reason, waitingUntil: until } = state;
  if (state.status === "waiting")
    session.record(engineStarted("resume", { project: checked.project, runDir }));
  const changed = takeRequests(session) || hasNewWithin(state, runDir);
  if (!changed && state.status === "running" && reason !== null) {
    session.record({ event: "run_waiting", reason, ...(until !== null && { volatile: { until } }) });
  }
  session.commit();
  if (state.status === "running") {
    // `wf next` has made its one attempt.
    return driveAndRelease(session, options.attempts === undefined ? options : { ...options, attempts: 0 });
  }
  session.writeSnapshot();
  const record = session.toRecord();
  letGo(session);
  return { ...outcome, record, moreRequests: hasNewRequests(session) };
}
