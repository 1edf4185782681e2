import { suggest } from "./did-you-mean.ts";
import type { StepReference } from "./names.ts";
import type { Node } from "./node.ts";
import type { Reader } from "./read.ts";
import type { Problems } from "./report.ts";
import { FINALLY_HINT } from "./targets.ts";

/** A step's `needs` as read: indexes, and where each stands. */
export interface Needs {
  readonly indexes: readonly number[];
  readonly nodes: readonly Node[];
}

const NO_NEEDS: Needs = { indexes: [], nodes: [] };

export function readNeeds(
  node: Node | undefined,
  id: string,
  steps: ReadonlyMap<string, number>,
  mainSteps: number,
  reader: Reader,
): Needs {
  const texts = reader.texts(node, "`needs`");
  if (texts.length === 0) return NO_NEEDS;
  const indexes: number[] = [];
  const nodes: Node[] = [];
  for (const text of texts) {
    const index = steps.get(text.value);
    if (index === undefined || index >= mainSteps) {
      const hint = index === undefined ? suggest(text.value, steps, "steps") : FINALLY_HINT;
      const what = index === undefined ? "not a step" : "a step of `finally`";
      reader.problems.add("UNKNOWN_STEP", text, `step ${id} needs "${text.value}", which is ${what}`, hint);
    } else if (indexes.includes(index)) {
      reader.problems.add("BAD_VALUE", text, `step ${id} needs "${text.value}" twice`);
    } else {
      indexes.push(index);
      nodes.push(text);
    }
  }
  return { indexes, nodes };
}

/** Reports each circle of `needs` as a path; false if there is none. */
export function checkCycles(needs: readonly Needs[], ids: readonly string[], problems: Problems): boolean {
  const state = new Uint8Array(needs.length);
  const place = new Uint8Array(needs.length);
  let found = false;
  for (let root = 0; root < needs.length; root++) {
    if (state[root] !== 0) continue;
    const path = [root];
    const nexts = [0];
    state[root] = 1;
    while (path.length > 0) {
      const step = path.at(-1) as number;
      const edge = nexts[nexts.length - 1] as number;
      nexts[nexts.length - 1] = edge + 1;
      const to = needs[step]?.indexes[edge];
      if (to === undefined) {
        state[step] = 2;
        path.pop();
        nexts.pop();
      } else if (state[to] === 0) {
        state[to] = 1;
        path.push(to);
        nexts.push(0);
      } else if (state[to] === 1) {
        found = true;
        const circle = path.slice(path.indexOf(to));
        // Circles that share a step are mostly one mistake: one of them is shown.
        if (circle.some((each) => place[each] === 1)) continue;
        for (const each of circle) place[each] = 1;
        const names = [...circle, to].map((each) => ids[each]).join(" -> ");
        const node = needs[step]?.nodes[edge] as Node;
        problems.add(
          "CYCLE",
          node,
          `steps need each other in a circle: ${names}`,
          "a -> b reads: a needs b; take one `needs` out",
        );
      }
    }
  }
  return found;
}

const CHUNK = 31;

/**
 * In a graph a text may name ancestors only, so that timing decides nothing. Targets are followed 31 at a time through
 * the graph, as bits: one pass of all steps for each chunk, not one for each text.
 */
export function checkAncestors(
  references: readonly StepReference[],
  needs: readonly Needs[],
  ids: readonly string[],
  problems: Problems,
): void {
  const indirect = references.filter(({ from, to }) => !needs[from]?.indexes.includes(to));
  const targets = [...new Set(indirect.map(({ to }) => to))];
  const order = targets.length > 0 ? inOrder(needs) : [];
  const reached = new Int32Array(needs.length);
  const byTarget = new Map<number, StepReference[]>(targets.map((target) => [target, []]));
  for (const reference of indirect) byTarget.get(reference.to)?.push(reference);
  for (let from = 0; from < targets.length; from += CHUNK) {
    const bits = new Map(targets.slice(from, from + CHUNK).map((target, bit) => [target, 1 << bit]));
    reached.fill(0);
    for (const step of order) {
      let seen = 0;
      for (const need of needs[step]?.indexes ?? []) seen |= (reached[need] ?? 0) | (bits.get(need) ?? 0);
      reached[step] = seen;
    }
    for (const [target, bit] of bits) {
      for (const reference of byTarget.get(target) ?? []) {
        if (((reached[reference.from] ?? 0) & bit) === 0) report(reference, ids, problems);
      }
    }
  }
}

function report({ from, to, id, at }: StepReference, ids: readonly string[], problems: Problems): void {
  const message =
    from === to ? `step ${id} can not use its own results` : `step ${ids[from]} does not wait for step ${id}`;
  const hint =
    from === to ? undefined : `add ${id} to the \`needs\` of ${ids[from]}, or of a step that it needs`;
  problems.add("UNKNOWN_NAME", at, message, hint);
}

/** Each step after those it needs. */
function inOrder(needs: readonly Needs[]): number[] {
  const waiting = needs.map((each) => each.indexes.length);
  const dependents: number[][] = needs.map(() => []);
  for (const [step, { indexes }] of needs.entries()) for (const need of indexes) dependents[need]?.push(step);
  const order = [...waiting.keys()].filter((step) => waiting[step] === 0);
  for (const step of order) {
    for (const next of dependents[step] ?? []) {
      waiting[next] = (waiting[next] ?? 0) - 1;
      if (waiting[next] === 0) order.push(next);
    }
  }
  return order;
}
