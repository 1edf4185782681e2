import { changesBetween } from "../core/input-changes.ts";
import {
  canonicalText,
  type InputParts,
  type InputsRecord,
  isInputsRecord,
  partsOf,
} from "../core/input-parts.ts";
import type { JsonObject } from "../core/json.ts";
import { filesOf } from "../core/output-value.ts";
import { placeOf } from "../core/state.ts";
import { TemplateError } from "../core/template.ts";
import type { AgentStep, ApprovalStep, CommandStep, Step, Template, TemplatePath } from "../core/workflow.ts";
import { contextText, messageText, promptText } from "../steps/agent-prompt.ts";
import { type GateRecord, prepareGate } from "../steps/approval.ts";
import { pathsOfStep, withoutPrelude } from "../steps/command.ts";
import { type Around, declared, inputsOf, partsOfTemplates } from "../steps/input-key.ts";
import { PreparationError } from "../steps/prepare.ts";
import { attemptScope, pathsOf } from "../steps/scope.ts";
import { ATTEMPT_FILES, attemptDir } from "../store/layout.ts";
import type { AnswerPlaces } from "./answer-places.ts";
import { jsonOf } from "./canon.ts";
import { canonicalInputs } from "./canon-records.ts";

/** An attempt that is about to begin, and the one of the fixture that may answer it. */
export interface Pair {
  readonly live: Around & {
    /** The attempt's number. */
    readonly attempt: number;
    /** Digests of the input files that it declares. */
    readonly inputFiles: InputParts["files"];
  };
  readonly recorded: Around & { readonly step: Step; readonly attempt: number };
  /** Of the recorded attempt, by their path in its folder. */
  readonly files: ReadonlyMap<string, string>;
  readonly places: AnswerPlaces;
}

/** What the attempt is given, to be written beside what it leaves; by file. */
export type Texts = ReadonlyMap<string, string>;

/** The texts of the attempt, if it is given what the recorded one was; else why not, as the end of a sentence. */
export function compareGiven(pair: Pair): Texts | string {
  const { step } = pair.live.node;
  const before = pair.recorded.step;
  if (before.type !== step.type) return `it was a step of the type ${before.type}`;
  try {
    switch (step.type) {
      case "command":
        return command(pair, step, before as CommandStep);
      case "agent_task":
      case "agent_review":
        return agent(pair, step, before as AgentStep);
      case "approval":
        return approval(pair, step);
      case "workflow":
        throw new Error(`the steps of ${step.id} are answered one by one`);
      default:
        return step satisfies never;
    }
  } catch (error) {
    if (error instanceof TemplateError || error instanceof PreparationError) return error.message;
    throw error;
  }
}

function command(pair: Pair, step: CommandStep, before: CommandStep): Texts | string {
  const { live, recorded, files, places } = pair;
  const script = files.get(ATTEMPT_FILES.script);
  if (script === undefined) return NEVER_RAN;
  learnArtifacts(pair, pathsOfStep(live.state, step));
  const now = inputsOf({ ...live, step }, live.inputFiles).parts;
  const was = inputsOf({ ...recorded, step: before }, recordedFiles(files)).parts;
  const scripts = { before: before.script.text, now: step.script.text };
  const [first] = changesBetween(cleaned(was, now, places), cleaned(now, was, places), scripts);
  if (first !== undefined) return first;
  const { text } = step.script;
  return new Map([[ATTEMPT_FILES.script, preludeOf(script) + text + (text.endsWith("\n") ? "" : "\n")]]);
}

const NEVER_RAN = "the attempt in the fixture failed before anything ran";

/** The lines that read large values. */
function preludeOf(script: string): string {
  return script.slice(0, script.length - withoutPrelude(script).length);
}

function recordedFiles(files: Pair["files"]): InputParts["files"] {
  const text = files.get(ATTEMPT_FILES.inputs);
  const record = text === undefined ? null : jsonOf(text);
  return isInputsRecord(record) ? record.files : {};
}

/**
 * In the canonical form, of which the recorded parts have places of this machine too: those that stand in the definition.
 * What is the same in both is left out: an id that was chosen for this run may be a word there.
 */
function cleaned(parts: InputParts, others: InputParts, { cleaner }: AnswerPlaces): InputParts {
  const values = differing(parts.values, others.values);
  const record = { ...parts, values, env: differing(parts.env, others.env), key: "" };
  return partsOf(canonicalInputs(record as unknown as JsonObject, cleaner) as unknown as InputsRecord);
}

