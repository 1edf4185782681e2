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
import { TemplateError } from "../core/template.ts";
import type { AgentStep, ApprovalStep, CommandStep, Step, TemplatePath } from "../core/workflow.ts";
import { contextText, messageText, promptText } from "../steps/agent-prompt.ts";
import { type GateRecord, prepareGate } from "../steps/approval.ts";
import { pathsOfStep, withoutPrelude } from "../steps/command.ts";
import { type Around, declared, inputsOf, keyOf, partsOfTemplates } from "../steps/input-key.ts";
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
  readonly recorded: Around & { readonly step: Step };
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
  const [first] = changesBetween(cleaned(was, places), cleaned(now, places), {
    before: before.script.text,
    now: step.script.text,
  });
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
  const record = jsonOf(files.get(ATTEMPT_FILES.inputs) ?? "");
  return isInputsRecord(record) ? record.files : {};
}

/** Both may hold places of this machine: those that stand in the definition. */
function cleaned(parts: InputParts, { cleaner }: AnswerPlaces): InputParts {
  const record = { ...parts, key: keyOf(parts) } as unknown as JsonObject;
  return partsOf(canonicalInputs(record, cleaner) as unknown as InputsRecord);
}

function agent(pair: Pair, step: AgentStep, before: AgentStep): Texts | string {
  const { live, files, places } = pair;
  const { state, node, attempt } = live;
  if (!files.has(ATTEMPT_FILES.prompt)) return NEVER_RAN;
  if (calledWith(step) !== calledWith(before)) return "its agent is called with other options";
  if (canonicalText(declared(step)) !== canonicalText(declared(before)))
    return "what the step declares as its outputs changed";
  const templates = surroundings(live, step);
  learnArtifacts(pair, pathsOf(Object.values(templates)));
  const now = partsOfTemplates(live, templates);
  const was = partsOfTemplates(pair.recorded, surroundings(pair.recorded, before));
  const [same, other] = [was, now].map((env) => canonicalText(cleanedValues(env, places)));
  if (same !== other) return "the variables that it is given, or its folder, are others";
  const dir = attemptDir(live.places.runDir, { ...nameOf(pair), attempt });
  const paths = [...pathsOf([...Object.values(templates), step.prompt])];
  const scope = attemptScope(state, live.places, node, attempt, paths);
  const context = { ...live, step, dir };
  const texts = new Map([
    [ATTEMPT_FILES.prompt as string, promptText(context, scope)],
    [ATTEMPT_FILES.context, contextText(context, scope)],
  ]);
  if (files.has(ATTEMPT_FILES.stdin)) texts.set(ATTEMPT_FILES.stdin, messageText(step));
  for (const [file, text] of texts) {
    if (!places.isSame(files.get(file) ?? "", text)) return `its ${file} is another one`;
  }
  return texts;
}

function nameOf({ live: { node } }: Pair): { step: string; item?: number } {
  return { step: node.step.id, ...(node.item && { item: node.item.number }) };
}

/** All that its client is called with, but for the variables. */
function calledWith({ agent: { env: _, name: __, ...rest }, workspaceMode }: AgentStep): string {
  return canonicalText({ ...rest, workspaceMode });
}

function surroundings({ state }: Around, { env, cwd, agent: { env: own } }: AgentStep) {
  return { ...state.workflow.env, ...own, ...env, ...(cwd && { "": cwd }) };
}

function cleanedValues(env: InputParts["env"], places: AnswerPlaces): InputParts["env"] {
  const none: InputParts = { ...NO_PARTS, env };
  return cleaned(none, places).env;
}

const NO_PARTS: InputParts = {
  format: "wf.inputs/1",
  type: "command",
  shell: [],
  script: "",
  values: {},
  env: {},
  workspace: "project",
  outputs: { value: null },
  files: {},
  absent: [],
};

function approval(pair: Pair, step: ApprovalStep): Texts | string {
  const { live, files, places } = pair;
  const recorded = jsonOf(files.get(ATTEMPT_FILES.gate) ?? "") as unknown as GateRecord | null;
  if (recorded === null) return "the gate in the fixture was never opened";
  const dir = attemptDir(live.places.runDir, { step: step.id, attempt: live.attempt });
  const gate = prepareGate({ ...live, step, dir });
  if (!places.isSame(recorded.message, gate.message)) return "its message is another one";
  const shown = gate.shows.map((show) => ({
    file: places.cleaner.place(show.file),
    sha256: places.digestOf({ ...show, bytes: 0 }, live.places.runDir),
  }));
  if (canonicalText(shown) !== canonicalText(recorded.shows)) return "what it shows is another content";
  return new Map();
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
