import { variableName } from "./ids.ts";
import type { JsonObject } from "./json.ts";
import { templatesIn } from "./template.ts";
import type { Step, Target, Template, TemplatePath, Workflow } from "./workflow.ts";

/** A step that a changed definition or input makes run again, and why, in one sentence. */
export interface Affected {
  readonly step: string;
  readonly because: string;
}

/**
 * The steps of `after` whose results no longer count, in file order: those that are not as they were, or use an input
 * that is not, and what comes after them: in a graph what descends from them, in a sequence all that follows. A
 * timeout, a retry policy or a description changes no result.
 */
export function affectedSteps(
  before: Workflow,
  after: Workflow,
  inputs: { readonly before: JsonObject; readonly after: JsonObject },
): Affected[] {
  const changed = changedInputs(inputs);
  const main = after.steps.slice(0, after.mainSteps);
  const old = new Map(before.steps.slice(0, before.mainSteps).map((step) => [step.id, step]));
  const why = new Map<number, string>();
  for (const step of main) {
    const was = old.get(step.id);
    const because = was ? difference(before, was, after, step) : "it is new";
    const found = because ?? usedInput(after, step, changed);
    if (found !== null) why.set(step.index, found);
  }
  if (after.shape === "sequence") followInSequence(before, after, why);
  else followInGraph(after, why);
  return main.flatMap(({ id, index }) => {
    const because = why.get(index);
    return because === undefined ? [] : [{ step: id, because }];
  });
}

/** Names of the inputs whose values differ. */
export function changedInputs(inputs: {
  readonly before: JsonObject;
  readonly after: JsonObject;
}): Set<string> {
  const names = new Set([...Object.keys(inputs.before), ...Object.keys(inputs.after)]);
  const text = (of: JsonObject, name: string) => JSON.stringify(of[name] ?? null);
  return new Set([...names].filter((name) => text(inputs.before, name) !== text(inputs.after, name)));
}

/** A sequence has one way: where it leaves the old one, everything from there on is another. */
function followInSequence(before: Workflow, after: Workflow, why: Map<number, string>): void {
  const main = after.steps.slice(0, after.mainSteps);
  for (const { id, index } of main) {
    const first = Math.min(...why.keys());
    if (index > first) why.set(index, why.get(index) ?? `${after.steps[first]?.id} comes before it`);
    else if (before.steps[index]?.id !== id) why.set(index, why.get(index) ?? "another step comes before it");
  }
}

function followInGraph({ steps, mainSteps }: Workflow, why: Map<number, string>): void {
  // A step can stand before those that it needs.
  for (let before = -1; before !== why.size; ) {
    before = why.size;
    for (const { index, needs } of steps.slice(0, mainSteps)) {
      const need = needs.find((each) => why.has(each));
      if (need !== undefined && !why.has(index)) why.set(index, `it needs ${steps[need]?.id}`);
    }
  }
}

/** What a step gives depends on these; where it goes from there is looked at apart. */
const PARTS: readonly (readonly [string, (step: Step, workflow: Workflow) => unknown])[] = [
  ["type", ({ type }) => type],
  ["script", (step) => (step.type === "command" ? step.script.text : null)],
  ["shell", (step) => (step.type === "command" ? step.shell : null)],
  ["input_files", (step) => (step.type === "command" ? (step.inputFiles ?? null) : null)],
  ["prompt", (step) => ("prompt" in step ? step.prompt.source : null)],
  ["agent", (step) => ("agent" in step ? agentOf(step) : null)],
  ["message", (step) => (step.type === "approval" ? step.message.source : null)],
  ["workflow", (step) => (step.type === "workflow" ? plainWorkflow(step.definition.workflow, []) : null)],
  ["with", (step) => (step.type === "workflow" ? step.with : null)],
  ["when", ({ when }) => when?.source ?? null],
  ["foreach", ({ foreach }) => foreach ?? null],
  ["env", ({ env }) => env],
  ["env of the workflow", (_, workflow) => workflow.env],
  ["cwd", ({ cwd }) => cwd ?? null],
  ["workspace_mode", ({ workspaceMode }) => workspaceMode],
  ["outputs", ({ outputs }) => outputs],
  ["needs", ({ needs }, workflow) => needs.map((need) => workflow.steps[need]?.id).sort()],
  ["next", ({ next, gate }, workflow) => targets(workflow, [next, gate?.onApprove, gate?.onReject])],
  ["allow_failure", ({ allowFailure }) => allowFailure],
];

function difference(before: Workflow, was: Step, after: Workflow, is: Step): string | null {
  for (const [name, part] of PARTS) {
    const [old, now] = [part(was, before), part(is, after)];
    if (JSON.stringify(old) === JSON.stringify(now)) continue;
    if (name !== "script" || typeof old !== "string" || typeof now !== "string") return `its ${name} changed`;
    return `line ${firstDifferentLine(old, now)} of its script changed`;
  }
  return null;
}

function firstDifferentLine(old: string, now: string): number {
  const [before, after] = [old.split("\n"), now.split("\n")];
  for (let line = 0; ; line += 1) if (before[line] !== after[line]) return line + 1;
}

function agentOf({ agent }: Extract<Step, { agent: unknown }>): unknown {
  const { provider, model, args, env, permissions } = agent;
  return { provider, model: model ?? null, args, env, permissions };
}

/** A definition as data; a workflow that runs itself stands in itself by its name. */
function plainWorkflow(workflow: Workflow, around: readonly Workflow[]): unknown {
  if (around.includes(workflow)) return workflow.id;
  const within = [...around, workflow];
  const steps = workflow.steps.map((step) => {
    if (step.type !== "workflow") return step;
    const { definition, ...rest } = step;
    return { ...rest, definition: plainWorkflow(definition.workflow, within) };
  });
  return { ...workflow, steps };
}

function targets(workflow: Workflow, found: readonly (Target | undefined)[]): unknown {
  return found.map((target) =>
    target?.to === "step" ? workflow.steps[target.index]?.id : (target?.to ?? null),
  );
}

function usedInput(workflow: Workflow, step: Step, changed: ReadonlySet<string>): string | null {
  for (const name of changed) if (usesInput(workflow, step, name)) return `the input ${name} changed`;
  return null;
}

/** By a template or an expression, or by the variable that every command has of each input; agents are told all. */
function usesInput(workflow: Workflow, step: Step, name: string): boolean {
  if ("agent" in step) return true;
  const isIt = ({ segments }: TemplatePath) => segments[0] === "inputs" && segments[1] === name;
  const names = (templates: Iterable<Template>) =>
    [...templates].some(({ parts }) => parts.some((part) => typeof part !== "string" && isIt(part)));
  const texts = [...Object.values(workflow.env), ...Object.values(step.env), ...(step.cwd ? [step.cwd] : [])];
  if (names(texts) || (step.foreach && names(templatesIn(step.foreach)))) return true;
  if (step.when && mentions(step.when.source, name)) return true;
  switch (step.type) {
    case "command":
      return (
        step.script.variables.some(({ path }) => isIt(path)) ||
        step.script.text.includes(variableName("WF_INPUT", [name]))
      );
    case "approval":
      return names([step.message]);
    case "workflow":
      return names(Object.values(step.with).flatMap((value) => [...templatesIn(value)]));
    default:
      return step satisfies never;
  }
}

/** Of an expression it is enough to see the name: to run a step once too often does no harm. */
function mentions(expression: string, name: string): boolean {
  return expression.includes("inputs") && expression.includes(name);
}
