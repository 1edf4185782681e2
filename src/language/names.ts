import { expressionReferences } from "../core/expression.ts";
import { type Piece, parseTemplate, scanTemplate } from "../core/template.ts";
import type { InputDeclaration, Template } from "../core/workflow.ts";
import { type Candidates, nearest, suggest } from "./did-you-mean.ts";
import type { Inside } from "./node.ts";
import type { TextNode } from "./read.ts";
import type { Problems } from "./report.ts";
import { LITERAL_HINT } from "./script.ts";
import { type Produced, StepOutputs } from "./step-outputs.ts";
import { END_NAMES, type View } from "./views.ts";

/** A text of step `from` that names step `to`, to be checked once the graph is known. */
export interface StepReference {
  readonly from: number;
  readonly to: number;
  readonly id: string;
  readonly at: Inside;
}

/** Checks every name in templates and expressions against what the workflow declares. */
export class Names {
  readonly references: StepReference[] = [];
  readonly #problems: Problems;
  readonly #inputs: ReadonlyMap<string, InputDeclaration>;
  readonly #steps: ReadonlyMap<string, number>;
  readonly #mainSteps: number;
  readonly #outputs: StepOutputs;

  /** `steps`: index by id, those of `finally` included; the first `mainSteps` are not of them. */
  constructor(
    problems: Problems,
    inputs: readonly InputDeclaration[],
    steps: ReadonlyMap<string, number>,
    mainSteps: number,
  ) {
    this.#problems = problems;
    this.#inputs = new Map(inputs.map((input) => [input.name, input]));
    this.#steps = steps;
    this.#mainSteps = mainSteps;
    this.#outputs = new StepOutputs(problems, steps);
  }

  /** Says what a step produces. */
  declare(step: string, produced: Produced): void {
    this.#outputs.declare(step, produced);
  }

  /** Judges the names of outputs, once every step has been declared. */
  settle(): void {
    for (const { from, to, id, at } of this.#outputs.judge()) this.#refer(from, to, id, at);
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
    const { segments, text } = piece.path;
    this.#check({ segments, at, view, shown: `{{${text}}}`, isTemplate: true });
  }

  /** Reports secrets in a text that is only for people. */
  prose(node: TextNode, noSecrets: string): void {
    if (!node.value.includes("{{")) return;
    for (const piece of scanTemplate(node.value)) {
      if (piece.kind !== "path") continue;
      const { segments, text } = piece.path;
      const at = { node, from: piece.start, to: piece.end };
      this.#secret({ segments, at, view: { ...PROSE, noSecrets }, shown: `{{${text}}}`, isTemplate: true });
    }
  }

  /** Checks the names in an expression. */
  expression(node: TextNode, view: View): void {
    for (const { segments, offset, length } of expressionReferences(node.value)) {
      const at = { node, from: offset, to: offset + length };
      const shown = node.value.slice(offset, offset + length);
      this.#check({ segments, at, view, shown, isTemplate: false });
    }
  }

  #check(mention: Mention): void {
    const { segments, view, isTemplate } = mention;
    const [root = "", name] = segments;
    if (this.#secret(mention)) return;
    if (!(view.roots as readonly string[]).includes(root)) {
      const isFar = isTemplate && nearest(root, view.roots) === null;
      const hint = root === "state" ? STATE_HINT : isFar ? rootsHint(view) : undefined;
      this.#unknown(mention, "name", root, view.roots, view.hint ?? hint);
    } else if (name === undefined) this.#incomplete(mention, `${root}.<name>`);
    else if (root === "inputs" && !this.#inputs.has(name))
      this.#unknown(mention, "input", name, this.#inputs);
    else if (root === "state") this.#outputs.nameState({ ...mention, from: view.step, name });
    else if (root === "workflow") this.#workflowName(mention, name);
    else if (root === "steps") this.#stepName(mention, name);
  }

  /** Reports a secret that stands where none may; true if it did. */
  #secret({ segments: [root, name = ""], at, shown, view: { noSecrets } }: Mention): boolean {
    if (noSecrets === undefined || root !== "inputs" || !this.#inputs.get(name)?.secret) return false;
    const hint = "the value of a secret reaches steps by `run` and `env` alone";
    this.#problems.add("UNSAFE_REFERENCE", at, `${shown}: a secret can not stand in ${noSecrets}`, hint);
    return true;
  }

  /** Notes that a text of one step names another. What comes later in any case can not be named. */
  #refer(from: number | undefined, to: number, id: string, at: Inside): void {
    if (from === undefined) return;
    if (from < this.#mainSteps && to < this.#mainSteps) this.references.push({ from, to, id, at });
    else if (to >= this.#mainSteps && to >= from) {
      const message =
        from === to ? `step ${id} can not use its own results` : `step ${id} of \`finally\` runs later`;
      const hint = "a step of `finally` is seen by those after it";
      this.#problems.add("UNKNOWN_NAME", at, message, hint);
    }
  }

  #stepName(mention: Mention, name: string): void {
    const to = this.#steps.get(name);
    if (to === undefined) {
      this.#unknown(mention, "step", name, this.#steps);
      return;
    }
    const { view, at } = mention;
    this.#refer(view.step, to, name, at);
    const [, , field, key] = mention.segments;
    if (field === undefined || (field === "outputs" && key === undefined)) {
      this.#incomplete(mention, `steps.${name}.outputs.<key> or steps.${name}.status`);
    } else if (field !== "outputs" && field !== "status") {
      const hint = `write steps.${name}.outputs.${field} for its output "${field}"`;
      this.#unknown(mention, "field", field, ["outputs", "status"], field === "output" ? undefined : hint);
    } else if (field === "outputs" && key !== undefined) {
      this.#outputs.nameOutput({ ...mention, step: name, key });
    }
  }

  #workflowName(mention: Mention, name: string): void {
    const { workflow, outputFiles = [], hint } = mention.view;
    const key = mention.segments[2];
    if (!workflow.includes(name)) {
      const known = workflow.map((each) => `workflow.${each}`);
      this.#unknown(mention, "name", name, known, END_NAMES.includes(name) ? END_HINT : hint);
    } else if (name === "output_paths" && key === undefined) {
      this.#incomplete(mention, "workflow.output_paths.<key> or workflow.output_paths_json");
    } else if (name === "output_paths" && key !== undefined && !outputFiles.includes(key)) {
      this.#unknown(mention, "output file", key, outputFiles);
    }
  }

  #unknown({ at, shown }: Mention, what: string, part: string, known: Candidates, hint?: string): void {
    const message = `${shown}: there is no ${what} "${part}" here`;
    this.#problems.add("UNKNOWN_NAME", at, message, hint ?? suggest(part, known, `known ${what}s`));
  }

  /** An expression may take a map as a whole, a template may not. */
  #incomplete({ at, shown, isTemplate }: Mention, form: string): void {
    if (isTemplate) this.#problems.add("UNKNOWN_NAME", at, `${shown} is not a value`, `write ${form}`);
  }
}

const PROSE: View = { roots: [], workflow: [] };

/** A path in a text. */
interface Mention {
  readonly segments: readonly string[];
  readonly at: Inside;
  readonly view: View;
  readonly shown: string;
  readonly isTemplate: boolean;
}

const END_HINT = "how the run ends is known to the steps of `finally` alone";
const STATE_HINT = "`state` is for prompts; elsewhere write steps.<step>.outputs.<key>";

function rootsHint(view: View): string {
  return `names begin with ${view.roots.map((root) => `${root}.`).join(", ")}; to write the braces themselves: \\{{`;
}
