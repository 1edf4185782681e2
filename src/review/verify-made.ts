import type { JsonObject } from "../core/json.ts";
import { isJsonObject, type Json } from "../core/json.ts";
import type { AgentStep, CommandStep, Step } from "../core/workflow.ts";
import { ATTEMPT_FILES } from "../store/layout.ts";
import { formatRecord } from "../store/record-text.ts";
import { VERSION } from "../system/version.ts";
import type { AttemptsContext, KnownAttempt, Present } from "./verify-attempts.ts";
import type { Rule } from "./verify-rules.ts";
import { CHANGED, differences, parsed } from "./verify-snapshot.ts";

/** What was made before a command could begin: script, prompt, context, and the call of an agent's client. */
export function checkMade(
  context: AttemptsContext,
  { started, attempt }: KnownAttempt,
  step: Step,
  path: string,
  { has, isFile }: Present,
): void {
  if (!started || step.type === "approval" || step.type === "workflow") return;
  const { findings, claims } = context;
  const lost = claims.mayHaveLostPower(started.epoch);
  const judge = (rule: Rule, name: string, fault: string | null) => {
    if (fault !== null) findings.unless(lost, rule, `${path}/${name}`, fault);
  };
  const { script, prompt, context: given, agent } = ATTEMPT_FILES;
  const due = step.type === "command" ? [script] : [prompt, given, agent];
  for (const name of started.volatile ? due : []) {
    if (!has(name)) judge("attempt-files", name, "it is missing");
  }
  const text = (name: string) => (isFile(name) ? context.files.text(`${path}/${name}`) : null);
  // Another version may make another text of the same step; in a run with secrets they are masked.
  const isOurs = context.versions.get(started.epoch) === VERSION;
  const isPlain = isOurs && !context.hasSecrets;
  if (step.type === "command") {
    const found = isPlain ? text(script) : null;
    if (found !== null) judge("attempt-script", script, scriptFault(found, step));
    return;
  }
  const shown = isPlain ? text(prompt) : null;
  if (shown !== null) judge("attempt-script", prompt, promptFault(shown, step));
  const call = text(agent);
  if (call !== null) judge("attempt-files", agent, agentFault(context, call));
  const told = text(given);
  if (told !== null) judge("attempt-files", given, contextFault(context, told, step.id, attempt));
}

/** Lines that read large values come before the step's own. */
const PRELUDE = /^(?:(\w+)=\$\(cat "\$WF_ATTEMPT_DIR\/values\/\1"; printf x\); \1=\$\{\1%x\}\n)*$/;

function scriptFault(found: string, step: CommandStep): string | null {
  const { text } = step.script;
  const due = text.endsWith("\n") ? text : `${text}\n`;
  if (found === due || (found.endsWith(due) && PRELUDE.test(found.slice(0, -due.length)))) return null;
  return "it is not the script of the step in workflow.yaml";
}

/** What stands between its templates is in the prompt as it was written; what they came to nobody else knows. */
function promptFault(found: string, { prompt }: AgentStep): string | null {
  let from = 0;
  for (const part of prompt.parts) {
    if (typeof part !== "string") continue;
    const text = part.replace(/\n+$/, "");
    const at = found.indexOf(text, from);
    if (at < 0) return "it is not the prompt of the step in the definition";
    from = at + text.length;
  }
  return null;
}

/** A record of which the journal holds no copy: at least it is whole. */
function agentFault({ gates }: AttemptsContext, text: string): string | null {
  const value = parsed(text);
  if (value === undefined) return "it is not JSON";
  return gates.schemas.fileFault("agent", value) ?? layoutFault(text, value);
}

function contextFault(
  { inputs }: AttemptsContext,
  text: string,
  step: string,
  attempt: number,
): string | null {
  const value = parsed(text);
  if (!isJsonObject(value)) return "it is not a JSON object";
  const due: JsonObject = { step, attempt, ...(inputs && { inputs }) };
  const found = Object.fromEntries(Object.keys(due).map((key) => [key, value[key] as Json]));
  const [first] = differences(found, due);
  return first ?? layoutFault(text, value);
}

function layoutFault(text: string, value: Json): string | null {
  return formatRecord(value as object) === text ? null : CHANGED;
}
