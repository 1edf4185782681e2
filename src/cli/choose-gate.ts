import { WfError } from "../core/problem.ts";
import type { CurrentView } from "../review/view.ts";
import { type OpenGate, openGates } from "./gates.ts";
import { decideCommands, decidedText } from "./render/gate.ts";
import { attemptsOf, parseStepName } from "./step-name.ts";

export type ReadableGate = OpenGate & { readonly gate: NonNullable<OpenGate["gate"]> };

/** The gate that is meant. Raises NO_OPEN_GATE, STEP_NOT_FOUND, USAGE. */
export function chooseGate(
  { runDir, record }: CurrentView,
  named: string | undefined,
  run: string,
): ReadableGate {
  const open = openGates(runDir, record);
  const wanted = named === undefined ? undefined : parseStepName(named);
  if (wanted !== undefined) attemptsOf(record, wanted);
  const [found, ...others] = open.filter(
    ({ step, attempt }) =>
      wanted === undefined || (step === wanted.step && attempt === (wanted.attempt ?? attempt)),
  );
  if (found === undefined) {
    const what = named === undefined ? `no gate of run ${run} waits` : `${named} does not wait`;
    const waiting = open.map(({ step, attempt }) => `${step}/${attempt}`).join(", ");
    throw new WfError({
      code: "NO_OPEN_GATE",
      message: `${what} for a decision${waiting === "" ? `: the run is ${record.status}` : ""}`,
      hint: waiting === "" ? `look:  wf status ${run}` : `what waits: ${waiting}`,
    });
  }
  if (others.length > 0) {
    const commands = open.map(({ step }) => `  ${decideCommands(run, step).approve}`);
    throw new WfError({
      code: "USAGE",
      message: `${open.length} gates of run ${run} wait for a decision`,
      hint: ["name one of them:", ...commands].join("\n"),
    });
  }
  if (found.gate === null) {
    throw new WfError({
      code: "NO_OPEN_GATE",
      message: `what ${found.step} shows is not there yet: its engine was cut off, or has just begun`,
      hint: `wf resume ${run} writes it`,
    });
  }
  return { ...found, gate: found.gate };
}

/** For a gate whose decision waits for an engine. Raises NO_OPEN_GATE. */
export function refuseDecided({ step, attempt, decided }: OpenGate, run: string): void {
  if (decided === null) return;
  throw new WfError({
    code: "NO_OPEN_GATE",
    message: `${step}/${attempt} is decided already: ${decidedText(decided)}`,
    hint: `go on:  wf resume ${run}`,
  });
}
