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
 * Events in an order that depends on the definition alone. A sequence has one, but for the items of a `foreach`. In a
 * graph what concerns the whole run stays at its place, and between two such events stand, step after step by rank and
 * item after item, each one's events as they came; then the requests that concern no step. Since a step ranks after what
 * it needs, nothing comes before its cause.
 */
export function ordered(lines: readonly JournalLine[], order: StepOrder): JournalLine[] {
  const out: JournalLine[] = [];
  let between: Placed[] = [];
  const flush = () => {
    out.push(...between.sort((a, b) => a.rank - b.rank || a.item - b.item).map(({ line }) => line));
    between = [];
  };
  for (const line of lines) {
    const placed =
      order.shape === "sequence" ? placeInSequence(line, between.length > 0) : placeInGraph(line, order);
    if (placed === null) {
      flush();
      out.push(line);
    } else between.push(placed);
  }
  flush();
  return out;
}

/** A line, and where it belongs among those that may come in any order. */
interface Placed {
  readonly line: JournalLine;
  readonly rank: number;
  readonly item: number;
}

function placeInGraph(line: JournalLine, { rank }: StepOrder): Placed | null {
  const step = stepOf(line);
  return step === RUN ? null : { line, rank: rank.get(step ?? "") ?? rank.size, item: itemOf(line) ?? -1 };
}

/** Only items come in any order, and requests while there are such. */
function placeInSequence(line: JournalLine, amongItems: boolean): Placed | null {
  const item = itemOf(line);
  if (item !== undefined) return { line, rank: 0, item };
  const isRequest = line.event === "request_taken" || line.event === "request_refused";
  return isRequest && amongItems ? { line, rank: 1, item: 0 } : null;
}

function itemOf(line: JournalLine): number | undefined {
  if (line.event === "attempt_ended") return line.record.item;
  return "item" in line ? line.item : undefined;
}

/** That a run was forked says nothing of what it does: what was changed then has lines of its own. */
export function isMeant(line: JournalLine): boolean {
  return line.event !== "engine_started" || line.how !== "fork";
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
    case "output_changed":
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

const ID = "[a-z][a-z0-9_-]*";
const NEEDS = `needs: (\\[[a-z0-9_, -]*\\]|${ID})`;
const ID_LINE = new RegExp(`^( *)- id: (${ID})$`);
const NEEDS_LINE = new RegExp(`^( *)${NEEDS}$`);
/** A step between braces, or the beginning of one. */
const BRACES_LINE = new RegExp(`^( *)- \\{ ?id: (${ID}), ${NEEDS}(?:,| ?\\})`);

/**
 * The needs of a graph that is written plainly: in each step an `id:` and a `needs:` on a line of its own, or both first
 * between braces; null if it is not. The ids have to be those of the run in the same order. A full reading takes as long
 * as all else together.
 */
export function scanNeeds(definition: string, ids: readonly string[]): ScannedSteps[] | null {
  const indexes = new Map(ids.map((id, index) => [id, index]));
  const steps: { id: string; needs?: number[] }[] = [];
  let indent = -1;
  for (const line of definition.split("\n")) {
    const begun = ID_LINE.exec(line) ?? BRACES_LINE.exec(line);
    if (begun) {
      const [, before = "", id = ""] = begun;
      if (indent < 0) indent = before.length;
      if (before.length !== indent || id !== ids[steps.length]) return null;
      steps.push({ id });
    }
    const list = begun ? begun[3] : needsOn(line, indent + 2);
    if (list === undefined) continue;
    const step = steps.at(-1);
    const named = list.replace(/[[\]]/g, "").split(",");
    const needs = named.flatMap((name) => (name.trim() === "" ? [] : (indexes.get(name.trim()) ?? -1)));
    if (!step || step.needs || needs.includes(-1)) return null;
    step.needs = needs;
  }
  if (steps.length !== ids.length) return null;
  const complete = steps.flatMap(({ id, needs }) => (needs ? [{ id, needs }] : []));
  return complete.length === ids.length ? complete : null;
}

function needsOn(line: string, indent: number): string | undefined {
  const [, before, list] = NEEDS_LINE.exec(line) ?? [];
  return before?.length === indent ? list : undefined;
}
