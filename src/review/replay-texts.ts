import type { OutputValue } from "../core/event.ts";
import type { AttemptName } from "../core/ids.ts";
import { placeOf, type RunState, type StepNode } from "../core/state.ts";
import { lookup, TemplateError } from "../core/template.ts";
import type { AgentStep, CommandStep, NestedStep, Step, TemplatePath } from "../core/workflow.ts";
import { NO_SECRETS } from "../secrets/secrets.ts";
import { contextText, promptText } from "../steps/agent-prompt.ts";
import { prepareGate } from "../steps/approval.ts";
import { PreparationError } from "../steps/prepare.ts";
import { attemptScope, type Places, pathsOf } from "../steps/scope.ts";
import { ATTEMPT_FILES, attemptDir, attemptPath } from "../store/layout.ts";
import { Places as CanonPlaces, PLACEHOLDERS } from "./canon-places.ts";
import { redactor } from "./canon-redact.ts";

/** As templates show a run's folders in its canonical form. */
export function placesIn(runDir: string): Places {
  return { runDir, project: PLACEHOLDERS.project, secrets: NO_SECRETS, depth: 0 };
}

export type TextKind = "script" | "prompt" | "context" | "gate";

/** What an attempt is given to run, to do or to show. */
export interface Rendered {
  readonly kind: TextKind;
  /** Its file in the attempt's folder. */
  readonly file: string;
  readonly text: string;
}

/** A text that the record does not have, or only in part; which, and why. */
export class NotWhole extends Error {}

export interface Given {
  readonly state: RunState;
  readonly node: StepNode;
  readonly attempt: number;
  /** As templates show them. */
  readonly places: Places;
  /** The folder of the record, for what an attempt is told of those before it. */
  readonly folder: string;
  readonly files: ReadonlyMap<string, string>;
  /** Whether another file stands in its place since. */
  readonly isReplaced: (file: string) => boolean;
}

/** A step whose attempts are given a text. */
export type TextStep = Exclude<Step, NestedStep>;

/** What the present definition gives an attempt, or why it can not. Throws NotWhole. */
export function render(given: Given, step: TextStep): readonly Rendered[] | { readonly error: string } {
  try {
    return rendered(given, step);
  } catch (error) {
    if (error instanceof TemplateError || error instanceof PreparationError) return { error: error.message };
    throw error;
  }
}

function rendered(given: Given, step: TextStep): readonly Rendered[] {
  switch (step.type) {
    case "command":
      return [script(given, step)];
    case "agent_task":
    case "agent_review":
      return agentTexts(given, step);
    case "approval": {
      const { state, node, attempt, places } = given;
      const dir = attemptDir(places.runDir, { step: step.id, attempt });
      const { message } = prepareGate({ state, places, node, step, attempt, dir });
      return [{ kind: "gate", file: ATTEMPT_FILES.gate, text: message }];
    }
    default:
      return step satisfies never;
  }
}

/** Values reach a script by its environment, which no record holds; only that there are any is to be seen. */
function script({ state, node, attempt, places }: Given, step: CommandStep): Rendered {
  const named = step.script.variables.map(({ path }) => path);
  const scope = attemptScope(state, places, node, attempt, [...named, ...pathsAround(state, step)]);
  for (const path of [...named, ...pathsAround(state, step)]) lookup(path, scope);
  const { text } = step.script;
  return { kind: "script", file: ATTEMPT_FILES.script, text: text.endsWith("\n") ? text : `${text}\n` };
}

function pathsAround(state: RunState, step: Step): TemplatePath[] {
  const templates = [...Object.values(step.env), ...Object.values(state.workflow.env)];
  return [...pathsOf(step.cwd ? [...templates, step.cwd] : templates)];
}

function agentTexts(given: Given, step: AgentStep): readonly Rendered[] {
  const { state, node, attempt, folder, places } = given;
  const paths = [...pathsOf([step.prompt, ...Object.values(step.agent.env)]), ...pathsAround(state, step)];
  const scope = attemptScope(state, places, node, attempt, paths);
  // What an attempt is told of those before it stands in their records; all else comes from the state.
  const onDisk = { ...places, runDir: folder };
  const dir = attemptDir(places.runDir, { ...placeOf(node), attempt });
  const context = { state: readable(given), places: onDisk, node, step, attempt, dir };
  return [
    { kind: "prompt", file: ATTEMPT_FILES.prompt, text: promptText(context, scope) },
    { kind: "context", file: ATTEMPT_FILES.context, text: contextText(context, scope) },
  ];
}

