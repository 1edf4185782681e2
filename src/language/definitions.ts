import { idFault } from "../core/ids.ts";
import { MAX_NESTING } from "../core/limits.ts";
import type { Problem } from "../core/problem.ts";
import type { InputDeclaration, NestedDefinition, Workflow } from "../core/workflow.ts";
import { BESIDE_HINT, besideFault, folderOf, normalPath } from "./beside.ts";
import { suggest } from "./did-you-mean.ts";
import { readInputs } from "./input-declarations.ts";
import type { GivenFile, Selection } from "./load.ts";
import type { Node } from "./node.ts";
import { idOf, outputsOf } from "./outline.ts";
import { inStep, type Place, placeOf, topOf } from "./place.ts";
import type { TextNode } from "./read.ts";
import { chooseWorkflow } from "./workbook.ts";
import { readWorkflow } from "./workflow.ts";
import { WorkflowFiles } from "./workflow-files.ts";

/** A workflow that a step runs, as far as the step has to know it. */
export interface NestedWorkflow {
  readonly definition: NestedDefinition;
  readonly inputs: readonly InputDeclaration[];
  /** Names; null if they can not be known. */
  readonly outputs: readonly string[] | null;
}

/** The workflow that stands, or is named, in the `workflow` of a step; null if there is none: it has been reported. */
export type FindNested = (node: Node, stepId: string) => NestedWorkflow | null;

interface Entry extends Place {
  readonly id: string;
  /** How many workflows there are between it and the first, that one included. */
  readonly depth: number;
  readonly inputs: readonly InputDeclaration[];
  readonly outputs: readonly string[] | null;
  /** Null until it has been read. */
  workflow: Workflow | null;
}

/** A workflow and all those that its steps run, however they name them. Each is read once, so they may run one another. */
export class Definitions {
  readonly #files = new WorkflowFiles();
  readonly #entries = new Map<string, Entry>();

  /** Null if there is no such workflow. What is wrong with it, or with those that it runs, is among the problems. */
  read(given: GivenFile, selection: Selection): Workflow | null {
    const file = this.#files.first(given);
    const place = file && placeOf(file, selection);
    if (!place) return null;
    const first = this.#enter(place, 0);
    // They grow while they are gone through.
    for (const entry of this.#entries.values()) {
      const { prompts, reader } = entry.file;
      const findNested: FindNested = (node, stepId) => this.#find(entry, node, stepId);
      entry.workflow = readWorkflow(entry.map, { around: entry.around, prompts, reader, findNested });
    }
    return first.workflow;
  }

  problems(): readonly Problem[] {
    return this.#files.problems();
  }

  #enter(place: Place, depth: number): Entry {
    const { map, around, file } = place;
    const inputs = readInputs(map.entries.get("inputs")?.value, file.reader);
    const id = idOf(map) ?? around.inStep?.id ?? "";
    const entry: Entry = { ...place, id, depth, inputs, outputs: outputsOf(map), workflow: null };
    this.#entries.set(keyOf(place), entry);
    return entry;
  }

  #find(from: Entry, node: Node, stepId: string): NestedWorkflow | null {
    const { reader, book } = from.file;
    if (node.kind === "map") return this.#nested(from, node, inStep(from, node, stepId), "inline");
    const text = reader.text(node, "`workflow`");
    if (!text) return null;
    const shown = text.value;
    const [, file, id] = /^(.*\.(?:ya?ml|json))(?:#(.*))?$/s.exec(shown) ?? [];
    if (file !== undefined) return this.#inFile(from, text, file, id);
    if (idFault(shown) !== null) {
      const hint = "a file ends in .yaml, .yml or .json; # and an id after it choose one of its workflows";
      return reader.refuse("BAD_VALUE", text, `\`workflow\` is neither a file nor an id: "${shown}"`, hint);
    }
    const map = book.workflows.get(shown);
    if (map) return this.#nested(from, text, topOf(from.file, map), shown);
    const hint = suggest(shown, book.workflows, "workflows");
    return reader.refuse("UNKNOWN_WORKFLOW", text, `there is no workflow "${shown}" in this file`, hint);
  }

  #inFile(from: Entry, text: TextNode, name: string, id: string | undefined): NestedWorkflow | null {
    const { reader, given } = from.file;
    const fault = besideFault(name);
    if (fault) return reader.refuse("BAD_VALUE", text, `\`workflow\` ${fault}: "${text.value}"`, BESIDE_HINT);
    const path = normalPath(name);
    const file = this.#files.beside(from.file, path);
    if (file === "missing") {
      const message = `there is no file ${folderOf(given.path)}${path}`;
      return reader.refuse("FILE_NOT_FOUND", text, message, "`workflow` is relative to the workflow file");
    }
    const choice = file && chooseWorkflow(file.book, id, path);
    if (!file || !choice) return null;
    if (choice.ok) return this.#nested(from, text, topOf(file, choice.map), text.value, path);
    return reader.refuse("UNKNOWN_WORKFLOW", text, choice.message, choice.hint);
  }

  #nested(from: Entry, node: Node, place: Place, shown: string, file?: string): NestedWorkflow | null {
    const known = this.#entries.get(keyOf(place));
    if (!known && from.depth === MAX_NESTING) {
      const message = `here begins a chain of more than ${MAX_NESTING} workflows of which each runs the next`;
      return from.file.reader.refuse(
        "BAD_VALUE",
        node,
        message,
        "a workflow that runs itself needs no copies",
      );
    }
    const entry = known ?? this.#enter(place, from.depth + 1);
    const definition: NestedDefinition = {
      shown,
      ...(file === undefined ? {} : { file }),
      id: entry.id,
      ...(entry.around.inStep ? { step: entry.at.join("/") } : {}),
      get workflow() {
        if (!entry.workflow) throw new Error(`the workflow ${entry.id} has not been read`);
        return entry.workflow;
      },
    };
    return { definition, inputs: entry.inputs, outputs: entry.outputs };
  }
}

function keyOf({ file, at }: Place): string {
  return JSON.stringify([file.path, ...at]);
}
