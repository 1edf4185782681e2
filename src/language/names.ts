import { expressionReferences } from "../core/expression.ts";
import { parseTemplate, type Piece, scanTemplate } from "../core/template.ts";
import type { Template } from "../core/workflow.ts";
import { type Candidates, nearest, suggest } from "./did-you-mean.ts";
import type { Inside } from "./node.ts";
import { LITERAL_HINT } from "./script.ts";
import type { TextNode } from "./read.ts";
import type { Problems } from "./report.ts";

/** What the names in a text may refer to, by where the text stands. */
export interface View {
  /** Index of the step the text belongs to; absent at the top of the workflow. */
  readonly step?: number;
  readonly roots: readonly ("inputs" | "steps" | "workflow" | "env")[];
  /** The names under `workflow`. */
  readonly workflow: readonly string[];
  /** Keys with a file, for `workflow.output_paths`. */
  readonly outputFiles?: readonly string[];
  /** Why there are no others, and what to do. */
  readonly hint?: string;
}

/** A text of step `from` that names step `to`, to be checked once the graph is known. */
export interface StepReference {
  readonly from: number;
  readonly to: number;
  readonly id: string;
  readonly at: Inside;
}

const RUN_NAMES = ["run_id", "run_dir", "run_workspace"];
const STEP_NAMES = ["step_id", "attempt", "output_paths", "output_paths_json", "output_schema_json"];

export const VIEWS = {
  step: (step: number, outputFiles: readonly string[]): View => ({
    step,
    outputFiles,
    roots: ["inputs", "steps", "workflow"],
    workflow: [...RUN_NAMES, ...STEP_NAMES],
  }),
  when: (step: number): View => ({
    step,
    roots: ["inputs", "steps", "workflow", "env"],
    workflow: [...RUN_NAMES, "step_id"],
  }),
  outputPath: { roots: ["workflow"], workflow: ["run_id", "step_id", "attempt"], hint: "a path may use workflow.run_id, workflow.step_id and workflow.attempt" } as View,
  workflowEnv: {
    roots: ["inputs", "workflow"],
    workflow: [...RUN_NAMES, "step_id", "attempt"],
    hint: "put what depends on a step in the `env` of the step that needs it",
  } as View,
  workflowOutput: { roots: ["inputs", "steps", "workflow"], workflow: RUN_NAMES } as View,
} as const;

/** Checks every name in templates and expressions against what the workflow declares. */
export class Names {
  readonly references: StepReference[] = [];
  readonly #problems: Problems;
  readonly #inputs: ReadonlySet<string>;
  readonly #steps: ReadonlyMap<string, number>;

  constructor(problems: Problems, inputs: readonly string[], steps: ReadonlyMap<string, number>) {
    this.#problems = problems;
    this.#inputs = new Set(inputs);
    this.#steps = steps;
  }

  /** Reads a text with templates and checks their names. */
  template(node: TextNode, view: View): Template {
    const source = node.value;
    if (!source.includes("{{")) return { source, parts: source === "" ? [] : [source] };
    for (const piece of scanTemplate(source)) {
      if (piece.kind === "path") this.path(node, piece, view);
      else if (piece.kind === "fault") {
        const message = `${source.slice(piece.start, piece.end)} ${piece.message}`;
        this.#problems.add("BAD_TEMPLATE", { node, from: piece.start, to: piece.end }, message, LITERAL_HINT);
      }
    }
    const parsed = parseTemplate(source);
    return parsed.ok ? parsed.template : { source, parts: [source] };
  }

  path(node: TextNode, piece: Piece & { kind: "path" }, view: View): void {
    const at = { node, from: piece.start, to: piece.end };
    this.#check(piece.path.segments, at, view, `{{${piece.path.text}}}`, true);
  }

  /** Checks the names in an expression. */
  expression(node: TextNode, view: View): void {
    for (const { segments, offset, length } of expressionReferences(node.value)) {
      const at = { node, from: offset, to: offset + length };
      this.#check(segments, at, view, node.value.slice(offset, offset + length), false);
    }
  }

  #check(segments: readonly string[], at: Inside, view: View, shown: string, isTemplate: boolean): void {
    const [root = "", name, field] = segments;
    const unknown = (what: string, part: string, known: Candidates, hint = view.hint) => {
      const text = suggest(part, known, `known ${what}s`);
      this.#problems.add("UNKNOWN_NAME", at, `${shown}: there is no ${what} "${part}" here`, hint ?? text);
    };
    if (!(view.roots as readonly string[]).includes(root)) {
      const hint = isTemplate && nearest(root, view.roots) === null ? rootsHint(view) : undefined;
      return unknown("name", root, view.roots, view.hint ?? hint);
    }
    if (name === undefined) {
      if (isTemplate) this.#incomplete(at, shown, `${root}.<name>`);
      return;
    }
    if (root === "inputs" && !this.#inputs.has(name)) return unknown("input", name, this.#inputs, undefined);
    if (root === "workflow") return this.#workflowName(segments, at, view, shown, isTemplate, unknown);
    if (root !== "steps") return;
    const to = this.#steps.get(name);
    if (to === undefined) return unknown("step", name, this.#steps, undefined);
    if (view.step !== undefined) this.references.push({ from: view.step, to, id: name, at });
    if (field === undefined || (field === "outputs" && segments[3] === undefined)) {
      if (isTemplate) this.#incomplete(at, shown, `steps.${name}.outputs.<key> or steps.${name}.status`);
    } else if (field !== "outputs" && field !== "status") {
      const hint = field === "output" ? undefined : `write steps.${name}.outputs.${field} for its output "${field}"`;
      unknown("field", field, ["outputs", "status"], hint);
    }
  }

  #workflowName(
    segments: readonly string[],
    at: Inside,
    view: View,
    shown: string,
    isTemplate: boolean,
    unknown: (what: string, part: string, known: Candidates) => void,
  ): void {
    const [, name = "", key] = segments;
    if (!view.workflow.includes(name)) return unknown("name", name, view.workflow.map((each) => `workflow.${each}`));
    if (name !== "output_paths") return;
    const files = view.outputFiles ?? [];
    if (key === undefined && isTemplate) this.#incomplete(at, shown, "workflow.output_paths.<key> or workflow.output_paths_json");
    else if (key !== undefined && !files.includes(key)) unknown("output file", key, files);
  }

  #incomplete(at: Inside, shown: string, form: string): void {
    this.#problems.add("UNKNOWN_NAME", at, `${shown} is not a value`, `write ${form}`);
  }
}

function rootsHint(view: View): string {
  return `names begin with ${view.roots.map((root) => `${root}.`).join(", ")}; to write the braces themselves: \\{{`;
}