function differing(values: InputParts["values"], others: InputParts["values"]): InputParts["values"] {
  const isOther = ([name, value]: [string, unknown]) => canonicalText(value) !== canonicalText(others[name]);
  return Object.fromEntries(Object.entries(values).filter(isOther));
}

function agent(pair: Pair, step: AgentStep, before: AgentStep): Texts | string {
  const { live, files, places } = pair;
  if (!files.has(ATTEMPT_FILES.prompt)) return NEVER_RAN;
  if (calledWith(step) !== calledWith(before)) return "its agent is called with other options";
  const around = templatesAround(live, step);
  learnArtifacts(pair, pathsOf(Object.values(around)));
  const now = partsAround(live, step);
  const was = partsAround(pair.recorded, before);
  const [first] = changesBetween(cleaned(was, now, places), cleaned(now, was, places), NO_SCRIPTS);
  if (first !== undefined) return first;
  // Those before it that count for nothing, such as one that a crash cut off, change its number and no more.
  for (const [file, text] of agentTexts(pair, step, pair.recorded.attempt)) {
    if (!places.isSame(files.get(file) ?? "", text)) return `its ${file} is another one`;
  }
  return agentTexts(pair, step, live.attempt);
}

function agentTexts({ live, files }: Pair, step: AgentStep, attempt: number): Texts {
  const { state, places, node } = live;
  const dir = attemptDir(places.runDir, { ...placeOf(node), attempt });
  const templates = [...Object.values(templatesAround(live, step)), step.prompt];
  const scope = attemptScope(state, places, node, attempt, [...pathsOf(templates)]);
  const context = { state, places, node, step, attempt, dir };
  const texts: [string, string][] = [
    [ATTEMPT_FILES.prompt, promptText(context, scope)],
    [ATTEMPT_FILES.context, contextText(context, scope)],
  ];
  if (files.has(ATTEMPT_FILES.stdin)) texts.push([ATTEMPT_FILES.stdin, messageText(step)]);
  return new Map(texts);
}

/** What its client is called with, but for the variables. */
function calledWith({ agent: { env: _, name: __, ...rest } }: AgentStep): string {
  return canonicalText(rest);
}

function templatesAround({ state }: Around, { env, cwd, agent }: AgentStep): Record<string, Template> {
  return { ...state.workflow.env, ...agent.env, ...env, ...(cwd && { [CWD]: cwd }) };
}

/** No variable has this name. */
const CWD = "";
const NO_SCRIPTS = { before: null, now: null };

/** All that an agent's step is given beside its prompt, as the parts that a command depends on. */
function partsAround(around: Around, step: AgentStep): InputParts {
  const { [CWD]: cwd, ...env } = partsOfTemplates(around, templatesAround(around, step));
  return {
    ...{ format: "wf.inputs/1", type: "command", shell: [], script: "", values: {}, env },
    ...{ workspace: step.workspaceMode, ...(cwd && { cwd }) },
    ...{ outputs: { value: declared(step) }, files: {}, absent: [] },
  };
}

function approval(pair: Pair, step: ApprovalStep): Texts | string {
  const { live, files, places } = pair;
  const recorded = jsonOf(files.get(ATTEMPT_FILES.gate) ?? "") as unknown as GateRecord | null;
  if (recorded === null) return "the gate in the fixture was never opened";
  const dir = attemptDir(live.places.runDir, { step: step.id, attempt: live.attempt });
  const gate = prepareGate({ ...live, step, dir });
  if (!places.isSame(unnumbered(recorded.message), unnumbered(gate.message)))
    return "its message is another one";
  const was = recorded.shows.map(({ sha256 }) => sha256);
  const isShown = gate.shows.every(
    (show, index) => was[index] === show.sha256 || was[index] === places.digestOf(show, live.places.runDir),
  );
  return isShown && gate.shows.length === was.length ? new Map() : "what it shows is another content";
}

/** A message names artifacts by their place in the run: after a crash they may be of another attempt. */
function unnumbered(message: string): string {
  return message.replace(/(\bsteps\/[a-z][a-z0-9_-]*\/(?:item-\d+\/)?attempt-)\d+(?=\/)/g, "$1");
}

/** So that the cleaner knows what their digests have become. */
function learnArtifacts({ live, places }: Pair, paths: Iterable<TemplatePath>): void {
  for (const { segments } of paths) {
    const [root, id = "", , key = ""] = segments;
    const index = root === "steps" ? live.state.indexOf.get(id) : undefined;
    const output = index === undefined ? undefined : live.state.steps[index]?.outputs[key];
    if (output) for (const file of filesOf(output)) places.digestOf(file, live.places.runDir);
  }
}
