import type { Plan } from "../../engine/api.ts";
import { displayPath } from "../find-run.ts";
import { inputLines, shortValue } from "./inputs.ts";
import { field } from "./status.ts";
import { colors } from "./style.ts";
import { count, duration, indent, neutralize, oneLine } from "./text.ts";

/** `wf run --dry-run`. */
export function planText(plan: Plan): string {
  const order = plan.shape === "sequence" ? "one after the other" : "each as soon as what it needs is done";
  const lines = [
    field("workflow", plan.workflow),
    field("project", displayPath(plan.project)),
    field("runs", displayPath(plan.runsDir)),
    field("inputs", inputLines(plan.inputs, true).join(`\n${" ".repeat(10)}`)),
    field("steps", `${plan.steps.length}, ${order}`),
  ];
  plan.steps.forEach((step, index) => {
    lines.push("", `${colors().bold(`${index + 1}. ${step.id}`)}${conditions(step)}`);
    lines.push(indent(neutralize(step.text.trimEnd()), "   | "));
    for (const [name, value] of Object.entries(step.variables)) {
      lines.push(`   ${name} = ${value === null ? "known when the step starts" : shortValue(value)}`);
    }
  });
  lines.push("", "nothing was run and nothing was written");
  return lines.join("\n");
}

function conditions(step: Plan["steps"][number]): string {
  const notes = [
    ...(step.type === "command" ? [] : [step.type]),
    ...(step.needs.length > 0 ? [`after ${step.needs.join(", ")}`] : []),
    ...(step.when === undefined ? [] : [`when ${oneLine(step.when)}`]),
    ...(step.timeoutMs === undefined ? [] : [`at most ${duration(step.timeoutMs)}`]),
    ...(step.retries === 0 ? [] : [`up to ${count(step.retries, "retry", "retries")}`]),
  ];
  return notes.length === 0 ? "" : `   (${notes.join("; ")})`;
}
