import type { Failure } from "../core/event.ts";
import { type Json, typeName } from "../core/json.ts";
import type { RunState, StepNode } from "../core/state.ts";
import { renderValue, TemplateError, templatesIn } from "../core/template.ts";
import type { ValueTemplate } from "../core/workflow.ts";
import { attemptScope, type Places, pathsOf } from "./scope.ts";

/**
 * The list that a step with `foreach` goes through, or why there is none.
 *
 * @param readFile the text of an artifact, by its path in the run; null if it can not be read
 */
export function listOf(
  { state, places, node }: { readonly state: RunState; readonly places: Places; readonly node: StepNode },
  readFile: (file: string) => string | null,
): { readonly items: readonly Json[] } | Failure {
  const { foreach } = node.step;
  if (!foreach) throw new Error(`${node.step.id} has no foreach`);
  const scope = attemptScope(state, places, node, node.attempts + 1, pathsOf(templatesIn(foreach)));
  let value: Json;
  try {
    value = renderValue(foreach, scope);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { code: "TEMPLATE_ERROR", message: `foreach: ${error.message}` };
  }
  if (Array.isArray(value)) return { items: value };
  const file = fileNamed(state, foreach);
  const found = file === null ? value : parsed(readFile(file));
  if (Array.isArray(found)) return { items: found };
  const shown = "template" in foreach ? foreach.template.source : "it";
  const what = found === undefined ? `${file} is not JSON` : `${shown} is ${article(typeName(found))}`;
  return {
    code: "FOREACH_INVALID",
    message: `foreach needs a list, and ${what}`,
    hint: "an output that is a list is declared with `outputs: { name: { type: array } }`",
  };
}

/** An artifact that the template is exactly. */
function fileNamed(state: RunState, foreach: ValueTemplate): string | null {
  const [part] = "template" in foreach ? foreach.template.parts : [];
  if (typeof part !== "object" || part.segments[0] !== "steps") return null;
  const index = state.indexOf.get(part.segments[1] ?? "");
  const output = index === undefined ? undefined : state.steps[index]?.outputs[part.segments[3] ?? ""];
  return output && "file" in output ? output.file : null;
}

function parsed(text: string | null): Json | undefined {
  try {
    return text === null ? undefined : (JSON.parse(text) as Json);
  } catch {
    return undefined;
  }
}

function article(type: string): string {
  if (type === "null") return type;
  return `${/^[aeiou]/.test(type) ? "an" : "a"} ${type}`;
}
