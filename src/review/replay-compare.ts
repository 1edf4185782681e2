import { parseDecision } from "../core/decision.ts";
import type { AttemptRecord, OutputValue } from "../core/event.ts";
import type { AttemptName } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import { placeOf, type RunState, type StepNode } from "../core/state.ts";
import { renderTemplate, TemplateError } from "../core/template.ts";
import type { Step, Workflow } from "../core/workflow.ts";
import { pathsOf, runScope, stepScope } from "../steps/scope.ts";
import { PLACEHOLDERS } from "./canon-places.ts";
import type { Findings } from "./replay-difference.ts";
import { newFault, shownSchema } from "./replay-schema.ts";
import {
  type Given,
  NotWhole,
  placesIn,
  type Rendered,
  recordedText,
  render,
  type TextComparison,
  type TextKind,
  type TextStep,
} from "./replay-texts.ts";

/** The keys that a text comes from. */
const KEYS_OF: Readonly<Record<TextKind, readonly string[]>> = {
  script: ["run", "env", "cwd"],
  prompt: ["prompt", "prompt_file", "env", "cwd"],
  context: ["outputs", "output_files"],
  gate: ["message"],
};

const KIND_OF: Readonly<Record<TextStep["type"], TextKind>> = {
  command: "script",
  agent_task: "prompt",
  agent_review: "prompt",
  approval: "gate",
};

const NAMES: Readonly<Record<TextKind, string>> = {
  script: "script",
  prompt: "prompt",
  context: "context.json",
  gate: "message",
};

/** An attempt that failed so has nothing to run. */
const BEFORE_TEXTS: ReadonlySet<string> = new Set([
  "WHEN_ERROR",
  "TEMPLATE_ERROR",
  "SHELL_NOT_FOUND",
  "CWD_NOT_FOUND",
  "AGENT_NOT_FOUND",
  "INPUT_FILE_MISSING",
  "INPUT_FILE_PRESENT",
  "INPUT_FILE_UNREADABLE",
]);

export interface Compared {
  readonly files: ReadonlyMap<string, string>;
  readonly present: Workflow;
  /** The definition that the record was made with. */
  readonly before: Workflow;
  readonly texts: TextComparison;
}

/** Holds what a definition makes of its steps against what the record has of them. */
export class Comparison {
  readonly #parts: Compared;
  readonly #findings: Findings;
  readonly #texts: TextComparison;
  readonly #before: ReadonlyMap<string, Step>;

  constructor(parts: Compared, findings: Findings) {
    this.#parts = parts;
    this.#findings = findings;
    this.#texts = parts.texts;
    this.#before = new Map(parts.before.steps.map((step) => [step.id, step]));
  }

  /** In a graph a step's needs are its way to be reached. */
  needs({ step, attempts }: StepNode): void {
    const { before, present } = this.#parts;
    const recorded = this.#before.get(step.id);
    if (!recorded || attempts > 0 || before.shape !== "graph" || present.shape !== "graph") return;
    const expected = needsText(before, recorded);
    const actual = needsText(present, step);
    if (expected === actual) return;
    const message = `${this.#findings.name({ step: step.id })} waits for other steps`;
    this.#findings.differ({ kind: "needs", step: step.id, message, expected, actual, keys: ["needs"] });
  }

