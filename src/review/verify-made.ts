import { isInputsRecord, partsOf } from "../core/input-parts.ts";
import type { JsonObject } from "../core/json.ts";
import { isJsonObject, type Json } from "../core/json.ts";
import type { AgentStep, CommandStep, Step } from "../core/workflow.ts";
import { withoutPrelude } from "../steps/command.ts";
import { declaresInputs, keyOf } from "../steps/input-key.ts";
import { ATTEMPT_FILES } from "../store/layout.ts";
import { formatRecord } from "../store/record-text.ts";
import { VERSION } from "../system/version.ts";
import type { AttemptsContext, KnownAttempt, Present } from "./verify-attempts.ts";
import type { Rule } from "./verify-rules.ts";
import { CHANGED, differences, parsed } from "./verify-snapshot.ts";

/** What was made before a command could begin: script, prompt, context, and the call of an agent's client. */
export function checkMade(
  context: AttemptsContext,
  { started, ended }: KnownAttempt,
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
  const inputs = step.type === "command" && declaresInputs(step) ? [ATTEMPT_FILES.inputs] : [];
  const due = step.type === "command" ? [script, ...inputs] : [prompt, given, agent];
  const { volatile } = started;
  // One that was to be taken over or answered when its engine died: what stood there was no use any more.
  const isGone = volatile && !("process" in volatile) && ended?.record.status === "not_run";
  for (const name of volatile && !isGone ? due : []) {
    if (!has(name)) judge("attempt-files", name, "it is missing");
  }
  const text = (name: string) => (isFile(name) ? context.files.text(`${path}/${name}`) : null);
  // Another version may make another text of the same step; in a run with secrets they are masked.
  const isOurs = context.versions.get(started.epoch) === VERSION;
  const isPlain = isOurs && !context.hasSecrets;
  if (step.type === "command") {
    const found = isPlain ? text(script) : null;
    if (found !== null) judge("attempt-script", script, scriptFault(found, step));
    const known = text(ATTEMPT_FILES.inputs);
    if (known !== null) judge("attempt-files", ATTEMPT_FILES.inputs, inputsFault(context, known));
    return;
  }
  const shown = isPlain ? text(prompt) : null;
  if (shown !== null) judge("attempt-script", prompt, promptFault(shown, step));
  const call = text(agent);
  if (call !== null) judge("attempt-files", agent, agentFault(context, call));
  const told = text(given);
  if (told !== null) judge("attempt-files", given, contextFault(context, told, started));
}

function scriptFault(found: string, step: CommandStep): string | null {
  const { text } = step.script;
  const due = text.endsWith("\n") ? text : `${text}\n`;
  if (found === due || withoutPrelude(found) === due) return null;
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

/** Its key is the digest of all else that it says. */
function inputsFault({ gates }: AttemptsContext, text: string): string | null {
  const value = parsed(text);
  if (value === undefined) return "it is not JSON";
  const fault = gates.schemas.fileFault("inputs", value) ?? layoutFault(text, value);
  if (fault !== null || !isInputsRecord(value)) return fault;
  return keyOf(partsOf(value)) === value.key ? null : "its key is not that of the inputs that it names";
}

function contextFault(
  { inputsAt }: AttemptsContext,
  text: string,
  { seq, step, attempt }: NonNullable<KnownAttempt["started"]>,
): string | null {
  const value = parsed(text);
  if (!isJsonObject(value)) return "it is not a JSON object";
  const inputs = inputsAt(seq);
  const due: JsonObject = { step, attempt, ...(inputs && { inputs }) };
  const found = Object.fromEntries(Object.keys(due).map((key) => [key, value[key] as Json]));
  const [first] = differences(found, due);
  return first ?? layoutFault(text, value);
}

function layoutFault(text: string, value: Json): string | null {
  return formatRecord(value as object) === text ? null : CHANGED;
}
