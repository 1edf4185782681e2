/* Open gates, and the files that decide them, as a person with an editor would make them. */
import * as fs from "node:fs";
import { join } from "node:path";
import { readJournal } from "./journal.ts";
import { until } from "./wait.ts";

export type Decision = "approve" | "reject";

/** What `gate.json` holds, as far as a decision needs it. */
export interface Gate {
  readonly step: string;
  readonly attempt: number;
  readonly message: string;
  readonly shows: readonly { readonly file: string; readonly sha256: string }[];
  readonly digest: string;
  readonly volatile: { readonly nonce: string };
}

/** Null as long as it is not there. */
export function readGate(runDir: string, step: string, attempt: number): Gate | null {
  try {
    return JSON.parse(fs.readFileSync(join(runDir, `steps/${step}/attempt-${attempt}/gate.json`), "utf8"));
  } catch {
    return null;
  }
}

export async function untilGate(runDir: string, step: string, attempt = 1): Promise<Gate> {
  return until(() => readGate(runDir, step, attempt), `the gate ${step}, attempt ${attempt}`);
}

/** A whole request; `change` makes it another one. */
export function decisionOn(
  gate: Gate,
  decision: Decision,
  comment = "",
  change: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const { step, attempt, digest } = gate;
  const { nonce } = gate.volatile;
  return { request: "decide", step, attempt, decision, comment, nonce, digest, by: "ann", ...change };
}

/** Puts a request into `control/`, whole and durable, under the n-th name; its path relative to the run. */
export function putRequest(runDir: string, request: Readonly<Record<string, unknown>>, n = 1): string {
  const file = `control/decide-${request.step}-${request.attempt}-${n}.json`;
  return putFile(runDir, file, `${JSON.stringify(request, null, 2)}\n`);
}

export function putFile(runDir: string, file: string, text: string): string {
  const beside = join(runDir, `.by-hand-${process.pid}`);
  fs.mkdirSync(join(runDir, "control"), { recursive: true });
  const fd = fs.openSync(beside, "wx");
  try {
    fs.writeSync(fd, text);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
  try {
    fs.linkSync(beside, join(runDir, file));
  } finally {
    fs.unlinkSync(beside);
  }
  return file;
}

/** Decides a gate that is open, by hand. */
export function decideByHand(
  runDir: string,
  step: string,
  attempt: number,
  decision: Decision,
  comment = "",
): string {
  const gate = readGate(runDir, step, attempt);
  if (gate === null) throw new Error(`attempt ${attempt} of ${step} has no gate.json`);
  return putRequest(runDir, decisionOn(gate, decision, comment));
}

/** The attempts of `steps` that have started and not ended, by the journal: gates that wait. */
export function openGatesOf(runDir: string, steps: readonly string[]): { step: string; attempt: number }[] {
  const open = new Map<string, number>();
  for (const line of readJournal(runDir)) {
    if (line.event === "attempt_started" && steps.includes(line.step)) open.set(line.step, line.attempt);
    if (line.event === "attempt_ended") open.delete(line.record.step);
  }
  return [...open].map(([step, attempt]) => ({ step, attempt }));
}

/** What became of a request: `taken`, why it was refused, or null while nobody has looked at it. */
export function answerTo(runDir: string, file: string): string | null {
  const line = readJournal(runDir).find(
    (one) => one.file === file && (one.event === "request_taken" || one.event === "request_refused"),
  );
  if (!line) return null;
  return line.event === "request_taken" ? "taken" : line.because;
}

/** The decisions that count, such as `ask/1 reject`, in order. */
export function decisionsOf(runDir: string): string[] {
  return readJournal(runDir)
    .filter(({ event }) => event === "decision")
    .map(({ step, attempt, decision }) => `${step}/${attempt} ${decision}`);
}