  /** The script, prompt or message of an attempt that starts now. */
  texts(given: Given, step: TextStep, record: AttemptRecord | null): void {
    const { node, attempt } = given;
    const name = { ...placeOf(node), attempt };
    const shown = this.#findings.name(name);
    let now: ReturnType<typeof render>;
    try {
      now = render(given, step);
    } catch (error) {
      if (!(error instanceof NotWhole)) throw error;
      this.#findings.notes.push(`the prompt of ${shown}, attempt ${attempt}, shows ${error.message}`);
      return;
    }
    const error = record?.error;
    const failed = error?.code === "TEMPLATE_ERROR";
    // Values can also be too large, or of characters that no environment holds: that is in no record.
    const hadNoValue = failed && / has no value: /.test(error.message);
    const fault = "error" in now ? now.error : null;
    if (hadNoValue ? fault === null : fault !== null && !failed) {
      throw this.#findings.diverged({
        kind: KIND_OF[step.type],
        ...name,
        message: `the templates of ${shown} come to something else`,
        expected: hadNoValue ? error.message : "every template has a value",
        actual: fault ?? "every template has a value",
        keys: [...KEYS_OF.script, ...KEYS_OF.prompt, ...KEYS_OF.gate],
      });
    }
    if ("error" in now) return;
    for (const each of now) this.#text(step, name, each, error?.code);
  }

  #text(step: TextStep, name: AttemptName, now: Rendered, failed: string | undefined): void {
    const { kind, file } = now;
    const shown = this.#findings.name(name);
    const text = recordedText(this.#parts.files, name, now);
    const before = this.#before.get(step.id);
    if (text === undefined) {
      if (before && before.type !== step.type) {
        const message = `${shown} is a step of another type`;
        const keys = ["type", ...KEYS_OF[kind]];
        const [expected, actual] = [before.type, step.type];
        throw this.#findings.diverged({ kind, ...name, message, expected, actual, keys });
      }
      if (BEFORE_TEXTS.has(failed ?? "")) return;
      const message = `the record has no ${file} of ${shown}, attempt ${name.attempt}`;
      throw this.#findings.diverged({ kind, ...name, message, expected: "", actual: now.text });
    }
    const sameSource =
      before !== undefined && before.type !== "workflow" && sourceOf(before, kind) === sourceOf(step, kind);
    if (this.#texts.isSame(text, now.text, sameSource)) return;
    const message = `${shown}, attempt ${name.attempt}, has another ${NAMES[kind]}`;
    const actual = this.#texts.canonical(now.text);
    this.#findings.differ({ kind, ...name, message, expected: text, actual, keys: KEYS_OF[kind] });
  }

  /** The record of an attempt as the definition takes it: with all outputs that it asks for, and the decision of a gate. */
  answer({ step }: StepNode, record: AttemptRecord): AttemptRecord {
    if (record.status !== "succeeded") return record;
    const { item, attempt, outputs } = record;
    const name = { step: step.id, item, attempt };
    const shown = this.#findings.name(name);
    const keys = ["outputs", "output_files"];
    for (const { key, required, schema } of step.outputs) {
      if (Object.hasOwn(outputs, key)) {
        const output = outputs[key] as OutputValue;
        const before = this.#before.get(step.id)?.outputs.find((each) => each.key === key);
        const fault = "value" in output ? newFault(output.value, before?.schema, schema) : null;
        if (fault === null) continue;
        const message = `the output ${key} of ${shown} would not pass: it ${fault}`;
        const [expected, actual] = [shownSchema(before?.schema), shownSchema(schema)];
        this.#findings.differ({ kind: "outputs", ...name, message, expected, actual, keys });
        continue;
      }
      if (!required) continue;
      const expected = Object.keys(outputs).join(", ") || "none";
      const message = `${shown} declares the output ${key}, and its attempt does not have it`;
      this.#findings.differ({ kind: "outputs", ...name, message, expected, actual: key, keys });
    }
    if (!step.gate) return record;
    const said = outputs.decision;
    const decision = record.decision ?? parseDecision(said && "value" in said ? said.value : undefined);
    if (decision !== null) return { ...record, decision };
    throw this.#findings.diverged({
      kind: "decision",
      ...name,
      message: `${shown} is a gate, and its attempt has no decision`,
      expected: "no decision",
      actual: "approve or reject",
      keys: ["type", "on_approve", "on_reject"],
    });
  }

  /** The outputs of the run as the definition makes them; null: it can not. */
  outputs(state: RunState): JsonObject | null {
    const templates = Object.entries(this.#parts.present.outputs);
    const paths = [...pathsOf(templates.map(([, template]) => template))];
    const named = paths.flatMap(({ segments }) => segments[1] ?? []);
    // Artifacts by their path in the run.
    const steps = stepScope(state, placesIn(""), named);
    const scope = { ...runScope(state, placesIn(PLACEHOLDERS.run)), steps };
    try {
      return Object.fromEntries(templates.map(([name, template]) => [name, renderTemplate(template, scope)]));
    } catch (error) {
      if (error instanceof TemplateError) return null;
      throw error;
    }
  }

  /** True if they are the same. */
  runOutputs(recorded: JsonObject, now: JsonObject): boolean {
    const { before, present } = this.#parts;
    const text = (outputs: JsonObject) => `${JSON.stringify(outputs, null, 2)}\n`;
    const sameSource = JSON.stringify(before.outputs) === JSON.stringify(present.outputs);
    const [expected, actual] = [text(recorded), text(now)];
    if (this.#texts.isSame(expected, actual, sameSource)) return true;
    const place = this.#findings.blame.workflow("outputs");
    const message = `${this.#findings.run} has other outputs`;
    this.#findings.differ({ kind: "end", message, expected, actual, place });
    return false;
  }
}

function needsText(workflow: Workflow, { needs }: Step): string {
  const names = needs.map((need) => workflow.steps[need]?.id ?? "");
  return names.sort().join(", ") || "nothing";
}

function sourceOf(step: TextStep, kind: TextKind): string | undefined {
  switch (step.type) {
    case "command":
      return step.script.text;
    case "agent_task":
    case "agent_review":
      return kind === "prompt" ? step.prompt.source : JSON.stringify(step.outputs);
    case "approval":
      return step.message.source;
    default:
      return step satisfies never;
  }
}
