import { expressionReferences } from "../core/expression.ts";
import { type Piece, parseTemplate, scanTemplate } from "../core/template.ts";
import type { InputDeclaration, Template, TemplatePath } from "../core/workflow.ts";
import { type Candidates, nearest, suggest } from "./did-you-mean.ts";
import type { Inside } from "./node.ts";
import type { TextNode } from "./read.ts";
import type { Problems } from "./report.ts";
import { typesOf } from "./schema.ts";
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

/** What is around a workflow that is written in a step: it sees nothing of that, and can be told so. */
export interface Outside {
  hasInput(name: string): boolean;
  hasStep(id: string): boolean;
}

/** Checks every name in templates and expressions against what the workflow declares. */
export class Names {
  readonly references: StepReference[] = [];
  readonly #problems: Problems;
  readonly #inputs: ReadonlyMap<string, InputDeclaration>;
  readonly #steps: ReadonlyMap<string, number>;
  readonly #mainSteps: number;
  readonly #outside: Outside | undefined;
  readonly #outputs: StepOutputs;

  /** `steps`: index by id, those of `finally` included; the first `mainSteps` are not of them. */
  constructor(
    problems: Problems,
    inputs: readonly InputDeclaration[],
    steps: ReadonlyMap<string, number>,
    mainSteps: number,
    outside?: Outside,
  ) {
    this.#problems = problems;
    this.#inputs = new Map(inputs.map((input) => [input.name, input]));
    this.#steps = steps;
    this.#mainSteps = mainSteps;
    this.#outside = outside;
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

  /** Judges the one template of a text that has to be a list, as far as that is known. */
  requireList(node: TextNode): void {
    const [piece] = scanTemplate(node.value);
    if (piece?.kind !== "path") return;
    const { segments, text } = piece.path;
    const [root, name = "", field, key] = segments;
    const at = { node, from: piece.start, to: piece.end };
    const shown = `{{${text}}}`;
    const refuse = (why: string) => this.#problems.add("WRONG_TYPE", at, `${shown} is no list: ${why}`);
    if (root === "inputs" && segments.length === 2) {
      const input = this.#inputs.get(name);
      const types = input?.secret ? null : typesOf(input?.schema);
      if (types && !types.includes("array")) refuse(`the input is of type ${types.join(" or ")}`);
    } else if (root === "steps" && field === "status" && segments.length === 3) refuse("a status is text");
    else if (root === "steps" && field === "outputs" && key !== undefined && segments.length === 4)
      this.#outputs.requireList({ step: name, key, at, shown });
  }

  /** The names of the secrets. */
  get secrets(): string[] {
    return [...this.#inputs.values()].filter(({ secret }) => secret).map(({ name }) => name);
  }

  /** The secret that a path stands for, or null. */
  secretIn({ segments: [root, name = ""] }: TemplatePath): string | null {
    return root === "inputs" && this.#inputs.get(name)?.secret ? name : null;
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
      const hint = Object.hasOwn(HINTS, root) ? HINTS[root] : isFar ? rootsHint(view) : undefined;
      this.#unknown(mention, "name", root, view.roots, view.hint ?? hint);
    } else if (root === "item") return;
    else if (root === "item_index") {
      if (name !== undefined) this.#unknown(mention, "field", name, [], "`item_index` is a number");
    } else if (name === undefined) this.#incomplete(mention, `${root}.<name>`);
    else if (root === "inputs" && !this.#inputs.has(name))
      this.#unknown(mention, "input", name, this.#inputs, this.#outsideHint(mention, "hasInput", name));
    else if (root === "state") this.#outputs.nameState({ ...mention, from: view.step, name });
    else if (root === "workflow") this.#workflowName(mention, name);
    else if (root === "steps") this.#stepName(mention, name);
  }

  /** Reports a secret that stands where none may; true if it did. */
  #secret({ segments, at, shown, view: { noSecrets, secretsHint } }: Mention): boolean {
    if (noSecrets === undefined || this.secretIn({ segments, text: shown }) === null) return false;
    const hint = secretsHint ?? "the value of a secret reaches steps by `run` and `env` alone";
    this.#problems.add("UNSAFE_REFERENCE", at, `${shown}: a secret can not stand in ${noSecrets}`, hint);
    return true;
  }

  #outsideHint({ view }: Mention, has: keyof Outside, name: string): string | undefined {
    if (!this.#outside?.[has](name)) return undefined;
    if (view.outsideHint !== undefined) return view.outsideHint;
    const kind = has === "hasInput" ? "an input" : "a step";
    return `it is ${kind} of the workflow around this one: declare an input here, and give it the value by \`with\``;
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
      this.#unknown(mention, "step", name, this.#steps, this.#outsideHint(mention, "hasStep", name));
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
const ITEM_HINT =
  "it is known in the texts of a step with `foreach` alone; a workflow in a step is given it by `with`";
/** Of names that are known elsewhere. */
const HINTS: Readonly<Record<string, string>> = {
  state: "`state` is for prompts; elsewhere write steps.<step>.outputs.<key>",
  item: ITEM_HINT,
  item_index: ITEM_HINT,
};

function rootsHint(view: View): string {
  const roots = view.roots.map((root) => (root.startsWith("item") ? root : `${root}.`));
  return `names begin with ${roots.join(", ")}; to write the braces themselves: \\{{`;
}
