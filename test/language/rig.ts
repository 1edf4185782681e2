import assert from "node:assert/strict";
import type { CommandStep, Step, Workflow } from "../../src/core/workflow.ts";
import { formatProblems } from "../../src/language/format-problem.ts";
import { type Loaded, loadWorkflow } from "../../src/language/load.ts";

/** `files`: the texts of files beside it. */
export function load(text: string, id?: string, files: Readonly<Record<string, string>> = {}): Loaded {
  const readFile = (path: string) => {
    const found = Object.hasOwn(files, path) ? files[path] : undefined;
    return found === undefined ? null : Buffer.from(found);
  };
  return loadWorkflow({ path: "w.yaml", bytes: Buffer.from(text), readFile }, { id });
}

/** The workflow of a text that has to be good. */
export function workflow(text: string, id?: string, files?: Readonly<Record<string, string>>): Workflow {
  const loaded = load(text, id, files);
  assert.equal(loaded.ok ? "" : formatProblems(loaded.problems), "");
  assert.ok(loaded.ok);
  return loaded.workflow;
}

/** A step that has to run a script. */
export function asCommand(step: Step | undefined): CommandStep {
  assert.ok(step?.type === "command");
  return step;
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
