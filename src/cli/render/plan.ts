import type { NestedPlan, Plan, PlannedStep } from "../../engine/api.ts";
import { displayPath } from "../find-run.ts";
import { inputLines, shortValue } from "./inputs.ts";
import { field } from "./status.ts";
import { colors } from "./style.ts";
import { count, duration, indent, neutralize, oneLine } from "./text.ts";

const LISTED_ITEMS = 5;

/** `wf run --dry-run`. */
export function planText(plan: Plan): string {
  const lines = [
    field("workflow", plan.workflow),
    field("project", displayPath(plan.project)),
    field("runs", displayPath(plan.runsDir)),
    field("inputs", inputLines(plan.inputs, true).join(`\n${" ".repeat(10)}`)),
    ...(plan.answers === undefined ? [] : [field("answers", answersText(plan.answers))]),
    field("steps", `${plan.steps.length}, ${order(plan.shape)}`),
  ];
  for (const step of stepLines(plan.steps)) lines.push("", ...step);
  lines.push("", "nothing was run and nothing was written");
  return lines.join("\n");
}

/** That depends on what the steps before them come to. */
function answersText(fixture: string): string {
  return `${oneLine(fixture.replace(/^project:/, ""))}; which attempts it answers is known only when they are due`;
}

function order(shape: Plan["shape"]): string {
  return shape === "sequence" ? "one after the other" : "each as soon as what it needs is done";
}

/** The lines of each step. */
function stepLines(steps: readonly PlannedStep[]): string[][] {
  return steps.map((step, index) => [
    `${colors().bold(`${index + 1}. ${step.id}`)}${conditions(step)}`,
    indent(neutralize(step.text.trimEnd()), "   | "),
    ...Object.entries(step.variables).map(([name, value]) => `   ${name} = ${valueText(value)}`),
    ...(step.nested ? nestedLines(step.nested) : []),
  ]);
}

function nestedLines({ workflow, shape, inputs, steps }: NestedPlan): string[] {
  const given = Object.entries(inputs).map(([name, value]) => `   ${name} = ${valueText(value)}`);
  if (steps === null) return [...given, `   the steps of ${workflow}, as above`];
  return [
    ...given,
    `   ${count(steps.length, "step")} of ${workflow}, ${order(shape)}:`,
    ...stepLines(steps).flatMap((lines) => lines.map((line) => indent(line, "   "))),
  ];
}

function valueText(value: PlannedStep["variables"][string]): string {
  return value === null ? "known when the step starts" : shortValue(value);
}

function conditions(step: PlannedStep): string {
  const notes = [
    ...(step.type === "command" ? [] : [step.type]),
    ...(step.needs.length > 0 ? [`after ${step.needs.join(", ")}`] : []),
    ...(step.foreach === undefined ? [] : [itemsText(step.foreach)]),
    ...(step.when === undefined ? [] : [`when ${oneLine(step.when)}`]),
    ...(step.timeoutMs === undefined ? [] : [`at most ${duration(step.timeoutMs)}`]),
    ...(step.retries === 0 ? [] : [`up to ${count(step.retries, "retry", "retries")}`]),
  ];
  return notes.length === 0 ? "" : `   (${notes.join("; ")})`;
}

/** `for each of 3 items: "dev", "prod", "stage"`. */
function itemsText(items: NonNullable<PlannedStep["foreach"]> | null): string {
  if (items === null) return "for each item of a list that is known when the step starts";
  const shown = items.slice(0, LISTED_ITEMS).map(shortValue);
  const more = items.length > shown.length ? ", …" : "";
  return `for each of ${count(items.length, "item")}${shown.length > 0 ? `: ${shown.join(", ")}${more}` : ""}`;
}
