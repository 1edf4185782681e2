import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { RunRecord } from "../core/record.ts";
import type { Workflow } from "../core/workflow.ts";
import { ioError } from "../store/io-error.ts";
import { RUN_FILES } from "../store/layout.ts";
import { readDefinition } from "../store/open-run.ts";
import { orderOf, type StepOrder, scanNeeds } from "./canon-order.ts";
import { definitionOf } from "./view.ts";

/** What of a definition its runs' canonical forms depend on. */
export interface Ordering {
  /** Ids, in the order of the file. */
  readonly steps: readonly string[];
  readonly order: StepOrder;
  /** Its own patterns, and those of the workflows that its steps run. */
  readonly redact: readonly string[];
}

/** The texts of all workflow files of a run: of the first definition, of later ones, and of what these run. */
export function definitionTexts(runDir: string): string {
  const folders = [RUN_FILES.workflows, RUN_FILES.definitions];
  return [textOf(runDir), ...folders.flatMap((folder) => textsIn(join(runDir, folder)))].join("\n");
}

/** The orderings of a run and of those nested in it, many of which have the same definition. */
export class Orderings {
  readonly #known = new Map<string, Ordering>();

  /**
   * Read from the definition only as far as there is need: in a sequence nothing but items is reordered, and most graphs
   * show their needs at a glance. Raises RUN_DAMAGED.
   *
   * @param texts of the definition and of what else may have patterns
   */
  async of(runDir: string, { workflow, steps }: RunRecord, texts?: string): Promise<Ordering> {
    const key = JSON.stringify([workflow.sha256, workflow.id, workflow.step]);
    const known = this.#known.get(key);
    if (known) return known;
    const text = textOf(runDir, workflow.file);
    const ordering =
      scanned(text, texts ?? text, Object.keys(steps)) ?? readWhole(await definitionOf(runDir, workflow));
    this.#known.set(key, ordering);
    return ordering;
  }
}

function scanned(text: string, texts: string, steps: readonly string[]): Ordering | null {
  if (text.includes("\\") || texts.includes("redact")) return null;
  if (!text.includes("needs")) return { steps, order: { shape: "sequence", rank: new Map() }, redact: [] };
  const found = scanNeeds(text, steps);
  return found && { steps, order: orderOf("graph", found), redact: [] };
}

function readWhole(workflow: Workflow): Ordering {
  const { shape, steps } = workflow;
  const order = orderOf(shape, steps);
  return { steps: steps.map(({ id }) => id), order, redact: [...redactsOf(workflow, new Set())] };
}

function redactsOf(workflow: Workflow, seen: Set<Workflow>): Set<string> {
  seen.add(workflow);
  const found = new Set(workflow.redact);
  for (const step of workflow.steps) {
    const inner = step.type === "workflow" ? step.definition.workflow : workflow;
    if (!seen.has(inner)) for (const pattern of redactsOf(inner, seen)) found.add(pattern);
  }
  return found;
}

function textOf(runDir: string, file?: string): string {
  return Buffer.from(readDefinition(runDir, file)).toString("utf8");
}

function textsIn(folder: string): string[] {
  try {
    if (!existsSync(folder)) return [];
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    return files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), "utf8"));
  } catch (error) {
    throw ioError(error, `read ${folder}`);
  }
}
