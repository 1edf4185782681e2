import { join, relative, sep } from "node:path";
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
  /** Relative to the run that the gate is of. */
  readonly file: string;
}

/** What became of it. */
export type DecideResult = Answer | { readonly kind: "later" } | { readonly kind: "resumed" };

/** What was decided, before anything is done about it. */
export function gateText({ gate, request: { by, decision, comment } }: Decided): string {
  return [
    `${gate.name}/${gate.attempt}`,
    ...shownLines(gate),
    `  ${`${decision}:`.padEnd(9)} ${oneLine(comment === "" ? by : `${by}: ${comment}`)}`,
  ].join("\n");
}

export function decideText(decided: Decided, result: DecideResult): string {
  const { name, gate, request } = decided;
  const what = `${gate.name}/${gate.attempt} of run ${name}`;
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
      return `the decision is in ${requestFile(decided)}, but no engine has taken it yet; the run is ${livenessText(result.driver)}\n${look}`;
    default:
      return result satisfies never;
  }
}

/** Described by `schemas/cli/approve.schema.json` and `schemas/cli/reject.schema.json`. */
export function decideJson(decided: Decided, result: DecideResult, outcome: object | null): object {
  const { name, runDir, gate, request } = decided;
  const { message, artifacts } = gateJson(gate, name);
  return {
    run: name,
    runDir,
    name: gate.name,
    step: gate.step,
    attempt: gate.attempt,
    message,
    artifacts,
    decision: request.decision,
    comment: request.comment,
    by: request.by,
    request: requestFile(decided),
    result: result.kind,
    because: result.kind === "refused" ? result.because : null,
    liveness: "driver" in result ? livenessJson(result.driver) : null,
    outcome,
  };
}

/** Relative to the run that was named. */
function requestFile({ runDir, gate, file }: Decided): string {
  return relative(runDir, join(gate.runDir, file)).replaceAll(sep, "/");
}
