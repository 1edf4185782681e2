import type { JournalLine } from "../core/event.ts";
import { type AttemptName, idsAround, isOfStep, nameWithin } from "../core/ids.ts";
import type { StepRecord } from "../core/record.ts";
import type { RunState } from "../core/state.ts";
import { hasNested, itemsOfStep, viewNestedIfReadable } from "../review/inside.ts";
import { JournalTail } from "../review/journal-tail.ts";
import type { ReadableRun } from "../review/view.ts";
import { type GateRecord, readGate } from "../steps/approval.ts";
import { attemptDir } from "../store/layout.ts";
import { type DecideRequest, listRequests } from "../store/requests.ts";

/** A gate that waits for a person's decision. */
export interface OpenGate {
  /** From the outermost run: `deploy/item-3/sign_off`. */
  readonly name: string;
  /** The run that it is a gate of. */
  readonly runDir: string;
  readonly step: string;
  readonly attempt: number;
  /** Null if its file is not there yet, or can not be read: the next engine writes it. */
  readonly gate: GateRecord | null;
  /** The decision that an engine will take, once one looks: the first in `control/` that fits the gate. */
  readonly decided: (DecideRequest & { readonly file: string }) | null;
}

/** Where a run stands among those around it. */
interface Place {
  /** The steps that it is in; empty for the outermost. */
  readonly within: string;
  readonly depth: number;
}

const OUTERMOST: Place = { within: "", depth: 0 };

/** All open gates of a run and of those nested in it, in file order. */
export async function openGates(run: ReadableRun, place = OUTERMOST): Promise<OpenGate[]> {
  const found: OpenGate[] = [];
  for (const [step, record] of Object.entries(run.record.steps)) {
    if (!isActive(record)) continue;
    const parts = record.items === undefined ? [{ record }] : await itemsOfStep(run, step);
    for (const { record: of, ...item } of parts.filter((part) => isActive(part.record))) {
      const attempt = { step, ...("item" in item && { item: item.item }), attempt: of.attempts };
      found.push(...(await gatesOfAttempt(run, attempt, of, place)));
    }
  }
  return found;
}

/** A nested run may wait for a decision in one place and go on in another. */
function isActive({ status }: StepRecord): boolean {
  return status === "waiting" || status === "running";
}

async function gatesOfAttempt(
  { runDir, record: { runId } }: ReadableRun,
  attempt: AttemptName,
  { status }: StepRecord,
  { within, depth }: Place,
): Promise<OpenGate[]> {
  const name = nameWithin(within, attempt);
  const inner = await viewNestedIfReadable(runDir, attempt);
  if (inner !== null) return openGates(inner, { within: name, depth: depth + 1 });
  if (status !== "waiting" || hasNested(runDir, attempt)) return [];
  const gate = readGate(attemptDir(runDir, attempt));
  const decided = gate && firstDecision(runDir, idsAround(runId, depth), gate);
  return [{ name, runDir, step: attempt.step, attempt: attempt.attempt, gate, decided }];
}

/** The gate that a line of the journal opened. */
export function gateOpenedBy(line: JournalLine, runDir: string, within = ""): OpenGate | null {
  // Nothing else is started without a process, unless it fails at once or is a nested run: then there is no such file.
  if (line.event !== "attempt_started") return null;
  if (line.volatile && (!("notAnswered" in line.volatile) || "process" in line.volatile)) return null;
  const { step, attempt } = line;
  const gate = readGate(attemptDir(runDir, line));
  return gate && { name: nameWithin(within, line), runDir, step, attempt, gate, decided: null };
}

/** The gates that are open in a state, as an engine has it that takes a run up again. */
export function gatesOf(state: RunState, runDir: string, within = ""): OpenGate[] {
  return state.steps.flatMap(({ step: { id: step }, state: at }) => {
    // What a fixture decides is asked of nobody.
    if (at.status !== "waiting" || at.nested || at.answeredFrom) return [];
    const { attempt } = at;
    const gate = readGate(attemptDir(runDir, { step, attempt }));
    return [{ name: nameWithin(within, { step }), runDir, step, attempt, gate, decided: null }];
  });
}

function firstDecision(runDir: string, runIds: readonly string[], gate: GateRecord): OpenGate["decided"] {
  const fitting = listRequests(runDir).flatMap((found) => {
    if (!("ok" in found) || found.ok.request !== "decide") return [];
    const { step, attempt, nonce, digest, cookie } = found.ok;
    const fits = step === gate.step && attempt === gate.attempt && digest === gate.digest;
    const isOwn = isOfStep(cookie, runIds);
    return fits && nonce === gate.volatile.nonce && !isOwn ? [{ ...found.ok, file: found.file }] : [];
  });
  if (fitting.length === 0) return null;
  const seen = new Set<string>();
  for (const line of new JournalTail(runDir).read()) {
    if (line.event === "request_taken" || line.event === "request_refused") seen.add(line.file);
  }
  return fitting.find(({ file }) => !seen.has(file)) ?? null;
}
