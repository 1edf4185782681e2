import type { JournalLine } from "../core/event.ts";
import type { RunRecord } from "../core/record.ts";
import type { RunState } from "../core/state.ts";
import { JournalTail } from "../review/follow.ts";
import { type GateRecord, readGate } from "../steps/approval.ts";
import { attemptDir } from "../store/layout.ts";
import { type DecideRequest, listRequests } from "../store/requests.ts";

/** A gate that waits for a person's decision. */
export interface OpenGate {
  readonly step: string;
  readonly attempt: number;
  /** Null if its file is not there yet, or can not be read: the next engine writes it. */
  readonly gate: GateRecord | null;
  /** The decision that an engine will take, once one looks: the first in `control/` that fits the gate. */
  readonly decided: (DecideRequest & { readonly file: string }) | null;
}

/** All open gates of a run, in file order. */
export function openGates(runDir: string, { runId, steps }: RunRecord): OpenGate[] {
  return Object.entries(steps).flatMap(([step, { status, attempts: attempt }]) => {
    if (status !== "waiting") return [];
    const gate = readGate(attemptDir(runDir, { step, attempt }));
    return [{ step, attempt, gate, decided: gate && firstDecision(runDir, runId, gate) }];
  });
}

/** The gate that a line of the journal opened. */
export function gateOpenedBy(line: JournalLine, runDir: string): OpenGate | null {
  // Nothing else is started without a process, unless it fails at once: then there is no such file.
  if (line.event !== "attempt_started" || line.volatile) return null;
  const { step, attempt } = line;
  const gate = readGate(attemptDir(runDir, { step, attempt }));
  return gate && { step, attempt, gate, decided: null };
}

/** The gates that are open in a state, as an engine has it that takes a run up again. */
export function gatesOf(state: RunState, runDir: string): OpenGate[] {
  return state.steps.flatMap(({ step: { id: step }, state: at }) => {
    if (at.status !== "waiting") return [];
    const { attempt } = at;
    return [{ step, attempt, gate: readGate(attemptDir(runDir, { step, attempt })), decided: null }];
  });
}

function firstDecision(runDir: string, runId: string, gate: GateRecord): OpenGate["decided"] {
  const fitting = listRequests(runDir).flatMap((found) => {
    if (!("ok" in found) || found.ok.request !== "decide") return [];
    const { step, attempt, nonce, digest, cookie } = found.ok;
    const fits = step === gate.step && attempt === gate.attempt && digest === gate.digest;
    const isOwn = cookie?.split(",").some((each) => each.startsWith(`${runId}/`)) ?? false;
    return fits && nonce === gate.volatile.nonce && !isOwn ? [{ ...found.ok, file: found.file }] : [];
  });
  if (fitting.length === 0) return null;
  const seen = new Set<string>();
  for (const line of new JournalTail(runDir).read()) {
    if (line.event === "request_taken" || line.event === "request_refused") seen.add(line.file);
  }
  return fitting.find(({ file }) => !seen.has(file)) ?? null;
}
