import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { AttemptCause, Failure } from "../core/event.ts";
import { type Json, typeName } from "../core/json.ts";
import { nodeAt, type StepNode } from "../core/state.ts";
import { renderValue, TemplateError, templatesIn } from "../core/template.ts";
import type { ValueTemplate } from "../core/workflow.ts";
import { attemptScope, pathsOf } from "../steps/scope.ts";
import { failAtOnce } from "./fail-at-once.ts";
import type { Session } from "./session.ts";

/** Freezes the list that a step goes through; what is no list fails the step. */
export function startForeach(session: Session, index: number, cause: AttemptCause): void {
  const node = nodeAt(session.state, index);
  const { foreach } = node.step;
  if (!foreach) throw new Error(`${node.step.id} has no foreach`);
  const list = listOf(session, node, foreach);
  if (!("items" in list)) {
    failAtOnce(session, node, node.attempts + 1, cause, list);
    return;
  }
  session.record({ event: "foreach_started", step: node.step.id, cause, items: list.items });
}

function listOf(
  session: Session,
  node: StepNode,
  foreach: ValueTemplate,
): { readonly items: readonly Json[] } | Failure {
  const { state, places } = session;
  const scope = attemptScope(state, places, node, node.attempts + 1, pathsOf(templatesIn(foreach)));
  let value: Json;
  try {
    value = renderValue(foreach, scope);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { code: "TEMPLATE_ERROR", message: `foreach: ${error.message}` };
  }
  if (Array.isArray(value)) return { items: value };
  const file = fileNamed(session, foreach);
  const found = file === null ? value : readJson(join(places.runDir, file));
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
function fileNamed({ state }: Session, foreach: ValueTemplate): string | null {
  const [part] = "template" in foreach ? foreach.template.parts : [];
  if (typeof part !== "object" || part.segments[0] !== "steps") return null;
  const index = state.indexOf.get(part.segments[1] ?? "");
  const output = index === undefined ? undefined : state.steps[index]?.outputs[part.segments[3] ?? ""];
  return output && "file" in output ? output.file : null;
}

function readJson(path: string): Json | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Json;
  } catch {
    return undefined;
  }
}

function article(type: string): string {
  if (type === "null") return type;
  return `${/^[aeiou]/.test(type) ? "an" : "a"} ${type}`;
}
