import { join } from "node:path";
import { idsAround, isOfStep } from "../core/ids.ts";
import { CONTROL_POLL_MS, CONTROL_REREAD_MS } from "../core/limits.ts";
import { nodeAt, nodeOf } from "../core/state.ts";
import { changedSince, readGate } from "../steps/approval.ts";
import { attemptDir, RUN_FILES } from "../store/layout.ts";
import {
  type ControlRequest,
  type DecideRequest,
  type FoundRequest,
  listRequests,
} from "../store/requests.ts";
import { hasNewWithin } from "./nested-requests.ts";
import { recordEnd } from "./record-end.ts";
import type { Session } from "./session.ts";

/**
 * Takes or refuses every request in `control/` that has not been looked at, and records which. A run that has ended
 * takes none. Returns whether that changed what comes next.
 */
export function takeRequests(session: Session): boolean {
  const { state } = session;
  const requests = listRequests(session.places.runDir);
  const gates = state.waiting.size;
  finishTaken(session, requests);
  for (const request of requests) {
    const { file } = request;
    if (state.requests.has(file)) continue;
    const refusal = "refusedBecause" in request ? request.refusedBecause : take(session, file, request.ok);
    if (refusal !== null) session.record({ event: "request_refused", file, because: refusal });
  }
  return state.cancel !== null || state.waiting.size !== gates;
}

/** A decision that an engine had taken when it died, before it could end the gate's attempt. */
function finishTaken(session: Session, requests: readonly FoundRequest[]): void {
  const taken = session.state.takenDecision;
  if (taken === null || session.state.status !== "running") return;
  if (taken.decision !== null) {
    endGate(session, taken.decision, taken.decision.volatile.by);
    return;
  }
  const found = requests.find(({ file }) => file === taken.file);
  if (found && "ok" in found && found.ok.request === "decide") decideGate(session, found.ok);
}

/** Null if it was taken, else why not. */
function take(session: Session, file: string, request: ControlRequest): string | null {
  const { state } = session;
  if (state.status !== "running") return `the run is ${state.status}`;
  if (request.request === "decide") return takeDecision(session, file, request);
  if (state.cancel !== null) return "the run is being canceled already";
  const because = request.reason === "" ? "canceled on request" : `canceled: ${request.reason}`;
  session.record({ event: "request_taken", file, request: "cancel", because });
  return null;
}

/** A decision counts for the attempt, the nonce and the very bytes that were shown. */
function takeDecision(session: Session, file: string, request: DecideRequest): string | null {
  const { state, places } = session;
  const { step, attempt, decision, comment } = request;
  const index = state.indexOf.get(step);
  const node = index === undefined ? undefined : nodeAt(state, index);
  if (!node || index === undefined) return `there is no step ${step}`;
  if (node.state.status !== "waiting" || node.state.nested || node.state.attempt !== attempt) {
    return `attempt ${attempt} of ${step} does not wait for a decision (any more)`;
  }
  if (isOfStep(request.cookie, idsAround(state.runId, places.depth))) {
    session.record({ event: "security", step, attempt, what: "a step of this run tried to decide the gate" });
    return "a step can not decide a gate of its own run";
  }
  const gate = readGate(attemptDir(places.runDir, { step, attempt }));
  if (gate === null) return "the gate's file is missing or can not be read";
  if (request.nonce !== gate.volatile.nonce || request.digest !== gate.digest) {
    return "it was made for another gate: nonce or digest differ from those in gate.json";
  }
  const [changed] = changedSince(places.runDir, gate);
  if (changed !== undefined) {
    const message = `what was shown has changed since: ${changed}`;
    recordEnd(session, { index, attempt }, { status: "canceled", error: { code: "STALE", message } });
    return `${message}; the gate is opened again`;
  }
  const because = `${decision === "approve" ? "approved" : "rejected"}${comment === "" ? "" : `: ${comment}`}`;
  session.record({ event: "request_taken", file, request: "decide", because });
  decideGate(session, request);
  return null;
}

function decideGate(session: Session, request: DecideRequest): void {
  const { step, attempt, decision, comment, digest, by } = request;
  session.record({ event: "decision", step, attempt, decision, comment, digest, volatile: { by } });
  endGate(session, request, by);
}

function endGate(
  session: Session,
  decided: Pick<DecideRequest, "step" | "attempt" | "decision" | "comment">,
  by: string,
): void {
  const { step, attempt, decision, comment } = decided;
  const { index, state: at } = nodeOf(session.state, step);
  const answeredFrom = at.status === "waiting" ? at.answeredFrom : undefined;
  // A person may have been faster.
  const isAnswered = answeredFrom !== undefined && answeredFrom.fixture === by;
  const outputs = { decision: { value: decision }, ...(comment !== "" && { feedback: { value: comment } }) };
  recordEnd(
    session,
    { index, attempt },
    { status: "succeeded" },
    {
      ...{ outputs, security: [], decision },
      ...(isAnswered && { answeredFrom }),
    },
  );
}

/** Whether there is a request that nobody has looked at, to the run or to one in it that waits. */
export function hasNewRequests({ state, places }: Session): boolean {
  const isNew = listRequests(places.runDir).some(({ file }) => !state.requests.has(file));
  return isNew || hasNewWithin(state, places.runDir);
}

/**
 * Calls `onChange` when `control/` may have changed: on the watcher's hint, a moment later again, and every second
 * whatever the watcher says, since on some file systems it says nothing. Returns what ends it.
 */
export function watchControl(
  runDir: string,
  onChange: () => void,
): { hintToo(): Promise<void>; close(): void } {
  const timer = setInterval(onChange, CONTROL_POLL_MS);
  let closed = false;
  let closeWatcher: (() => Promise<void>) | undefined;
  return {
    async hintToo() {
      const { watch } = await import("chokidar");
      if (closed) return;
      const watcher = watch(join(runDir, RUN_FILES.control), { ignoreInitial: true, depth: 0 });
      closeWatcher = () => watcher.close();
      watcher.on("error", () => undefined);
      watcher.on("all", () => {
        onChange();
        setTimeout(onChange, CONTROL_REREAD_MS).unref();
      });
    },
    close() {
      closed = true;
      clearInterval(timer);
      void closeWatcher?.();
    },
  };
}
