import type { DecideRequest } from "../../store/requests.ts";
import type { OpenGate } from "../gates.ts";
import type { Answer } from "../request.ts";
import { gateJson, PAST, shownLines } from "./gate.ts";
import { livenessJson, livenessText } from "./liveness.ts";
import { oneLine, shellWord } from "./text.ts";

/** A decision that lies in `control/`. */
export interface Decided {
  /** What the run is called in the commands that are printed. */
  readonly name: string;
  readonly runDir: string;
  readonly gate: OpenGate;
  readonly request: Omit<DecideRequest, "request">;
  readonly file: string;
}

/** What became of it. */
export type DecideResult = Answer | { readonly kind: "later" } | { readonly kind: "resumed" };

/** What was decided, before anything is done about it. */
export function gateText({ gate, runDir, request: { by, decision, comment } }: Decided): string {
  return [
    `${gate.step}/${gate.attempt}`,
    ...shownLines(gate, runDir),
    `  ${`${decision}:`.padEnd(9)} ${oneLine(comment === "" ? by : `${by}: ${comment}`)}`,
  ].join("\n");
}

export function decideText({ name, gate, request, file }: Decided, result: DecideResult): string {
  const what = `${gate.step}/${gate.attempt} of run ${name}`;
  const look = `look:    wf status ${shellWord(name)}`;
  switch (result.kind) {
    case "taken":
      return `${what} is ${PAST[request.decision]}: the engine has taken the decision and goes on\n${look}`;
    case "refused":
      return `${what} was not ${PAST[request.decision]}: ${oneLine(result.because)}\n${look}`;
    case "later":
      return `${what} is ${PAST[request.decision]}; nobody drives the run, the next resume takes the decision\nresume:  wf resume ${shellWord(name)}`;
    case "resumed":
      return `${what} is ${PAST[request.decision]}\n${look}`;
    case "left":
      return `the decision is in ${file}, but no engine has taken it yet; the run is ${livenessText(result.driver)}\n${look}`;
    default:
      return result satisfies never;
  }
}

/** Described by `schemas/cli/approve.schema.json` and `schemas/cli/reject.schema.json`. */
export function decideJson(decided: Decided, result: DecideResult, outcome: object | null): object {
  const { name, runDir, gate, request, file } = decided;
  const { message, artifacts } = gateJson(gate, runDir, name);
  return {
    run: name,
    runDir,
    step: gate.step,
    attempt: gate.attempt,
    message,
    artifacts,
    decision: request.decision,
    comment: request.comment,
    by: request.by,
    request: file,
    result: result.kind,
    because: result.kind === "refused" ? result.because : null,
    liveness: "driver" in result ? livenessJson(result.driver) : null,
    outcome,
  };
}
