import type { Json } from "../core/json.ts";
import type { RunState, StepNode } from "../core/state.ts";
import type { Workflow } from "../core/workflow.ts";
import { listOf } from "../steps/foreach.ts";
import type { Places } from "../steps/scope.ts";
import type { Diverged, Findings } from "./replay-difference.ts";
import type { Entry } from "./replay-record.ts";
import type { TextComparison } from "./replay-texts.ts";

export interface ListParts {
  readonly state: RunState;
  readonly node: StepNode;
  readonly places: Places;
  /** What the record has next for the step. */
  readonly entry: Entry;
  readonly files: ReadonlyMap<string, string>;
  /** The definition that the record was made with. */
  readonly before: Workflow;
  readonly texts: TextComparison;
}

/**
 * The list that a step goes through now, each item that is another one told of; null: it has none, as in the record.
 * Throws `Diverged` if nothing that follows in the record can belong to it.
 */
export function compareList(parts: ListParts, findings: Findings): readonly Json[] | null {
  const { node, entry, files } = parts;
  let part: string | null = null;
  const now = listOf(parts, (file) => {
    const text = files.get(file) ?? null;
    if (text !== null && /^<(?:cut|binary)> /.test(text)) part = file;
    return text;
  });
  if (part !== null && entry.kind === "list") {
    const name = findings.name({ step: node.step.id });
    findings.notes.push(`the list of ${name} is ${part}, of which the record has only a part`);
    return entry.items;
  }
  if ("items" in now) {
    if (entry.kind !== "list") throw other(parts, findings, `a list of ${now.items.length}`);
    compareItems(parts, entry.items, now.items, findings);
    return now.items;
  }
  if (entry.kind === "attempt" && entry.record?.error?.code === now.code) return null;
  throw other(parts, findings, now.message);
}

function other({ node, entry }: ListParts, findings: Findings, actual: string): Diverged {
  const expected =
    entry.kind === "list"
      ? `a list of ${entry.items.length}`
      : entry.kind === "attempt"
        ? (entry.record?.error?.message ?? "it runs once")
        : `skipped: ${entry.because}`;
  const step = node.step.id;
  const message = `${findings.name({ step })} goes through another list`;
  return findings.diverged({ kind: "items", step, message, expected, actual, keys: ["foreach"] });
}

function compareItems(
  { node, before, texts }: ListParts,
  recorded: readonly Json[],
  now: readonly Json[],
  findings: Findings,
): void {
  const step = node.step.id;
  const was = before.steps.find(({ id }) => id === step)?.foreach;
  const sameSource = JSON.stringify(was) === JSON.stringify(node.step.foreach);
  for (const [item, value] of recorded.entries()) {
    if (item >= now.length) break;
    const [expected, actual] = [value, now[item] ?? null].map((each) => `${JSON.stringify(each, null, 2)}\n`);
    if (texts.isSame(expected as string, actual as string, sameSource)) continue;
    const message = `${findings.name({ step, item })} is another item`;
    findings.differ({
      ...{ kind: "items", step, item, message, keys: ["foreach"] },
      ...{ expected: inShort(value), actual: inShort(now[item] ?? null) },
    });
  }
  if (recorded.length === now.length) return;
  const message = `${findings.name({ step })} has ${now.length} items, and had ${recorded.length}`;
  throw findings.diverged({
    ...{ kind: "items", step, message, keys: ["foreach"] },
    ...{ expected: inShort(recorded), actual: inShort(now) },
  });
}

function inShort(value: Json | readonly Json[]): string {
  const line = JSON.stringify(value);
  return line.length > 80 ? `${JSON.stringify(value, null, 2)}\n` : line;
}