/** The state with the texts of the record in the place of the files of outputs. */
function readable({ state, files, isReplaced }: Given): RunState {
  const texts = (outputs: StepNode["outputs"]) => asTexts(outputs, files, isReplaced);
  const steps = new Proxy(state.steps, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof key === "symbol" || !/^\d+$/.test(key) || value === undefined) return value;
      const node = value as StepNode;
      return { ...node, outputs: texts(node.outputs), produced: texts(node.produced) };
    },
  });
  return { ...state, steps };
}

function asTexts(
  outputs: StepNode["outputs"],
  files: ReadonlyMap<string, string>,
  isReplaced: (file: string) => boolean,
): Readonly<Record<string, OutputValue>> {
  const texts: Record<string, OutputValue> = {};
  for (const [key, output] of Object.entries(outputs)) {
    texts[key] = readableOutput(output, (file) => wholeText(files, file, isReplaced));
  }
  return texts;
}

function readableOutput(output: OutputValue, read: (file: string) => string): OutputValue {
  if ("file" in output) return lazily(() => read(output.file));
  return "list" in output ? { list: output.list.map((each) => each && readableOutput(each, read)) } : output;
}

/** Read only when a template asks for it. */
function lazily(read: () => string): OutputValue {
  return {
    get value() {
      return read();
    },
  };
}

function wholeText(
  files: ReadonlyMap<string, string>,
  file: string,
  isReplaced: (file: string) => boolean,
): string {
  if (isReplaced(file)) throw new NotWhole(`${file}, which was replaced since`);
  const text = files.get(file);
  if (text === undefined) throw new TemplateError(`the output file ${file} is not there any more`);
  if (/^<(?:cut|binary)> \d+ bytes, sha256 /.test(text))
    throw new NotWhole(`${file}, of which the record has only a part`);
  return text;
}

/** The recorded text that stands against a rendered one; undefined: the record has none. */
export function recordedText(
  files: ReadonlyMap<string, string>,
  name: AttemptName,
  { kind, file }: Pick<Rendered, "kind" | "file">,
): string | undefined {
  const text = files.get(`${attemptPath(name)}/${file}`);
  if (text === undefined) return undefined;
  if (kind === "script") return text.replace(LARGE_VALUES, "");
  if (kind !== "gate") return text;
  try {
    return String((JSON.parse(text) as { message?: unknown }).message);
  } catch {
    return text;
  }
}

/** Lines before a script that read values no environment can hold; how many there are depends on the machine. */
const LARGE_VALUES = /^(?:[A-Z0-9_]+=\$\(cat "\$WF_ATTEMPT_DIR\/values\/[^"]+"; printf x\); .*\n)+/;

const ANYWHERE = new CanonPlaces({ runId: null, run: [], project: [], home: [], tmp: [], definition: "" });

/** Compares what was recorded, in its canonical form, with what is rendered now. */
export class TextComparison {
  readonly #redact: (text: string) => string;

  constructor(redact: readonly string[]) {
    this.#redact = redactor(redact);
  }

  canonical(text: string): string {
    return this.#redact(ANYWHERE.in(text));
  }

  /**
   * `sameSource`: both come from the same words of the definition. Then a folder of the machine that the record was made
   * on, or something that was redacted there, may stand in the definition itself; and an id that is a word may stand in
   * the record.
   */
  isSame(recorded: string, now: string, sameSource: boolean): boolean {
    const [before, after] = [this.canonical(recorded), this.canonical(now)];
    return before === after || (sameSource && (fits(before, after) || fits(after, before)));
  }
}

const ANY_PLACEHOLDER = new RegExp(Object.values(PLACEHOLDERS).join("|"));

/** Whether a text is what the other one says, with anything in the place of a placeholder. */
function fits(recorded: string, text: string): boolean {
  const pieces = recorded.split(ANY_PLACEHOLDER);
  const last = pieces.pop() ?? "";
  if (pieces.length === 0 || !text.startsWith(pieces[0] as string)) return false;
  let at = (pieces.shift() as string).length;
  for (const piece of pieces) {
    const found = text.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}
