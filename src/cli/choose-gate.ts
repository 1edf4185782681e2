import { join, sep } from "node:path";
import { placeName } from "../core/ids.ts";
import { WfError } from "../core/problem.ts";
import type { CurrentView } from "../review/view.ts";
import { nestedDir, RUN_FILES } from "../store/layout.ts";
import { type OpenGate, openGates } from "./gates.ts";
import { decideCommands, decidedText } from "./render/gate.ts";
import { type Named, resolveName } from "./step-name.ts";

export type ReadableGate = OpenGate & { readonly gate: NonNullable<OpenGate["gate"]> };

/** The gate that is meant: the one that is named, or the only one within what is named. Raises NO_OPEN_GATE, STEP_NOT_FOUND, USAGE. */
export async function chooseGate(
  view: CurrentView,
  named: string | undefined,
  run: string,
): Promise<ReadableGate> {
  const open = await openGates(view);
  const wanted = named === undefined ? undefined : await resolveName(view, named);
  const fitting = wanted === undefined ? open : open.filter((gate) => isIn(gate, wanted));
  const [found, ...others] = fitting;
  if (found === undefined) {
    const what = named === undefined ? `no gate of run ${run} waits` : `${named} does not wait`;
    const waiting = open.map(({ name, attempt }) => `${name}/${attempt}`).join(", ");
    throw new WfError({
      code: "NO_OPEN_GATE",
      message: `${what} for a decision${waiting === "" ? `: the run is ${view.record.status}` : ""}`,
      hint: waiting === "" ? `look:  wf status ${run}` : `what waits: ${waiting}`,
    });
  }
  if (others.length > 0) {
    const commands = fitting.slice(0, LISTED).map(({ name }) => `  ${decideCommands(run, name).approve}`);
    const more = fitting.length > LISTED ? [`and ${fitting.length - LISTED} more`] : [];
    throw new WfError({
      code: "USAGE",
      message: `${fitting.length} gates of run ${run} wait for a decision`,
      hint: ["name one of them:", ...commands, ...more].join("\n"),
    });
  }
  if (found.gate === null) {
    throw new WfError({
      code: "NO_OPEN_GATE",
      message: `what ${found.name} shows is not there yet: its engine was cut off, or has just begun`,
      hint: `wf resume ${run} writes it`,
    });
  }
  return { ...found, gate: found.gate };
}

const LISTED = 20;

/** Whether it is the gate of that name, or one of a run nested in what has it. */
function isIn(gate: OpenGate, { view, step, item, attempt, newest, items }: Named): boolean {
  if (gate.runDir === view.runDir) return gate.step === step && gate.attempt === (attempt ?? newest);
  const within = items
    ? join(view.runDir, RUN_FILES.steps, placeName({ step }))
    : nestedDir(view.runDir, { step, item, attempt: attempt ?? newest });
  return gate.runDir === within || gate.runDir.startsWith(`${within}${sep}`);
}

/** For a gate whose decision waits for an engine. Raises NO_OPEN_GATE. */
export function refuseDecided({ name, attempt, decided }: OpenGate, run: string): void {
  if (decided === null) return;
  throw new WfError({
    code: "NO_OPEN_GATE",
    message: `${name}/${attempt} is decided already: ${decidedText(decided)}`,
    hint: `go on:  wf resume ${run}`,
  });
}
