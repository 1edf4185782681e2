import type { JournalLine, OutputValue } from "../core/event.ts";
import type { Json } from "../core/json.ts";
import type { RunState, StepNode } from "../core/state.ts";

/** What was changed on the way through a record, and where in its journal. */
export class Changes {
  readonly #inputs: { readonly at: number; readonly name: string; readonly value: Json }[] = [];
  /** Values as they were before; a record has those that came after. */
  readonly #values: { readonly at: number; readonly output: Place; readonly old: OutputValue }[] = [];
  readonly #files: { readonly at: number; readonly file: string }[] = [];

  constructor(lines: readonly JournalLine[] = []) {
    for (const [at, line] of lines.entries()) {
      if (line.event === "input_changed") this.#inputs.push({ at, name: line.what, value: line.new });
      if (line.event !== "output_changed") continue;
      if ("file" in line.old) this.#files.push({ at, file: line.old.file });
      else this.#values.push({ at, output: line, old: line.old });
    }
  }

  /** The state as it was seen from a place of the journal. */
  asOf(state: RunState, at: number): RunState {
    const inputs = { ...state.inputs };
    for (const change of this.#inputs) if (change.at < at) inputs[change.name] = change.value;
    const later = this.#values.filter((change) => change.at > at);
    return { ...state, inputs, ...(later.length > 0 && { steps: withOld(state, later) }) };
  }

  /** Whether nobody knows any more what a file held then. */
  isReplaced(file: string, at: number): boolean {
    return this.#files.some((change) => change.file === file && change.at > at);
  }
}

interface Place {
  readonly step: string;
  readonly attempt: number;
  readonly output: string;
}

function withOld(
  state: RunState,
  later: readonly { readonly output: Place; readonly old: OutputValue }[],
): RunState["steps"] {
  const steps = [...state.steps];
  // The first change of an output is made last: it says what there was at the beginning.
  for (const { output, old } of [...later].reverse()) {
    const index = state.indexOf.get(output.step);
    const node = index === undefined ? undefined : steps[index];
    if (index === undefined || node === undefined || !isOf(node, output)) continue;
    const put = (outputs: StepNode["outputs"]) =>
      Object.hasOwn(outputs, output.output) ? { ...outputs, [output.output]: old } : outputs;
    steps[index] = { ...node, outputs: put(node.outputs), produced: put(node.produced) };
  }
  return steps;
}

function isOf({ state }: StepNode, { attempt }: Place): boolean {
  return state.status === "succeeded" && state.attempt === attempt;
}
