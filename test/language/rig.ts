import assert from "node:assert/strict";
import type { Workflow } from "../../src/core/workflow.ts";
import { formatProblems } from "../../src/language/format-problem.ts";
import { type Loaded, loadWorkflow } from "../../src/language/load.ts";

export function load(text: string, id?: string): Loaded {
  return loadWorkflow({ path: "w.yaml", bytes: Buffer.from(text) }, { id });
}

/** The workflow of a text that has to be good. */
export function workflow(text: string, id?: string): Workflow {
  const loaded = load(text, id);
  assert.equal(loaded.ok ? "" : formatProblems(loaded.problems), "");
  assert.ok(loaded.ok);
  return loaded.workflow;
}

/** `CODE line:column` of each problem. */
export function problems(text: string, id?: string): string[] {
  const loaded = load(text, id);
  if (loaded.ok) return [];
  return loaded.problems.map(({ code, position }) => `${code} ${position?.line}:${position?.column}`);
}

/** A sequence of one step with these lines. */
export function oneStep(...lines: string[]): string {
  return `id: w\ninputs: [x, y]\nsteps:\n  - id: a\n${lines.map((line) => `    ${line}\n`).join("")}`;
}
