import type { JournalLine } from "../core/event.ts";
import { IndexSet } from "../core/index-set.ts";

/** The steps of a run as far as the order of events goes. */
export interface StepOrder {
  readonly shape: "sequence" | "graph";
  /** A step's place: after all that it needs, and else in the order of the file. */
  readonly rank: ReadonlyMap<string, number>;
}

export function orderOf(
  shape: StepOrder["shape"],
  steps: readonly { readonly id: string; readonly needs: readonly number[] }[],
): StepOrder {
  const rank = new Map<string, number>();
  const open = steps.map(({ needs }) => needs.length);
  const dependents: number[][] = steps.map(() => []);
  const free = new IndexSet(steps.length);
  steps.forEach(({ needs }, index) => {
    for (const need of needs) dependents[need]?.push(index);
    if (needs.length === 0) free.add(index);
  });
  for (let next = free.next(); next >= 0; next = free.next()) {
    free.delete(next);
    rank.set(steps[next]?.id ?? "", rank.size);
    for (const dependent of dependents[next] ?? []) {
      open[dependent] = (open[dependent] ?? 0) - 1;
      if (open[dependent] === 0) free.add(dependent);
    }
  }
  return { shape, rank };
}

/**
 * Events in an order that depends on the definition alone. A sequence has one. In a graph what concerns the whole run
 * stays at its place, and between two such events stand, step after step by rank, each step's events as they came; then
 * the requests that concern no step. Since a step ranks after what it needs, nothing comes before its cause.
 */
export function ordered(lines: readonly JournalLine[], order: StepOrder): JournalLine[] {
  if (order.shape === "sequence") return [...lines];
  const out: JournalLine[] = [];
  let between: { readonly line: JournalLine; readonly rank: number }[] = [];
  const flush = () => {
    out.push(...between.sort((a, b) => a.rank - b.rank).map(({ line }) => line));
    between = [];
  };
  for (const line of lines) {
    const step = stepOf(line);
    if (step === RUN) {
      flush();
      out.push(line);
    } else between.push({ line, rank: order.rank.get(step ?? "") ?? order.rank.size });
  }
  flush();
  return out;
}

const RUN = Symbol("the whole run");

/** The step that an event concerns; undefined: none, and it came at any time. */
function stepOf(line: JournalLine): string | undefined | typeof RUN {
  switch (line.event) {
    case "attempt_ended":
      return line.record.step;
    case "transition":
      return line.from;
    case "request_taken":
    case "request_refused":
      return /^control\/decide-(.+)-\d+-\d+\.json$/.exec(line.file)?.[1];
    case "attempt_started":
    case "attempt_adopted":
    case "attempt_waiting":
    case "attempt_resumed":
    case "foreach_started":
    case "attempt_stopping":
    case "decision":
    case "step_skipped":
    case "retry_scheduled":
    case "limit_clamped":
    case "security":
      return line.step;
    case "run_created":
    case "engine_started":
    case "finally_started":
    case "run_waiting":
    case "definition_changed":
    case "input_changed":
    case "run_ended":
      return RUN;
    default:
      return line satisfies never;
  }
}

/** What a scan of lines found out about a definition. */
export interface ScannedSteps {
  readonly id: string;
  readonly needs: readonly number[];
}

const ID_LINE = /^( *)- id: ([a-z][a-z0-9_-]*)$/;
const NEEDS_LINE = /^( *)needs: \[([a-z0-9_, -]*)\]$/;

/**
 * The needs of a graph that is written plainly, an `id:` and a `needs: […]` on a line of its own in each step; null if it
 * is not. The ids have to be those of the run in the same order. A full reading takes as long as all else together.
 */
export function scanNeeds(definition: string, ids: readonly string[]): ScannedSteps[] | null {
  const indexes = new Map(ids.map((id, index) => [id, index]));
  const steps: { id: string; needs?: number[] }[] = [];
  let indent = -1;
  for (const line of definition.split("\n")) {
    const id = ID_LINE.exec(line);
    if (id) {
      if (indent < 0) indent = id[1]?.length ?? 0;
      if (id[1]?.length !== indent || id[2] !== ids[steps.length]) return null;
      steps.push({ id: id[2] as string });
      continue;
    }
    const found = NEEDS_LINE.exec(line);
    if (!found || found[1]?.length !== indent + 2) continue;
    const step = steps.at(-1);
    const named = (found[2] as string).split(",").map((name) => name.trim());
    const needs = named.filter((name) => name !== "").map((name) => indexes.get(name) ?? -1);
    if (!step || step.needs || needs.includes(-1)) return null;
    step.needs = needs;
  }
  if (steps.length !== ids.length) return null;
  const complete = steps.flatMap(({ id, needs }) => (needs ? [{ id, needs }] : []));
  return complete.length === ids.length ? complete : null;
}
